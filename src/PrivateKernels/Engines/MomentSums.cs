using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Integer moments of <see cref="MomentMap"/>, a record at a time: the norm clamp looks at a whole record.
/// </summary>
static unsafe class MomentSums<V>
    where V : unmanaged, ILanes<V>
{
    const int RecordsPerItem = 256;
    const float Limit = 4194304f;

    public static void Add(
        Workers workers, MomentMap map, float* x, float* weights, int count, float* center, long* cells) =>
        workers.Run((count + RecordsPerItem - 1) / RecordsPerItem, (item, scratch) =>
        {
            int d = map.Dimension, first = item * RecordsPerItem, size = d + 2;
            float* z = scratch.Take(d + size + 1 + 2 * size);
            int* v = (int*)(z + d);
            // The int64 sums lie behind, at an even index.
            long* sums = (long*)(z + (d + size + 1) / 2 * 2);
            new Span<long>(sums, size).Clear();
            for (int n = first; n < Math.Min(count, first + RecordsPerItem); n++)
            {
                float* record = x + (nint)n * d;
                // Times 1 changes no bit.
                float weight = weights == null ? 1f : weights[n];
                v[0] = (int)(map.Constant * weight);
                Scale(record, center, d, map.Linear, weight, z, v + 1);
                v[d + 1] = (int)(Math.Clamp(SquaredNorm(z, d) * map.Square, -Limit, Limit) * weight);
                NormClamp.Apply(new Span<int>(v, size), map.SquaredBound);
                for (int j = 0; j < size; j++) sums[j] += v[j];
            }
            for (int j = 0; j < size; j++) Interlocked.Add(ref cells[j], sums[j]);
        });

    /// <summary>z = x - center; v = z linear, limited, times the weight, truncated.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scale(float* x, float* center, int d, float linear, float weight, float* z, int* v)
    {
        V factor = V.Broadcast(linear), times = V.Broadcast(weight), upper = V.Broadcast(Limit), lower = V.Broadcast(-Limit);
        int k = 0;
        for (; k + V.Count <= d; k += V.Count)
        {
            V difference = V.Load(x + k) - V.Load(center + k);
            V.Store(difference, z + k);
            V.Store(V.Truncate(V.Min(V.Max(difference * factor, lower), upper) * times), (float*)v + k);
        }
        for (; k < d; k++)
        {
            z[k] = x[k] - center[k];
            v[k] = (int)(Math.Clamp(z[k] * linear, -Limit, Limit) * weight);
        }
    }

    /// <summary>One fused multiply-add chain, k rising: the recipe leaves nothing to share out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float SquaredNorm(float* z, int d)
    {
        float q = 0f;
        for (int k = 0; k < d; k++) q = MathF.FusedMultiplyAdd(z[k], z[k], q);
        return q;
    }
}
