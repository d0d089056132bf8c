using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>Integer powers of <see cref="PowerMap"/>: a register of coordinates at a time, record after record.</summary>
static unsafe class PowerMoments<V>
    where V : unmanaged, ILanes<V>
{
    const int RecordsPerItem = 8192;

    /// <summary>Records whose cells, at most 2^20 each, an int32 holds.</summary>
    const int RecordsPerSum = 2047;

    public static void Add(Workers workers, PowerMap map, float* x, float* weights, int count, long* cells)
    {
        int groups = (map.Dimension + V.Count - 1) / V.Count, chunks = (count + RecordsPerItem - 1) / RecordsPerItem;
        workers.Run(groups * chunks, (item, scratch) =>
        {
            int first = item % groups * V.Count, width = Math.Min(V.Count, map.Dimension - first), p = map.Weights.Length;
            int from = item / groups * RecordsPerItem, to = Math.Min(count, from + RecordsPerItem);
            float* memory = scratch.Take((p + 1) * V.Count);
            for (; from < to; from += RecordsPerSum)
            {
                int records = Math.Min(RecordsPerSum, to - from);
                float* own = weights == null ? null : weights + from;
                AddRecords(map, x + (nint)from * map.Dimension + first, own, width, records, memory);
                int* sums = (int*)(memory + V.Count);
                for (int i = 0; i < width; i++)
                    for (int k = 0; k < p; k++)
                        Interlocked.Add(ref cells[(nint)(first + i) * p + k], sums[k * V.Count + i]);
            }
        });
    }

    /// <summary>memory: a register of room, then for each power a register of int32 sums, set here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddRecords(PowerMap map, float* x, float* weights, int width, int count, float* memory)
    {
        float* sums = memory + V.Count;
        int p = map.Weights.Length;
        V lower = V.Broadcast(map.Lower), upper = V.Broadcast(map.Upper), center = V.Broadcast(map.Center);
        V scale = V.Broadcast(map.Scale), one = V.Broadcast(1f), minusOne = V.Broadcast(-1f);
        for (int k = 0; k < p; k++) V.Store(V.BroadcastBits(0), sums + k * V.Count);
        for (int i = 0; i < V.Count; i++) memory[i] = map.Center;
        for (int n = 0; n < count; n++, x += map.Dimension)
        {
            for (int i = 0; i < width && width < V.Count; i++) memory[i] = x[i];
            V value = V.Load(width < V.Count ? memory : x);
            V t = V.Min(V.Max((V.Min(V.Max(value, lower), upper) - center) * scale, minusOne), one), u = t;
            // Times 1 changes no bit.
            V weight = V.Broadcast(weights == null ? 1f : weights[n]);
            for (int k = 0; k < p; k++, u *= t)
            {
                V cell = V.Truncate(u * V.Broadcast(map.Weights[k]) * weight);
                V.Store(V.AddIntegers(V.Load(sums + k * V.Count), cell), sums + k * V.Count);
            }
        }
    }
}
