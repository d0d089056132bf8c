using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>Inner products of features with columns of weights, in the order that <see cref="IEngine.ProjectFourier"/> fixes.</summary>
static unsafe class Projection<S>
    where S : struct, ISixteen<S>
{
    /// <summary>
    /// sums[(q columns + c) groups + g] for the features cos[q stride + j] and sin[q stride + j], j below
    /// <paramref name="frequencies"/>; the weights of column c start at weights + 2 frequencies c.
    /// </summary>
    public static void Apply(
        float* cos, float* sin, nint stride, int queries, double* weights, int frequencies, int columns, int groups, double* sums)
    {
        int size = frequencies / groups;
        for (int g = 0; g < groups; g++)
            for (int c = 0; c < columns; c += 2)
                for (int q = 0; q < queries; q += 2)
                {
                    // Where a pair has no second, the first stands in for it and is computed twice.
                    nint nextQuery = q + 1 < queries ? 1 : 0, nextColumn = c + 1 < columns ? 1 : 0;
                    nint at = q * stride + g * (nint)size;
                    double* w = weights + 2 * (nint)frequencies * c + g * (nint)size;
                    double* to = sums + ((nint)q * columns + c) * groups + g;
                    TwoByTwo(cos + at, sin + at, nextQuery * stride, w, nextColumn * 2 * frequencies, frequencies, size,
                        to, nextQuery * columns * groups, nextColumn * groups);
                }
    }

    /// <summary>Two queries, a distance apart, by two columns, a distance apart: every number loaded serves twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TwoByTwo(float* cos, float* sin, nint query, double* w, nint column, int m, int size,
        double* sums, nint sumQuery, nint sumColumn)
    {
        S a = default, b = default, c = default, d = default;
        double* v = w + column;
        int j = 0;
        for (; j + 16 <= size; j += 16)
        {
            S x = S.Widen(cos + j), y = S.Widen(cos + query + j), first = S.Load(w + j), second = S.Load(v + j);
            (a, b, c, d) = (S.Fma(x, first, a), S.Fma(x, second, b), S.Fma(y, first, c), S.Fma(y, second, d));
            (x, y, first, second) = (S.Widen(sin + j), S.Widen(sin + query + j), S.Load(w + m + j), S.Load(v + m + j));
            (a, b, c, d) = (S.Fma(x, first, a), S.Fma(x, second, b), S.Fma(y, first, c), S.Fma(y, second, d));
        }

        sums[0] = Finish(a, cos, sin, w, m, j, size);
        sums[sumColumn] = Finish(b, cos, sin, v, m, j, size);
        sums[sumQuery] = Finish(c, cos + query, sin + query, w, m, j, size);
        sums[sumQuery + sumColumn] = Finish(d, cos + query, sin + query, v, m, j, size);
    }

    /// <summary>The frequencies from j on, fewer than sixteen, then the tree.</summary>
    static double Finish(S sum, float* cos, float* sin, double* w, int m, int j, int size)
    {
        double* lanes = stackalloc double[16];
        S.Store(sum, lanes);
        for (int l = 0; j < size; j++, l++)
            lanes[l] = Math.FusedMultiplyAdd(sin[j], w[m + j], Math.FusedMultiplyAdd(cos[j], w[j], lanes[l]));
        for (int half = 8; half >= 1; half /= 2)
            for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
        return lanes[0];
    }
}
