using System.Buffers;

namespace PrivateKernels.Client;

/// <summary>
/// Opens files of vectors by what is in them: .npy, .idx, .csv (each also gzip-packed), .parquet, .arrow (file or
/// stream).
/// </summary>
public static class RowFile
{
    const int BlockValues = 1 << 20;

    /// <summary>Opens a file of vectors.</summary>
    /// <param name="path">The file.</param>
    /// <param name="labels">Classes, if labels in a column named "label" are wanted; it is skipped otherwise.</param>
    /// <param name="values">
    /// Column with the value of each row, by its name, or by its number from 0 where it has no such name; null = none.
    /// </param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="RowFormatException">The file is of no known kind, or its header is broken.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static Task<IRowReader> OpenAsync(
        string path, LabelCodes? labels = null, string? values = null, CancellationToken cancellation = default) =>
        OpenAsync(path, new RowWish(RowRole.Vectors, labels, values), cancellation);

    /// <summary>
    /// Opens a file of vectors and a second one, of the same or another kind, with the label of each row.
    /// </summary>
    public static async Task<IRowReader> OpenAsync(
        string path, string labelsPath, LabelCodes labels, string? values = null, CancellationToken cancellation = default)
    {
        IRowReader rows = await OpenAsync(path, new RowWish(RowRole.Vectors, null, values), cancellation);
        try
        {
            return new LabelledRows(rows, await OpenAsync(labelsPath, new RowWish(RowRole.Labels, labels), cancellation),
                labelsPath);
        }
        catch
        {
            await rows.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads a whole file of vectors into memory.</summary>
    public static async Task<Points> ReadAllAsync(string path, CancellationToken cancellation = default)
    {
        await using IRowReader reader = await OpenAsync(path, new RowWish(RowRole.Vectors), cancellation);
        var values = new ArrayBufferWriter<float>();
        int rows = Math.Max(1, BlockValues / reader.Dimension);
        for (int read = rows; read > 0;)
        {
            Memory<float> memory = values.GetMemory(rows * reader.Dimension);
            read = await reader.ReadAsync(new(memory, default, rows), cancellation);
            values.Advance(read * reader.Dimension);
        }
        return new(values.WrittenMemory, reader.Dimension);
    }

    /// <summary>Reads the labels of a file of labels: one column, or the column named "label".</summary>
    public static async Task<uint[]> ReadLabelsAsync(
        string path, LabelCodes labels, CancellationToken cancellation = default)
    {
        await using IRowReader reader = await OpenAsync(path, new RowWish(RowRole.Labels, labels), cancellation);
        var all = new List<uint>();
        RowBlock block = RowBlock.For(reader, 1 << 16);
        for (int read; (read = await reader.ReadAsync(block, cancellation)) > 0;)
            all.AddRange(block.Labels.Span[..read]);
        return [.. all];
    }

    static async Task<IRowReader> OpenAsync(string path, RowWish wish, CancellationToken cancellation)
    {
        RowSource source = RowSource.Open(path);
        try
        {
            byte[] start = await StartAsync(path, cancellation);
            return start switch
            {
                [0x93, (byte)'N', (byte)'U', (byte)'M', ..] =>
                    new BinaryRows(source, NpyFile.ReadHeader(source), wish),
                [0, 0, >= 8 and <= 14, > 0, ..] => new BinaryRows(source, IdxFile.ReadHeader(source), wish),
                [(byte)'P', (byte)'A', (byte)'R', (byte)'1', ..] =>
                    await ParquetRows.OpenAsync(Seekable(source), wish, cancellation),
                [(byte)'A', (byte)'R', (byte)'R', (byte)'O', ..] =>
                    await ArrowRows.OpenAsync(Seekable(source), isFile: true, wish, cancellation),
                [0xff, 0xff, 0xff, 0xff, ..] =>
                    await ArrowRows.OpenAsync(source, isFile: false, wish, cancellation),
                _ when IsText(start) => await CsvRows.OpenAsync(source, wish, cancellation),
                _ => throw source.Error(
                    "is of no known kind: .npy, .csv, .parquet, .arrow, .idx (.npy, .csv, .idx also as .gz)"),
            };
        }
        catch (Exception e)
        {
            await source.DisposeAsync();
            if (e is InvalidDataException) throw source.Error("is damaged", null, null, e);
            throw;
        }
    }

    static async Task<byte[]> StartAsync(string path, CancellationToken cancellation)
    {
        await using RowSource source = RowSource.Open(path);
        var start = new byte[64];
        int read = await source.Stream.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellation);
        return start[..read];
    }

    static RowSource Seekable(RowSource source) =>
        source.IsPacked ? throw source.Error("is packed twice: unpack it with gunzip first") : source;

    // Control characters other than tab, line feed and carriage return do not occur in text.
    static bool IsText(byte[] start) => Array.TrueForAll(start, static b => b >= 0x20 || b is 9 or 10 or 13);
}
