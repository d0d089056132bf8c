namespace PrivateKernels;

/// <summary>A block of vectors of one dimension, row after row. Holds a view, never a copy.</summary>
public readonly struct Points
{
    public Points(ReadOnlyMemory<float> values, int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        if (values.Length % dimension != 0)
            throw new InvalidFieldException("points.values", values.Length, $"its length must be a multiple of {dimension}");
        (Values, Dimension) = (values, dimension);
    }

    /// <summary>Coordinates in row order; length = <see cref="Count"/> x <see cref="Dimension"/>.</summary>
    public ReadOnlyMemory<float> Values { get; }

    public int Dimension { get; }

    public int Count => Values.Length / Dimension;

    public ReadOnlySpan<float> Row(int row) => Values.Span.Slice(row * Dimension, Dimension);

    public Points Slice(int first, int count) => new(Values.Slice(first * Dimension, count * Dimension), Dimension);
}
