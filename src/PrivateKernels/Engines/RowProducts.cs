using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>Products of the rows of a map with up to <see cref="LargestCount"/> points: the phases, without cosine and sine.</summary>
static unsafe class RowProducts<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    /// <summary>Points per call.</summary>
    public static int LargestCount(FourierMap map) => map.IsStructured ? V.Count : TTile.Rows;

    /// <summary>Floats from one point's products to the next one's, at least.</summary>
    public static nint Stride(FourierMap map) => (map.Frequencies + TTile.Columns - 1) / TTile.Columns * TTile.Columns;

    /// <summary>to[n m + j] = t_j of point n, for any number of points.</summary>
    public static void Multiply(Workers workers, FourierMap map, Panels? panels, float* x, int count, float* to)
    {
        int m = map.Frequencies, step = LargestCount(map);
        nint stride = Stride(map);
        workers.Run((count + step - 1) / step, (item, scratch) =>
        {
            int first = item * step, few = Math.Min(step, count - first);
            AlignedFloats own = workers.Rent();
            float* t = own.Take(stride * few);
            Compute(map, panels, x + (nint)first * map.Dimension, few, t, stride, scratch);
            for (int n = 0; n < few; n++)
                new Span<float>(t + n * stride, m).CopyTo(new Span<float>(to + (nint)(first + n) * m, m));
            workers.Return(own);
        });
    }

    /// <summary>to[n stride + j] = t_j of point n. What lies behind the m-th product of a point is not defined.</summary>
    public static void Compute(FourierMap map, Panels? panels, float* x, int count, float* to, nint stride, AlignedFloats scratch)
    {
        if (map.IsStructured) Structured(map, x, count, to, stride, scratch);
        else Dense(map, panels!, x, count, to, stride, scratch);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Structured(FourierMap map, float* x, int count, float* to, nint stride, AlignedFloats scratch)
    {
        int m = map.Frequencies, padded = map.Padded;
        V* lanes = (V*)scratch.Take(2 * (nint)padded * V.Count), v = lanes + padded;
        StructuredFourier<V>.PackGroup(x, count, map.Dimension, lanes, padded);
        fixed (uint* flips = map.Flips)
        fixed (float* radii = map.Radii)
            for (int first = 0; first < m; first += padded)
            {
                StructuredFourier<V>.Rotate(lanes, flips + (nint)first * 3, v, padded);
                int rows = Math.Min(padded, m - first);
                for (int i = 0; i < rows; i++) v[i] = V.Broadcast(radii[first + i]) * v[i];
                Transposition.Copy((float*)v, V.Count, rows, count, to + first, stride);
            }
    }

    static void Dense(FourierMap map, Panels panels, float* x, int count, float* to, nint stride, AlignedFloats scratch)
    {
        int d = map.Dimension, tileSize = TTile.Rows * TTile.Columns;
        float* zeros = scratch.Take(2 * (nint)tileSize + (nint)d * TTile.Rows), tile = zeros + tileSize, strip = tile + tileSize;
        Unsafe.InitBlock(zeros, 0, (uint)tileSize * sizeof(float));
        Panels.Pack(x, count, d, TTile.Rows, strip);
        for (int panel = 0; panel < panels.Count; panel++)
        {
            TTile.Accumulate<ProductStep>(strip, panels.Start + panel * panels.Stride, d, zeros, tile);
            for (int n = 0; n < count; n++)
                new Span<float>(tile + n * TTile.Columns, TTile.Columns).CopyTo(
                    new Span<float>(to + n * stride + panel * TTile.Columns, TTile.Columns));
        }
    }
}
