namespace PrivateKernels;

/// <summary>
/// Row-major matrices cut into panels for <see cref="ITile"/>: width rows side by side, coordinate by coordinate.
/// </summary>
sealed unsafe class Panels : IDisposable
{
    readonly AlignedFloats _memory = new();

    /// <param name="matrix">Rows of <paramref name="depth"/> values.</param>
    /// <param name="depth">Values per row.</param>
    /// <param name="width">Rows per panel; the last panel is filled up with zeros.</param>
    public Panels(ReadOnlySpan<float> matrix, int depth, int width)
    {
        int rows = matrix.Length / depth;
        (Count, Stride) = ((rows + width - 1) / width, (nint)depth * width);
        float* to = _memory.Take(Count * Stride);
        fixed (float* from = matrix)
            for (int panel = 0; panel < Count; panel++)
            {
                int first = panel * width;
                Pack(from + (nint)first * depth, Math.Min(width, rows - first), depth, width, to + panel * Stride);
            }
    }

    public int Count { get; }

    /// <summary>Floats per panel.</summary>
    public nint Stride { get; }

    /// <summary>[panel][k][width]; valid while this object is reachable.</summary>
    public float* Start => _memory.Take(0);

    public void Dispose() => _memory.Dispose();

    /// <summary>
    /// to[k width + r] = from[r depth + k] for r below <paramref name="rows"/>, and 0 for the rest of the width.
    /// </summary>
    public static void Pack(float* from, int rows, int depth, int width, float* to)
    {
        Transposition.Copy(from, depth, rows, depth, to, width);
        if (rows < width)
            for (int k = 0; k < depth; k++, to += width) new Span<float>(to + rows, width - rows).Clear();
    }
}
