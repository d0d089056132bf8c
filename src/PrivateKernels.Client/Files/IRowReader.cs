namespace PrivateKernels.Client;

/// <summary>One pass over rows of vectors, in bounded memory: a file, or arrays.</summary>
public interface IRowReader : IAsyncDisposable
{
    /// <summary>
    /// Coordinates per row, known before the first row is read; 0 for a file opened for its labels alone.
    /// </summary>
    int Dimension { get; }

    /// <summary>Whether every row carries a class index.</summary>
    bool HasLabels { get; }

    /// <summary>Whether every row carries a value, for weighted sums.</summary>
    bool HasValues => false;

    /// <summary>About how much has been read, 0 to 1; for progress bars.</summary>
    double Fraction { get; }

    /// <summary>
    /// Fills the block from its beginning with the next rows, in order; returns how many, 0 at the end.
    /// </summary>
    /// <exception cref="RowFormatException">A row cannot be read; it is named.</exception>
    ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default);
}

/// <summary>Memory for a block of rows.</summary>
/// <param name="Values">Coordinates in row order, at least <paramref name="Rows"/> x dimension.</param>
/// <param name="Labels">Class indices, at least <paramref name="Rows"/>; empty where labels are not wanted.</param>
/// <param name="Rows">Most rows to read.</param>
/// <param name="RowValues">Values of rows, at least <paramref name="Rows"/>; empty where they are not wanted.</param>
public readonly record struct RowBlock(Memory<float> Values, Memory<uint> Labels, int Rows, Memory<float> RowValues = default)
{
    /// <summary>New memory for <paramref name="rows"/> rows.</summary>
    public static RowBlock For(IRowReader reader, int rows) =>
        new(new float[rows * reader.Dimension], reader.HasLabels ? new uint[rows] : default, rows,
            reader.HasValues ? new float[rows] : default);
}
