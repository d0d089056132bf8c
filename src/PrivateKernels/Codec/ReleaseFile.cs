namespace PrivateKernels;

/// <summary>
/// Bytes of a release: "PKRELEAS", version, length of the header, header (provenance, price, recipe), number of cells,
/// cells as little-endian int64, SHA-256 of all before. The size depends on public parameters only.
/// </summary>
public static class ReleaseFile
{
    public const int Version = 1;

    const string What = "release file";

    static ReadOnlySpan<byte> Magic => "PKRELEAS"u8;

    /// <summary>The whole file, trailer included.</summary>
    public static byte[] Write(Release release)
    {
        var header = new RecipeWriter();
        WriteProvenance(header, release.Provenance);
        header.WriteRaw(release.Measurement.RecipeBytes);
        return CellFile.Write(Magic, Version, header.Written, release.AllCells);
    }

    /// <summary>Bytes of the file that a measurement will make; known before it is made.</summary>
    public static long SizeOf(Measurement measurement)
    {
        const int ProvenanceBytes = 4 + 16 + 4 + 32 + 4 + 16 + 8 + 8 + 4 + 32 + 4 + 8;
        return CellFile.SizeOf(ProvenanceBytes + Recipe.SizeOf(measurement), measurement.CellCount);
    }

    /// <summary>Reads and checks a whole file.</summary>
    /// <exception cref="InvalidDataException">It is torn, altered, of another version, or inconsistent.</exception>
    public static Release Read(ReadOnlyMemory<byte> file)
    {
        ((Provenance provenance, Measurement measurement), long[] cells) = CellFile.Read(file, Magic, Version, What, static header =>
        {
            Provenance provenance = ReadProvenance(header);
            Measurement measurement = Recipe.Read(header);
            return ((provenance, measurement), measurement.CellCount);
        });
        // Answers by class read a count off every block.
        return measurement.Classes.Count == 0 || measurement.Sketch.Count(cells.AsSpan(0, measurement.Sketch.CellCount)) is not null
            ? new(measurement, provenance, cells)
            : throw new InvalidDataException("the release has classes, but its map holds no counts");
    }

    /// <summary>The provenance alone, after the same check of the trailer; for recovery.</summary>
    /// <exception cref="InvalidDataException">The file is torn, altered or of another version.</exception>
    public static Provenance ReadProvenance(ReadOnlyMemory<byte> file) =>
        ReadProvenance(CellFile.Header(file, Magic, Version, What));

    static void WriteProvenance(RecipeWriter writer, Provenance provenance)
    {
        writer.WriteBytes(provenance.ReservationId.Span);
        writer.WriteBytes(provenance.RequestHash.Span);
        writer.WritePosition(provenance.ReservedAt);
        writer.WriteCost(provenance.Cost);
    }

    static Provenance ReadProvenance(RecipeReader reader) =>
        new(reader.ReadBytes(), reader.ReadBytes(), reader.ReadPosition(), reader.ReadCost());
}
