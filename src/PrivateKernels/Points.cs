namespace PrivateKernels;

/// <summary>A block of vectors of one dimension, row after row. Holds a view, never a copy.</summary>
public readonly struct Points
{
    /// <param name="values">Coordinates in row order.</param>
    /// <param name="dimension">Coordinates per row.</param>
    /// <param name="weights">One in [-1, 1] per row, or empty: every row counts 1.</param>
    public Points(ReadOnlyMemory<float> values, int dimension, ReadOnlyMemory<float> weights = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        if (values.Length % dimension != 0)
            throw new InvalidFieldException("points.values", values.Length, $"its length must be a multiple of {dimension}");
        if (!weights.IsEmpty && weights.Length != values.Length / dimension)
            throw new InvalidFieldException("points.weights", weights.Length, "must be empty, or one per row");
        (Values, Dimension, Weights) = (values, dimension, weights);
    }

    /// <summary>Coordinates in row order; length = <see cref="Count"/> x <see cref="Dimension"/>.</summary>
    public ReadOnlyMemory<float> Values { get; }

    public int Dimension { get; }

    /// <summary>What each row counts, in [-1, 1]; empty = 1.</summary>
    public ReadOnlyMemory<float> Weights { get; }

    public bool IsWeighted => !Weights.IsEmpty;

    public int Count => Values.Length / Dimension;

    public ReadOnlySpan<float> Row(int row) => Values.Span.Slice(row * Dimension, Dimension);

    public Points Slice(int first, int count) =>
        new(Values.Slice(first * Dimension, count * Dimension), Dimension, IsWeighted ? Weights.Slice(first, count) : default);

    /// <summary>
    /// Sum over the rows of trunc(<paramref name="constant"/> u), u the row's weight: the cell of a constant feature. No term
    /// is larger than the constant, since products round monotonically.
    /// </summary>
    /// <param name="constant">From 0 to 2^53.</param>
    public long TimesWeights(long constant)
    {
        if (!IsWeighted) return Count * constant;
        long sum = 0;
        foreach (float weight in Weights.Span) sum += (long)(constant * (double)weight);
        return sum;
    }
}
