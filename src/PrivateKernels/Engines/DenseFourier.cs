using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Fourier features of dense frequencies. A tile of phases is one fused multiply-add chain per record and frequency,
/// k rising; cosines, sines, truncation and the column sums follow while the tile is in the first-level cache.
/// </summary>
static unsafe class DenseFourier<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    /// <summary>Records per int32 partial sum: 1023 2^20 is below 2^30.</summary>
    const int LargestChunk = 1023;

    /// <summary>Coordinates per pass over a chunk: a panel of them stays in the second-level cache.</summary>
    const int DepthBlock = 4096;

    /// <summary>Floats of packed records that share a chunk.</summary>
    const int ChunkFloats = 1 << 22;

    static int TileSize => TTile.Rows * TTile.Columns;

    /// <summary>
    /// Adds the cells of <paramref name="count"/> records at <paramref name="x"/>, times their <paramref name="weights"/> if any.
    /// </summary>
    public static void Add(
        Workers workers, FourierMap map, Panels panels, float* x, float* weights, int count, long* cells)
    {
        int d = map.Dimension, m = map.Frequencies;
        int chunkStrips = Math.Max(1, Math.Min(LargestChunk, ChunkFloats / d) / TTile.Rows);
        int chunkRecords = chunkStrips * TTile.Rows;
        int batch = chunkRecords * workers.ChunksAtATime(panels.Count, (long)chunkRecords * d);
        AlignedFloats packed = workers.Rent();
        for (int first = 0; first < count; first += batch)
        {
            int records = Math.Min(batch, count - first);
            int chunks = (records + chunkRecords - 1) / chunkRecords;
            float* from = x + (nint)first * d;
            float* strips = PackStrips(workers, from, records, d, packed);
            // The item order keeps a chunk of records in cache while all panels pass by.
            workers.Run(chunks * panels.Count, (item, scratch) =>
            {
                (int chunk, int panel) = Math.DivRem(item, panels.Count);
                int firstRecord = chunk * chunkRecords, own = Math.Min(chunkRecords, records - firstRecord);
                int columns = Math.Min(TTile.Columns, m - panel * TTile.Columns);
                float* frequencies = panels.Start + panel * panels.Stride;
                float* ownWeights = weights == null ? null : weights + first + firstRecord;
                int* sums = SumChunk(strips + (nint)firstRecord * d, ownWeights, own, d, frequencies, scratch);
                long* cos = cells + panel * TTile.Columns, sin = cos + m;
                for (int j = 0; j < columns; j++)
                {
                    Interlocked.Add(ref cos[j], sums[j]);
                    Interlocked.Add(ref sin[j], sums[TTile.Columns + j]);
                }
            });
        }
        workers.Return(packed);
    }

    /// <summary>
    /// A cos and A sin of up to Rows queries: cos[q stride + j], sin alike, j up to a multiple of Columns.
    /// </summary>
    public static void Features(
        FourierMap map, Panels panels, float* x, int count, float* cos, float* sin, nint stride, AlignedFloats scratch)
    {
        int d = map.Dimension;
        float* zeros = scratch.Take(2 * TileSize + (nint)d * TTile.Rows), tile = zeros + TileSize;
        float* strip = tile + TileSize;
        Unsafe.InitBlock(zeros, 0, (uint)TileSize * sizeof(float));
        bool alone = count == 1;
        if (!alone) Panels.Pack(x, count, d, TTile.Rows, strip);
        for (int panel = 0; panel < panels.Count; panel++)
        {
            float* columns = panels.Start + panel * panels.Stride;
            if (alone) TTile.AccumulateRow<ProductStep>(x, columns, d, tile);
            else TTile.Accumulate<ProductStep>(strip, columns, d, zeros, tile);
            for (int q = 0; q < count; q++)
                for (int c = 0; c < TTile.Columns; c += V.Count)
                {
                    nint at = q * stride + panel * TTile.Columns + c;
                    (V a, V b) = Phase.Scaled(V.Load(tile + q * TTile.Columns + c));
                    V.Store(a, cos + at);
                    V.Store(b, sin + at);
                }
        }
    }

    static float* PackStrips(Workers workers, float* x, int records, int d, AlignedFloats packed)
    {
        const int StripsPerItem = 16;
        int strips = (records + TTile.Rows - 1) / TTile.Rows;
        float* to = packed.Take((nint)strips * TTile.Rows * d);
        workers.Run((strips + StripsPerItem - 1) / StripsPerItem, (item, _) =>
        {
            for (int s = item * StripsPerItem; s < Math.Min(strips, (item + 1) * StripsPerItem); s++)
            {
                nint at = (nint)s * TTile.Rows * d;
                Panels.Pack(x + at, Math.Min(TTile.Rows, records - s * TTile.Rows), d, TTile.Rows, to + at);
            }
        });
        return to;
    }

    /// <summary>Column sums of the cells of one chunk against one panel: Columns cosines, then Columns sines.</summary>
    static int* SumChunk(float* records, float* weights, int count, int d, float* columns, AlignedFloats scratch)
    {
        int strips = (count + TTile.Rows - 1) / TTile.Rows;
        int tiles = d <= DepthBlock ? 1 : strips;
        float* zeros = scratch.Take((tiles + 1) * (nint)TileSize + 2 * TTile.Columns);
        float* tile = zeros + TileSize;
        int* sums = (int*)(tile + (nint)tiles * TileSize);
        Unsafe.InitBlock(zeros, 0, (uint)TileSize * sizeof(float));
        Unsafe.InitBlock(sums, 0, (uint)TTile.Columns * 2 * sizeof(int));
        for (int k = 0; k < d; k += DepthBlock)
        {
            int depth = Math.Min(DepthBlock, d - k);
            for (int s = 0; s < strips; s++)
            {
                float* strip = records + ((nint)s * d + k) * TTile.Rows;
                float* own = tile + (tiles == 1 ? 0 : (nint)s * TileSize), from = k == 0 ? zeros : own;
                TTile.Accumulate<ProductStep>(strip, columns + (nint)k * TTile.Columns, depth, from, own);
                if (k + depth != d) continue;
                int rows = Math.Min(TTile.Rows, count - s * TTile.Rows);
                if (weights == null) AddCells(own, rows, sums);
                else AddWeighted(own, weights + s * TTile.Rows, rows, sums);
            }
        }
        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void AddCells(float* tile, int rows, int* sums)
    {
        for (int c = 0; c < TTile.Columns; c += V.Count)
        {
            V cosines = V.Load((float*)sums + c), sines = V.Load((float*)sums + TTile.Columns + c);
            for (int r = 0; r < rows; r++)
            {
                (V cos, V sin) = Phase.Scaled(V.Load(tile + r * TTile.Columns + c));
                cosines = V.AddIntegers(cosines, V.Truncate(cos));
                sines = V.AddIntegers(sines, V.Truncate(sin));
            }
            V.Store(cosines, (float*)sums + c);
            V.Store(sines, (float*)sums + TTile.Columns + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddWeighted(float* tile, float* weights, int rows, int* sums)
    {
        for (int c = 0; c < TTile.Columns; c += V.Count)
        {
            V cosines = V.Load((float*)sums + c), sines = V.Load((float*)sums + TTile.Columns + c);
            for (int r = 0; r < rows; r++)
            {
                (V cos, V sin) = Phase.Scaled(V.Load(tile + r * TTile.Columns + c));
                V weight = V.Broadcast(weights[r]);
                cosines = V.AddIntegers(cosines, V.Truncate(cos * weight));
                sines = V.AddIntegers(sines, V.Truncate(sin * weight));
            }
            V.Store(cosines, (float*)sums + c);
            V.Store(sines, (float*)sums + TTile.Columns + c);
        }
    }
}
