namespace PrivateKernels;

/// <summary>
/// The form of points that engines accept: it keeps subnormal numbers, infinities and NaN out of every recipe.
/// </summary>
public static class Canonical
{
    /// <summary>2^40: a coordinate beyond it is refused when a record is appended.</summary>
    public const float Largest = 1099511627776f;

    /// <summary>2^-40: a coordinate below it becomes 0.</summary>
    public const float Smallest = 1f / Largest;

    /// <summary>Whether a row can enter an engine: every coordinate finite and at most 2^40 in size.</summary>
    public static bool IsValid(ReadOnlySpan<float> row)
    {
        foreach (float x in row)
            if (!(Math.Abs(x) <= Largest)) return false;
        return true;
    }

    /// <summary>Sets coordinates below 2^-40 in size to 0, in place.</summary>
    public static void Flush(Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
            if (Math.Abs(values[i]) < Smallest) values[i] = 0f;
    }

    /// <summary>The points relative to a public center, canonical again; an empty center is the origin.</summary>
    public static Points Centred(Points points, ReadOnlySpan<float> center)
    {
        if (center.IsEmpty) return points;
        float[] values = points.Values.ToArray();
        for (int i = 0; i < values.Length; i++)
            values[i] = Math.Clamp(values[i] - center[i % center.Length], -Largest, Largest);
        Flush(values);
        return new(values, points.Dimension, points.Weights);
    }
}
