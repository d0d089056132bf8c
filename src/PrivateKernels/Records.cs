namespace PrivateKernels;

/// <summary>
/// A batch of private rows on its way into a measurement. The measurement puts <paramref name="Values"/> into canonical
/// form in place, so the memory must be the caller's to give; it is not used after the next batch is asked for.
/// </summary>
/// <param name="Values">Coordinates in row order.</param>
/// <param name="Labels">Class index of each row; empty if the data set has no labels.</param>
/// <param name="RowValues">v of each row, for weighted sums; empty if the data set has none.</param>
public readonly record struct Records(
    Memory<float> Values, ReadOnlyMemory<uint> Labels, ReadOnlyMemory<float> RowValues = default);
