using System.Runtime.InteropServices;

namespace PrivateKernels.Storage;

/// <summary>Exact cells with the place in the stream that they stand for: what a file of cells holds.</summary>
/// <param name="Sequence">Batches 1 to this are in the cells; 0 for the sums of a dataset.</param>
/// <param name="Rows">Rows of those batches.</param>
/// <param name="Crcs">Checksums of the last of those batches, oldest first.</param>
/// <param name="Cells">Of each accumulator, in the order of the definition.</param>
sealed record CellState(ulong Sequence, long Rows, uint[] Crcs, long[][] Cells)
{
    const int Format = 1;

    internal byte[][] ToParts()
    {
        var writer = new RecipeWriter();
        writer.WriteInt32(Format);
        writer.WriteInt64((long)Sequence);
        writer.WriteInt64(Rows);
        writer.WriteInt32(Crcs.Length);
        foreach (uint crc in Crcs) writer.WriteInt32((int)crc);
        writer.WriteInt32(Cells.Length);
        foreach (long[] cells in Cells) writer.WriteInt32(cells.Length);
        return [writer.Written.ToArray(), .. Cells.Select(static c => MemoryMarshal.AsBytes<long>(c).ToArray())];
    }

    internal static CellState Read(byte[] content)
    {
        var reader = new RecipeReader(content);
        if (reader.ReadInt32() != Format) throw new InvalidDataException("unknown format of accumulated cells");
        ulong sequence = (ulong)reader.ReadInt64();
        long rows = reader.ReadInt64();
        var crcs = new uint[reader.ReadLength(4)];
        for (int i = 0; i < crcs.Length; i++) crcs[i] = (uint)reader.ReadInt32();
        var cells = new long[reader.ReadLength(4)][];
        for (int i = 0; i < cells.Length; i++) cells[i] = new long[reader.ReadInt32()];
        int at = reader.Position;
        foreach (long[] block in cells)
        {
            content.AsSpan(at, block.Length * sizeof(long)).CopyTo(MemoryMarshal.AsBytes(block.AsSpan()));
            at += block.Length * sizeof(long);
        }
        return new(sequence, rows, crcs, cells);
    }
}
