namespace PrivateKernels;

/// <summary>Brings points to unit length, on the host and in scalar arithmetic, so that every engine sees the same vectors.</summary>
static class UnitVectors
{
    /// <summary>
    /// The points divided by their lengths, without those that are 0; <paramref name="kept"/> lists the rows that remain.
    /// Squares summed in fp64 in index order; x (1 / length) rounded to fp32 once; made canonical. Guarantee: each length is
    /// at most 1 + 2^-23.
    /// </summary>
    public static Points Of(Points points, out int[] kept)
    {
        int d = points.Dimension;
        float[] values = new float[points.Values.Length], weights = new float[points.Weights.Length];
        var rows = new int[points.Count];
        int count = 0;
        for (int row = 0; row < points.Count; row++)
        {
            ReadOnlySpan<float> x = points.Row(row);
            double squares = 0;
            foreach (float v in x) squares += (double)v * v;
            if (squares == 0) continue;
            double factor = 1 / Math.Sqrt(squares);
            Span<float> to = values.AsSpan(count * d, d);
            for (int k = 0; k < d; k++) to[k] = (float)(x[k] * factor);
            if (points.IsWeighted) weights[count] = points.Weights.Span[row];
            rows[count++] = row;
        }
        Canonical.Flush(values.AsSpan(0, count * d));
        kept = rows[..count];
        return new(values.AsMemory(0, count * d), d, points.IsWeighted ? weights.AsMemory(0, count) : default);
    }
}
