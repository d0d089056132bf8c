using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// Squared distances as |x - c|^2 + |y - c|^2 - 2 (x - c) . (y - c), c a public centre: one multiply-add per coordinate, where
/// the difference x - y costs two operations. It cancels, so it serves only sums whose rounding is bounded.
/// </summary>
/// <remarks>
/// Bound. With u = 2^-24, p_k the larger of |sum to coordinate k of (x - c)(y - c)| over all pairs, at most the product of the
/// longest beginnings of x - c and y - c, the chain of d multiply-adds is off by at most u sum p_k, and if its rounding errors
/// are independent, by 0.6 u sqrt(sum p_k^2) in the root mean square; norms (fp64, rounded once) and the last addition add
/// u (|x - c|^2 + |y - c|^2). The form is used where u (3.5 V + X^2 + Y^2), V^2 = sum p_k^2 and X, Y the largest lengths, moves
/// the function by at most <see cref="Tolerance"/> in relative terms: three standard deviations where every partial sum of a
/// pair is as large as can be, far more elsewhere. The centre is the mean of some points plus a fixed pattern, a fiftieth of
/// the spread: without it points of equal coordinates would round alike in every step, and errors would add up.
/// </remarks>
sealed class ExpandedForm
{
    /// <summary>Relative error of one value of the function that is accepted.</summary>
    public const double Tolerance = 4.4e-6;

    /// <summary>Fewer queries do not pay for looking at all points first, nor do fewer coordinates for the norms.</summary>
    public const int FewestQueries = 32, FewestCoordinates = 16;

    const int Block = 16, RowsPerItem = 1024, SampledRows = 256;
    const double Unit = 1.0 / (1 << 24), GoldenRatio = 0.6180339887498949;

    ExpandedForm(float[] center) => Center = center;

    /// <summary>c, one value per coordinate.</summary>
    public float[] Center { get; }

    /// <summary>Runs the items 0 .. items - 1, each once, on some threads.</summary>
    public delegate void Sharing(int items, Action<int> body);

    /// <summary>
    /// The form for a call, or null where the difference must be taken. Every engine asks here, so all of them choose alike.
    /// </summary>
    public static ExpandedForm? For(PairFunction function, Points points, Points queries, Sharing share)
    {
        if (function.Smooth is not { } profile || points.Count == 0) return null;
        if (queries.Count < FewestQueries || points.Dimension < FewestCoordinates) return null;
        float[] center = CenterOf(points);
        double[] x = LongestBeginnings(points, center, share), y = LongestBeginnings(queries, center, share);
        double squares = 0;
        for (int b = 0; b < x.Length; b++)
            squares += Math.Min(Block, points.Dimension - b * Block) * x[b] * y[b];
        double error = Unit * (3.5 * Math.Sqrt(squares) + x[^1] + y[^1]);
        return error * profile.Slope <= Tolerance ? new(center) : null;
    }

    /// <summary>Centred points and their squared lengths, summed in fp64.</summary>
    public (ReadOnlyMemory<float> Values, float[] Norms) Apply(Points points)
    {
        float[] values = points.Values.ToArray(), norms = new float[points.Count];
        for (int row = 0; row < norms.Length; row++)
        {
            double norm = 0;
            Span<float> own = values.AsSpan(row * points.Dimension, points.Dimension);
            for (int k = 0; k < own.Length; k++)
            {
                own[k] -= Center[k];
                norm = Math.FusedMultiplyAdd(own[k], own[k], norm);
            }
            norms[row] = (float)norm;
        }
        return (values, norms);
    }

    static float[] CenterOf(Points points)
    {
        int d = points.Dimension, rows = Math.Min(points.Count, SampledRows);
        double[] sums = new double[d], squares = new double[d];
        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> row = points.Row((int)((long)points.Count * i / rows));
            for (int k = 0; k < d; k++)
            {
                sums[k] += row[k];
                squares[k] += (double)row[k] * row[k];
            }
        }
        double variance = 0;
        for (int k = 0; k < d; k++) variance += Math.Max(0, squares[k] / rows - sums[k] / rows * (sums[k] / rows));
        double spread = Math.Sqrt(variance / d);
        var center = new float[d];
        for (int k = 0; k < d; k++)
            center[k] = (float)(sums[k] / rows + spread / 25 * ((k + 1) * GoldenRatio % 1 - 0.5));
        Canonical.Flush(center);
        return center;
    }

    /// <summary>For each block of coordinates, the largest squared length of a centred point up to its end.</summary>
    static double[] LongestBeginnings(Points points, float[] center, Sharing share)
    {
        int blocks = (points.Dimension + Block - 1) / Block, items = (points.Count + RowsPerItem - 1) / RowsPerItem;
        var longest = new double[blocks];
        share(items, item =>
        {
            var own = new double[blocks];
            int first = item * RowsPerItem, end = Math.Min(points.Count, first + RowsPerItem);
            for (int row = first; row < end; row++) Lengthen(points.Row(row), center, own);
            lock (longest)
                for (int b = 0; b < blocks; b++) longest[b] = Math.Max(longest[b], own[b]);
        });
        return longest;
    }

    static void Lengthen(ReadOnlySpan<float> row, float[] center, double[] longest)
    {
        ref float x = ref MemoryMarshal.GetReference(row), c = ref center[0];
        double length = 0;
        int k = 0;
        for (; k + Block <= row.Length; k += Block)
        {
            Vector512<float> z = Vector512.LoadUnsafe(ref x, (nuint)k) - Vector512.LoadUnsafe(ref c, (nuint)k);
            length += Vector512.Sum(z * z);
            longest[k / Block] = Math.Max(longest[k / Block], length);
        }
        if (k == row.Length) return;
        for (; k < row.Length; k++) length += ((double)row[k] - center[k]) * ((double)row[k] - center[k]);
        longest[^1] = Math.Max(longest[^1], length);
    }
}
