using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Inner products of features with columns of weights, in the order that <see cref="IEngine.ProjectFourier"/> fixes.
/// </summary>
static unsafe class Projection<S>
    where S : struct, ISixteen<S>
{
    /// <summary>
    /// sums[(q columns + c) groups + g] for the features cos[q stride + j] and sin[q stride + j], j below
    /// <paramref name="frequencies"/>; the weights of column c start at weights + 2 frequencies c.
    /// </summary>
    public static void Apply(float* cos, float* sin, nint stride, int queries,
        double* weights, int frequencies, int columns, int groups, double* sums)
    {
        double* lanes = stackalloc double[4 * 16];
        int size = frequencies / groups;
        for (int g = 0; g < groups; g++)
            for (int c = 0; c < columns; c += 2)
                for (int q = 0; q < queries; q += 2)
                {
                    // Where a pair has no second, the first stands in for it and is computed twice.
                    int moreQueries = q + 1 < queries ? 1 : 0, moreColumns = c + 1 < columns ? 1 : 0;
                    nint first = q * stride + g * (nint)size, second = first + moreQueries * stride;
                    double* w = weights + 2 * (nint)frequencies * c + g * (nint)size;
                    double* v = w + moreColumns * 2 * (nint)frequencies;
                    double* to = sums + ((nint)q * columns + c) * groups + g;
                    AddWhole(cos + first, sin + first, second - first, w, v, frequencies, size / 16 * 16, lanes);
                    for (int i = 0; i < 4; i++)
                    {
                        nint at = i < 2 ? first : second;
                        to[(i / 2 * moreQueries * columns + i % 2 * moreColumns) * groups] =
                            Finish(cos + at, sin + at, i % 2 == 0 ? w : v, frequencies, size, lanes + 16 * i);
                    }
                }
    }

    /// <summary>
    /// The sixteen sums of two queries, a distance apart, by two columns: every number loaded serves twice. It calls
    /// nothing, so that the sums stay in registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddWhole(float* cos, float* sin, nint query, double* w, double* v, nint m, int size, double* lanes)
    {
        S a = default, b = default, c = default, d = default;
        for (float* end = cos + size; cos != end; cos += 16, sin += 16, w += 16, v += 16)
        {
            S x = S.Widen(cos), y = S.Widen(cos + query), first = S.Load(w), second = S.Load(v);
            (a, b, c, d) = (S.Fma(x, first, a), S.Fma(x, second, b), S.Fma(y, first, c), S.Fma(y, second, d));
            (x, y, first, second) = (S.Widen(sin), S.Widen(sin + query), S.Load(w + m), S.Load(v + m));
            (a, b, c, d) = (S.Fma(x, first, a), S.Fma(x, second, b), S.Fma(y, first, c), S.Fma(y, second, d));
        }

        S.Store(a, lanes);
        S.Store(b, lanes + 16);
        S.Store(c, lanes + 32);
        S.Store(d, lanes + 48);
    }

    /// <summary>The last size mod 16 frequencies, then the tree.</summary>
    static double Finish(float* cos, float* sin, double* w, nint m, int size, double* lanes)
    {
        for (int j = size / 16 * 16, l = 0; j < size; j++, l++)
            lanes[l] = Math.FusedMultiplyAdd(sin[j], w[m + j], Math.FusedMultiplyAdd(cos[j], w[j], lanes[l]));
        for (int half = 8; half >= 1; half /= 2)
            for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
        return lanes[0];
    }
}
