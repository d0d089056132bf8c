namespace PrivateKernels;

/// <summary>
/// Bytes of a combined release: "PKCOMBIN", version, length of the header, header (parents, map, classes, noise and records
/// of each block), number of cells, cells as little-endian int64, SHA-256 of all before.
/// </summary>
public static class CombinedFile
{
    public const int Version = 1;

    const int LeastParentBytes = 4 + 4 + 8 + 8 + 4 + 4 + 8 + 4;

    static ReadOnlySpan<byte> Magic => "PKCOMBIN"u8;

    /// <summary>Whether these are, or were, the bytes of a combined release and not of a release.</summary>
    public static bool Recognizes(ReadOnlySpan<byte> file) => file.StartsWith(Magic);

    /// <summary>The whole file, trailer included.</summary>
    public static byte[] Write(CombinedRelease release)
    {
        var header = new RecipeWriter();
        header.WriteInt32(release.Parents.Count);
        foreach (ReleaseParent parent in release.Parents)
        {
            header.WriteBytes(parent.Sha256.Span);
            header.WritePosition(parent.ReservedAt);
            header.WriteCost(parent.Cost);
            header.WriteInt32(parent.Sign);
        }
        Recipe.WriteMap(header, release.Sketch);
        header.WriteInt32(release.Classes.Count);
        foreach (string name in release.Classes) header.WriteText(name);
        for (int block = 0; block < release.Blocks; block++)
        {
            header.WriteDouble(release.NoiseOf(block).Variance);
            header.WriteDouble(release.NoiseOf(block).FourthCumulant);
            header.WriteDouble(release.RecordsOf(block));
        }
        return CellFile.Write(Magic, Version, header.Written, release.Cells);
    }

    /// <summary>Reads and checks a whole file.</summary>
    /// <exception cref="InvalidDataException">It is torn, altered, of another version, or inconsistent.</exception>
    public static CombinedRelease Read(ReadOnlyMemory<byte> file)
    {
        ((ReleaseParent[] parents, ISketch sketch, string[] classes, CombinedBlock[] blocks), long[] cells) =
            CellFile.Read(file, Magic, Version, "combined release", ReadHeader);
        // Answers by class read a count off every block.
        return classes.Length == 0 || sketch.Count(cells) is not null
            ? new(sketch, classes, cells, blocks, parents)
            : throw new InvalidDataException("the combined release has classes, but its map holds no counts");
    }

    static ((ReleaseParent[] Parents, ISketch Sketch, string[] Classes, CombinedBlock[] Blocks) Header, long Cells) ReadHeader(
        RecipeReader reader)
    {
        var parents = new ReleaseParent[reader.ReadLength(LeastParentBytes)];
        for (int i = 0; i < parents.Length; i++)
            parents[i] = new(reader.ReadBytes(), reader.ReadPosition(), reader.ReadCost(), reader.ReadInt32());
        ISketch sketch = Recipe.ReadMap(reader);
        var classes = new string[reader.ReadLength(4)];
        for (int c = 0; c < classes.Length; c++) classes[c] = reader.ReadText();
        var blocks = new CombinedBlock[Math.Max(1, classes.Length)];
        for (int b = 0; b < blocks.Length; b++)
            blocks[b] = new(new(reader.ReadDouble(), reader.ReadDouble()), reader.ReadDouble());
        bool sound = parents.Length > 1 && Array.TrueForAll(parents, static p => p.Sha256.Length == 32 && p.Sign is 1 or -1)
            && Array.TrueForAll(blocks, static b => b.Noise.Variance > 0 && double.IsFinite(b.Noise.Variance)
                && b.Noise.FourthCumulant >= 0 && double.IsFinite(b.Noise.FourthCumulant)
                && b.Records >= 0 && double.IsFinite(b.Records))
            && classes.Distinct().Count() == classes.Length;
        return sound
            ? ((parents, sketch, classes, blocks), (long)blocks.Length * sketch.CellCount)
            : throw new InvalidDataException("the combined release is inconsistent");
    }
}
