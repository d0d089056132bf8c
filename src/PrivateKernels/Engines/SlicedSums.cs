using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Histograms of <see cref="SlicedMap"/>, batch by batch: positions record by record, because a long record is shrunk as a
/// whole; then a thread owns whole directions, so nothing is kept twice.
/// </summary>
static unsafe class SlicedSums<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    const int RecordsPerBatch = 512, RowsPerItem = 64;
    const int SideBit = int.MinValue;

    public static void Add(
        Workers workers, SlicedMap map, Panels? panels, float* x, float* weights, int count, long* packed, long* groups)
    {
        int k = map.Rows.Frequencies, d = map.Rows.Dimension, step = RowProducts<V, TTile>.LargestCount(map.Rows);
        nint stride = RowProducts<V, TTile>.Stride(map.Rows);
        AlignedFloats batch = workers.Rent();
        int* positions = (int*)batch.Take(stride * Math.Min(count, RecordsPerBatch));
        for (int first = 0; first < count; first += RecordsPerBatch)
        {
            int records = Math.Min(RecordsPerBatch, count - first);
            float* from = x + (nint)first * d, own = weights == null ? null : weights + first;
            workers.Run((records + step - 1) / step, (item, scratch) =>
            {
                int n = item * step, few = Math.Min(step, records - n);
                float* t = (float*)positions + n * stride;
                RowProducts<V, TTile>.Compute(map.Rows, panels, from + (nint)n * d, few, t, stride, scratch);
                for (int r = 0; r < few; r++)
                    Place(map, t + r * stride, own == null ? SlicedMap.CellSize : SlicedMap.WeightOf(own[n + r]), groups);
            });
            workers.Run((k + RowsPerItem - 1) / RowsPerItem, (item, _) =>
            {
                int row = item * RowsPerItem, rows = Math.Min(RowsPerItem, k - row);
                long* to = packed + (nint)row * SlicedMap.CellsPerRow;
                if (own == null) Bin(positions + row, stride, records, rows, to);
                else BinWeighted(positions + row, own, stride, records, rows, to);
            });
        }
        workers.Return(batch);
    }

    /// <summary>
    /// Turns the products of a record into positions with the side as top bit, and adds its group terms, times
    /// <paramref name="weight"/> in units of 1 / 4096.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Place(SlicedMap map, float* t, int weight, long* groups)
    {
        int k = map.Rows.Frequencies, groupCount = map.Rows.Groups, perGroup = k / groupCount;
        V largest = V.Broadcast(SlicedMap.LargestPosition), zero = V.Broadcast(0f);
        V sizeBits = V.BroadcastBits(0x7FFFFFFF), signBit = V.BroadcastBits(0x80000000);
        for (int j = 0; j < k; j += V.Count)
        {
            V product = V.Load(t + j);
            V.Store(V.Truncate(V.Min(product & sizeBits, largest)) ^ ((product + zero) & signBit), t + j);
        }
        int* q = (int*)t;
        Span<long> sums = stackalloc long[groupCount], terms = stackalloc long[groupCount];
        Sum(q, perGroup, sums);
        long norm = map.GroupTerms(sums, terms);
        if (norm > (long)map.LargestNorm * map.LargestNorm)
        {
            long factor = map.Factor(norm);
            for (int j = 0; j < k; j++) q[j] = (q[j] & SideBit) | (int)((q[j] & ~SideBit) * factor >> 30);
            Sum(q, perGroup, sums);
            // By the proof of the map this cannot be above the bound: a record for which it were adds nothing.
            if (map.GroupTerms(sums, terms) > (long)map.LargestNorm * map.LargestNorm)
            {
                new Span<int>(q, k).Clear();
                terms.Clear();
            }
        }
        for (int g = 0; g < groupCount; g++) Interlocked.Add(ref groups[g], terms[g] * weight / SlicedMap.CellSize);
    }

    static void Sum(int* q, int perGroup, Span<long> sums)
    {
        for (int g = 0; g < sums.Length; g++)
        {
            long sum = 0;
            for (int j = 0; j < perGroup; j++) sum += *q++ & ~SideBit;
            sums[g] = sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Bin(int* positions, nint stride, int records, int rows, long* packed)
    {
        for (int n = 0; n < records; n++, positions += stride)
            for (int j = 0; j < rows; j++)
            {
                int q = positions[j], size = q & ~SideBit;
                int cell = (q < 0 ? SlicedMap.CellsPerSide : 0) + (size >> SlicedMap.CellShift);
                packed[j * SlicedMap.CellsPerRow + cell] += SlicedMap.Record + (size & (SlicedMap.CellSize - 1));
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void BinWeighted(int* positions, float* weights, nint stride, int records, int rows, long* packed)
    {
        for (int n = 0; n < records; n++, positions += stride)
        {
            int weight = SlicedMap.WeightOf(weights[n]);
            for (int j = 0; j < rows; j++)
            {
                int q = positions[j], size = q & ~SideBit;
                int cell = (q < 0 ? SlicedMap.CellsPerSide : 0) + (size >> SlicedMap.CellShift);
                int place = (size & (SlicedMap.CellSize - 1)) * weight / SlicedMap.CellSize;
                packed[j * SlicedMap.CellsPerRow + cell] += weight * SlicedMap.WeightedRecord + place;
            }
        }
    }
}
