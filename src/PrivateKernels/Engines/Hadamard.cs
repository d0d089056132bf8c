using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Rounds v = H (D v) of the structured map for one record per lane. The butterflies are the textbook ones, strides
/// 1, 2, 4, ... in this order; a pass does up to three strides while its values are in registers, which changes
/// nothing.
/// </summary>
static unsafe class Hadamard<V>
    where V : unmanaged, ILanes<V>
{
    /// <summary>to = H (D from), D as sign masks; <paramref name="to"/> may be <paramref name="from"/>.</summary>
    public static void Round(V* from, uint* flips, V* to, int padded)
    {
        int stride = 1;
        if (padded >= 8)
        {
            First8(from, flips, to, padded);
            stride = 8;
        }
        else
            for (int i = 0; i < padded; i++) to[i] = from[i] ^ V.BroadcastBits(flips[i]);
        Passes(to, padded, stride);
    }

    /// <summary>
    /// The same for a single record of consecutive values; <paramref name="padded"/> is at least Count.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundOfOne(float* from, uint* flips, float* to, int padded)
    {
        for (int i = 0; i < padded; i += V.Count)
        {
            V v = V.Load(from + i) ^ V.Load((float*)flips + i);
            v = Within(Within(Within(v, 1), 2), 4);
            if (V.Count > 8) v = Within(v, 8);
            V.Store(v, to + i);
        }
        // From here on a whole register moves as one: its lanes are the low bits of the index.
        Passes((V*)to, padded / V.Count, 1);
    }

    /// <summary>
    /// Butterflies between lanes: a + b where the stride's bit is clear, a - b (as a + -b) where it is set.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Within(V v, int stride) => V.Exchange(v, stride) + (v ^ V.SignsOf(stride));

    static void Passes(V* v, int padded, int stride)
    {
        while (stride < padded)
            switch (padded / stride)
            {
                case 2:
                    Pass2(v, padded, stride);
                    stride *= 2;
                    break;
                case 4 or 16:
                    Pass4(v, padded, stride);
                    stride *= 4;
                    break;
                default:
                    Pass8(v, padded, stride);
                    stride *= 8;
                    break;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void First8(V* from, uint* flips, V* to, int padded)
    {
        for (V* end = from + padded; from != end; from += 8, flips += 8, to += 8)
        {
            V a = from[0] ^ V.BroadcastBits(flips[0]), b = from[1] ^ V.BroadcastBits(flips[1]);
            V c = from[2] ^ V.BroadcastBits(flips[2]), d = from[3] ^ V.BroadcastBits(flips[3]);
            V e = from[4] ^ V.BroadcastBits(flips[4]), f = from[5] ^ V.BroadcastBits(flips[5]);
            V g = from[6] ^ V.BroadcastBits(flips[6]), h = from[7] ^ V.BroadcastBits(flips[7]);
            (a, b, c, d, e, f, g, h) = (a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h);
            (a, c, b, d, e, g, f, h) = (a + c, a - c, b + d, b - d, e + g, e - g, f + h, f - h);
            (to[0], to[4], to[1], to[5]) = (a + e, a - e, b + f, b - f);
            (to[2], to[6], to[3], to[7]) = (c + g, c - g, d + h, d - h);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pass8(V* v, int padded, int stride)
    {
        for (V* group = v; group != v + padded; group += 8 * stride)
            for (V* p = group; p != group + stride; p++)
            {
                V a = p[0], b = p[stride], c = p[2 * stride], d = p[3 * stride];
                V e = p[4 * stride], f = p[5 * stride], g = p[6 * stride], h = p[7 * stride];
                (a, b, c, d, e, f, g, h) = (a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h);
                (a, c, b, d, e, g, f, h) = (a + c, a - c, b + d, b - d, e + g, e - g, f + h, f - h);
                (p[0], p[4 * stride], p[stride], p[5 * stride]) = (a + e, a - e, b + f, b - f);
                (p[2 * stride], p[6 * stride], p[3 * stride], p[7 * stride]) = (c + g, c - g, d + h, d - h);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pass4(V* v, int padded, int stride)
    {
        for (V* group = v; group != v + padded; group += 4 * stride)
            for (V* p = group; p != group + stride; p++)
            {
                V a = p[0], b = p[stride], c = p[2 * stride], d = p[3 * stride];
                (a, b, c, d) = (a + b, a - b, c + d, c - d);
                (p[0], p[2 * stride], p[stride], p[3 * stride]) = (a + c, a - c, b + d, b - d);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pass2(V* v, int padded, int stride)
    {
        for (V* group = v; group != v + padded; group += 2 * stride)
            for (V* p = group; p != group + stride; p++)
                (p[0], p[stride]) = (p[0] + p[stride], p[0] - p[stride]);
    }
}
