using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>Integer features of <see cref="SphericalMap"/>: products for a few records, then record by record.</summary>
static unsafe class SphericalSums<V, S, TTile>
    where V : unmanaged, ILanes<V>
    where S : unmanaged, ISixteen<S>
    where TTile : struct, ITile
{
    /// <summary>Sums of so many integers of size 2^30 are exact in fp64.</summary>
    const int RecordsPerItem = 128;

    const int Sixteen = 16;

    public static void Add(
        Workers workers, SphericalMap map, Panels? rows, Panels? gateRows, float* x, float* weights, int count, long* cells) =>
        workers.Run((count + RecordsPerItem - 1) / RecordsPerItem, (item, scratch) =>
        {
            int first = item * RecordsPerItem;
            float* own = weights == null ? null : weights + first;
            AddItem(workers, map, rows, gateRows, x + (nint)first * map.Rows.Dimension, own,
                Math.Min(RecordsPerItem, count - first), cells, scratch);
        });

    static void AddItem(Workers workers, SphericalMap map, Panels? rows, Panels? gateRows, float* x, float* weights,
        int count, long* cells, AlignedFloats scratch)
    {
        int d = map.Rows.Dimension, size = map.CellCount, padded = (size + Sixteen - 1) / Sixteen * Sixteen;
        int step = RowProducts<V, TTile>.LargestCount(map.Rows);
        nint stride = RowProducts<V, TTile>.Stride(map.Rows);
        AlignedFloats own = workers.Rent();
        double* sums = (double*)own.Take(2 * padded + padded + Sixteen + 2 * stride * step);
        float* features = (float*)(sums + padded), t = features + padded + Sixteen, u = t + stride * step;
        new Span<double>(sums, padded).Clear();
        for (int n = 0; n < count; n += step)
        {
            int few = Math.Min(step, count - n);
            float* from = x + (nint)n * d;
            RowProducts<V, TTile>.Compute(map.Rows, rows, from, few, t, stride, scratch);
            if (map.GateRows is { } gate) RowProducts<V, TTile>.Compute(gate, gateRows, from, few, u, stride, scratch);
            for (int r = 0; r < few; r++)
            {
                Fill(map, from + (nint)r * d, t + r * stride, u + r * stride, features, padded);
                if (weights != null) Weigh(weights[n + r], features, padded);
                AddRecord(map, features, size, sums);
            }
        }
        for (int j = 0; j < size; j++) Interlocked.Add(ref cells[j], (long)sums[j]);
        workers.Return(own);
    }

    /// <summary>The truncated features of one record as floats; behind the last one zeros up to <paramref name="padded"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Fill(SphericalMap map, float* x, float* t, float* u, float* features, int padded)
    {
        int m = map.Rows.Frequencies, d = map.Rows.Dimension;
        float* to = features + map.CommonCells;
        V scale = V.Broadcast(map.Scale), zero = V.Broadcast(0f), sizeBits = V.BroadcastBits(0x7FFFFFFF);
        // The last register of a part spills over into the next part, which is written later.
        if (map.Features == AngularFeatures.Sign)
        {
            features[0] = map.Constant;
            for (int j = 0; j < m; j += V.Count) V.Store(V.FlipSign(scale, V.Load(t + j) + zero), to + j);
        }
        else
        {
            for (int k = 0; k < d; k++) features[k] = (int)Math.Clamp(x[k] * map.Linear, -SphericalMap.Limit, SphericalMap.Limit);
            for (int j = 0; j < m; j += V.Count) V.Store(Truncated((V.Load(t + j) & sizeBits) * scale), to + j);
            if (map.Features == AngularFeatures.AbsoluteAndGated)
                for (int j = 0; j < m; j += V.Count)
                    V.Store(Truncated(V.FlipSign(V.Load(u + j), V.Load(t + j) + zero) * scale), to + m + j);
        }
        new Span<float>(features + map.CellCount, padded - map.CellCount).Clear();
    }

    /// <summary>
    /// Truncated features times a weight, truncated: they are integers, and fp32 numbers all the same.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Weigh(float weight, float* features, int padded)
    {
        V times = V.Broadcast(weight);
        for (int j = 0; j < padded; j += V.Count)
            V.Store(V.ToSingle(V.Truncate(V.Load(features + j) * times)), features + j);
    }

    /// <summary>Limited and truncated. Back in fp32 the integer is exact: it has no more digits than the product had.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Truncated(V product) => V.ToSingle(V.Truncate(
        V.Min(V.Max(product, V.Broadcast(-SphericalMap.Limit)), V.Broadcast(SphericalMap.Limit))));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddRecord(SphericalMap map, float* features, int size, double* sums)
    {
        S norms = default;
        for (int j = 0; j < size; j += Sixteen)
        {
            S v = S.Widen(features + j);
            norms = S.Fma(v, v, norms);
        }
        double* lanes = stackalloc double[Sixteen];
        S.Store(norms, lanes);
        double norm = 0;
        for (int l = 0; l < Sixteen; l++) norm += lanes[l];
        // A lane sums fewer than 2^15 squares, so the fp64 norm is right to 2^-37: below this the exact one is within the bound.
        if (norm > map.SquaredBound * (1 - 1.0 / (1L << 36)))
        {
            AddClamped(map, features, size, norm, sums);
            return;
        }
        for (int l = 0; l < Sixteen; l++) lanes[l] = 1;
        S ones = S.Load(lanes);
        for (int j = 0; j < size; j += Sixteen) S.Store(S.Fma(S.Widen(features + j), ones, S.Load(sums + j)), sums + j);
    }

    static void AddClamped(SphericalMap map, float* features, int size, double norm, double* sums)
    {
        // Beyond this the integers below might overflow.
        if (norm > 8.0 * map.SquaredBound) return;
        var v = new int[size];
        for (int j = 0; j < size; j++) v[j] = (int)features[j];
        if (NormClamp.SquaredNorm(v) > 4 * map.SquaredBound) return;
        NormClamp.Apply(v, map.SquaredBound);
        for (int j = 0; j < size; j++) sums[j] += v[j];
    }
}
