using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// Products of Fourier features, summed over records: the features of a chunk of records, then tiles of the triangle, a record
/// a step. A thread owns whole rows of tiles, so no sum is shared.
/// </summary>
static unsafe class SecondMomentSums<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    /// <summary>Records per int32 partial sum: 1023 2^20 is below 2^30.</summary>
    const int LargestChunk = 1023;

    static int TileSize => TTile.Rows * TTile.Columns;

    /// <summary>Adds the triangle of <paramref name="count"/> records at <paramref name="x"/>.</summary>
    public static void Add(
        Workers workers, FourierMap map, Panels? panels, float* x, int count, uint* flips, float* radii, long* cells)
    {
        int features = 2 * map.Frequencies;
        // Whole tiles, so that the last one reads zeros behind the features.
        nint padded = (features + TileSize - 1) / TileSize * TileSize;
        AlignedFloats memory = workers.Rent();
        for (int first = 0; first < count; first += LargestChunk)
        {
            int records = Math.Min(LargestChunk, count - first);
            float* strips = memory.Take(2 * padded * records), columns = strips + padded * records;
            new Span<float>(strips, checked((int)(2 * padded * records))).Clear();
            Fill(workers, map, panels, x + (nint)first * map.Dimension, records, flips, radii, strips, columns);
            workers.Run((features + TTile.Rows - 1) / TTile.Rows, (strip, scratch) =>
                AddRows(strip, features, records, strips, columns, scratch, cells));
        }
        workers.Return(memory);
    }

    /// <summary>strips[s][n][Rows] features times 2^-20, columns[p][n][Columns] features, both as integers truncate them.</summary>
    static void Fill(
        Workers workers, FourierMap map, Panels? panels, float* x, int records, uint* flips, float* radii, float* strips,
        float* columns)
    {
        int m = map.Frequencies, perItem = panels is null ? V.Count : TTile.Rows;
        nint stride = (m + TTile.Columns - 1) / TTile.Columns * TTile.Columns;
        workers.Run((records + perItem - 1) / perItem, (item, scratch) =>
        {
            int first = item * perItem, own = Math.Min(perItem, records - first);
            AlignedFloats features = workers.Rent();
            float* cos = features.Take(2 * stride * own), sin = cos + stride * own;
            float* from = x + (nint)first * map.Dimension;
            if (panels is null) StructuredFourier<V>.Features(map, from, own, flips, radii, cos, sin, stride, scratch);
            else DenseFourier<V, TTile>.Features(map, panels, from, own, cos, sin, stride, scratch);
            for (int n = 0; n < own; n++)
            {
                float* c = cos + n * stride, s = sin + n * stride;
                for (int k = 0; k < m; k++) (c[k], s[k]) = ((int)c[k], (int)s[k]);
                Cut(c, s, m, first + n, records, TTile.Rows, 1f / (1 << 20), strips);
                Cut(c, s, m, first + n, records, TTile.Columns, 1f, columns);
            }
            workers.Return(features);
        });
    }

    /// <summary>to[part][record][width] = a record's features, cosines then sines, times a power of two.</summary>
    static void Cut(float* cos, float* sin, int m, int record, int records, int width, float factor, float* to)
    {
        to += (nint)record * width;
        for (int k = 0; k < 2 * m; to += (nint)records * width)
            for (int column = 0; column < width && k < 2 * m; column++, k++) to[column] = (k < m ? cos[k] : sin[k - m]) * factor;
    }

    /// <summary>Adds the rows of one strip, from the diagonal on.</summary>
    static void AddRows(int strip, int features, int records, float* strips, float* columns, AlignedFloats scratch, long* cells)
    {
        float* zeros = scratch.Take(2 * TileSize), tile = zeros + TileSize;
        new Span<float>(zeros, TileSize).Clear();
        int top = strip * TTile.Rows;
        for (int left = top / TTile.Columns * TTile.Columns; left < features; left += TTile.Columns)
        {
            TTile.Accumulate<TruncatedStep>(
                strips + (nint)top * records, columns + (nint)left * records, records, zeros, tile);
            for (int i = top; i < Math.Min(features, top + TTile.Rows); i++)
            {
                int* sums = (int*)tile + (i - top) * TTile.Columns;
                long* row = cells + ((nint)features * i - (nint)i * (i - 1) / 2 - i);
                for (int j = Math.Max(i, left); j < Math.Min(features, left + TTile.Columns); j++) row[j] += sums[j - left];
            }
        }
    }
}

/// <summary>sum + trunc(x y), sums as int32 in the bits.</summary>
readonly struct TruncatedStep : IStep
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y) =>
        (sum.AsInt32() + Vector512.ConvertToInt32Native(x * y)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y) =>
        (sum.AsInt32() + Vector256.ConvertToInt32Native(x * y)).AsSingle();
}
