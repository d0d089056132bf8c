using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>Inner products of one query's features with columns of weights, in the order that IEngine fixes.</summary>
static unsafe class Projection<S>
    where S : struct, ISixteen<S>
{
    /// <summary>
    /// sums[c groups + g] for the <paramref name="frequencies"/> features at <paramref name="cos"/> and
    /// <paramref name="sin"/>; column c's weights start at weights + 2 frequencies c.
    /// </summary>
    public static void Apply(float* cos, float* sin, double* weights, int frequencies, int columns, int groups, double* sums)
    {
        int size = frequencies / groups;
        nint column = 2 * (nint)frequencies;
        for (int g = 0; g < groups; g++)
        {
            float* a = cos + g * (nint)size, b = sin + g * (nint)size;
            double* w = weights + g * (nint)size;
            int c = 0;
            for (; c + 2 <= columns; c += 2)
                Two(a, b, w + c * column, column, frequencies, size, sums + c * groups + g, groups);
            if (c < columns)
                sums[c * groups + g] = One(a, b, w + c * column, frequencies, size);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Two(float* cos, float* sin, double* w, nint column, int m, int size, double* sums, int groups)
    {
        S first = default, second = default;
        double* v = w + column;
        int j = 0;
        for (; j + 16 <= size; j += 16)
        {
            S a = S.Widen(cos + j), b = S.Widen(sin + j);
            first = S.Fma(b, S.Load(w + m + j), S.Fma(a, S.Load(w + j), first));
            second = S.Fma(b, S.Load(v + m + j), S.Fma(a, S.Load(v + j), second));
        }

        sums[0] = Finish(first, cos, sin, w, m, j, size);
        sums[groups] = Finish(second, cos, sin, v, m, j, size);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double One(float* cos, float* sin, double* w, int m, int size)
    {
        S sum = default;
        int j = 0;
        for (; j + 16 <= size; j += 16)
            sum = S.Fma(S.Widen(sin + j), S.Load(w + m + j), S.Fma(S.Widen(cos + j), S.Load(w + j), sum));
        return Finish(sum, cos, sin, w, m, j, size);
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
