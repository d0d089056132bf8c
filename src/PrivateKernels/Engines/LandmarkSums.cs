using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// Landmark features of <see cref="LandmarkMap"/>, a panel of records at a time: strips of landmarks against the panel
/// give kernel values in the very order that strips of the triangle read them in.
/// </summary>
static unsafe class LandmarkSums<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    /// <summary>So few records are taken one by one: a panel costs as much as a dozen of them.</summary>
    const int FewRecords = 4;

    /// <summary>Rows of a strip that <see cref="Chain"/> can take, and what kernel values are padded to.</summary>
    const int Eight = 8, Sixteen = 16;

    static int TileSize => TTile.Rows * TTile.Columns;

    /// <summary>
    /// Adds the clamped integer features of <paramref name="count"/> records at <paramref name="x"/>, times their
    /// <paramref name="weights"/> if any.
    /// </summary>
    public static void Add(
        Workers workers, LandmarkMap map, LandmarkPanels panels, float* x, float* weights, int count, long* cells) =>
        workers.Run((count + TTile.Columns - 1) / TTile.Columns, (item, scratch) =>
        {
            int first = item * TTile.Columns, own = Math.Min(TTile.Columns, count - first);
            float* phi = Compute(map, panels, x + (nint)first * map.Dimension, own, scratch);
            if (weights == null) Truncate(phi, (nint)map.Count * TTile.Columns);
            else TruncateWeighted(phi, map.Count, weights + first, own);
            Clamp((int*)phi, map.Count, own);
            AddCells((int*)phi, map.Count, own, cells);
        });

    /// <summary>features[n D + i] = phi_i of record n, limited.</summary>
    public static void Features(
        Workers workers, LandmarkMap map, LandmarkPanels panels, float* x, int count, float* features)
    {
        int perItem = TTile.Rows == Eight && count <= FewRecords ? 1 : TTile.Columns;
        workers.Run((count + perItem - 1) / perItem, (item, scratch) =>
        {
            int first = item * perItem, own = Math.Min(perItem, count - first);
            float* from = x + (nint)first * map.Dimension, to = features + (nint)first * map.Count;
            if (perItem == 1)
                ComputeOne(map, panels, from, scratch, to);
            else
                Transposition.Copy(
                    Compute(map, panels, from, own, scratch), TTile.Columns, map.Count, own, to, map.Count);
        });
    }

    /// <summary>The same chains for a single record, the landmarks of a strip side by side.</summary>
    static void ComputeOne(LandmarkMap map, LandmarkPanels panels, float* x, AlignedFloats scratch, float* features)
    {
        int padded = (panels.Strips * Eight + Sixteen - 1) / Sixteen * Sixteen;
        float* kernel = scratch.Take(2 * padded), phi = kernel + padded;
        new Span<float>(kernel, 2 * padded).Clear();
        for (int strip = 0; strip < panels.Strips; strip++)
        {
            if (map.Function.Geometry == PairGeometry.L1)
                Chain<AbsoluteStep>(x, panels.Landmarks(strip), map.Dimension, kernel + strip * Eight);
            else
                Chain<SquareStep>(x, panels.Landmarks(strip), map.Dimension, kernel + strip * Eight);
        }
        map.Function.ApplyProfile(new Span<float>(kernel, padded));
        for (int strip = 0; strip < panels.Strips; strip++)
            Chain<ProductStep>(kernel, panels.Triangle(strip), panels.Depth(strip), phi + strip * Eight);
        Limit(phi, padded);
        new Span<float>(phi, map.Count).CopyTo(new Span<float>(features, map.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Chain<TStep>(float* values, float* strip, int depth, float* to)
        where TStep : struct, IStep
    {
        Vector256<float> sums = default;
        for (float* end = values + depth; values != end; values++, strip += Eight)
            sums = TStep.Next(sums, Vector256.Create(*values), Vector256.Load(strip));
        sums.Store(to);
    }

    /// <summary>
    /// phi[i Columns + r] of up to Columns records, limited; the columns behind the last record mean nothing.
    /// </summary>
    static float* Compute(LandmarkMap map, LandmarkPanels panels, float* x, int count, AlignedFloats scratch)
    {
        int d = map.Dimension;
        nint size = (nint)panels.Strips * TileSize;
        float* zeros = scratch.Take(TileSize + (nint)d * TTile.Columns + 2 * size);
        float* panel = zeros + TileSize, kernel = panel + (nint)d * TTile.Columns, phi = kernel + size;
        new Span<float>(zeros, TileSize).Clear();
        Panels.Pack(x, count, d, TTile.Columns, panel);
        for (int strip = 0; strip < panels.Strips; strip++)
        {
            float* to = kernel + (nint)strip * TileSize;
            if (map.Function.Geometry == PairGeometry.L1)
                TTile.Accumulate<AbsoluteStep>(panels.Landmarks(strip), panel, d, zeros, to);
            else
                TTile.Accumulate<SquareStep>(panels.Landmarks(strip), panel, d, zeros, to);
            map.Function.ApplyProfile(new Span<float>(to, TileSize));
        }
        for (int strip = 0; strip < panels.Strips; strip++)
            TTile.Accumulate<ProductStep>(
                panels.Triangle(strip), kernel, panels.Depth(strip), zeros, phi + (nint)strip * TileSize);
        Limit(phi, size);
        return phi;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Limit(float* values, nint count)
    {
        V upper = V.Broadcast(LandmarkMap.Limit), lower = V.Broadcast(-LandmarkMap.Limit);
        for (nint i = 0; i < count; i += V.Count) V.Store(V.Min(V.Max(V.Load(values + i), lower), upper), values + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Truncate(float* values, nint count)
    {
        V scale = V.Broadcast(LandmarkMap.Scale);
        for (nint i = 0; i < count; i += V.Count) V.Store(V.Truncate(V.Load(values + i) * scale), values + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TruncateWeighted(float* values, int features, float* weights, int count)
    {
        float* padded = stackalloc float[TTile.Columns];
        for (int r = 0; r < TTile.Columns; r++) padded[r] = r < count ? weights[r] : 0f;
        V scale = V.Broadcast(LandmarkMap.Scale);
        for (int i = 0; i < features; i++, values += TTile.Columns)
            for (int r = 0; r < TTile.Columns; r += V.Count)
                V.Store(V.Truncate(V.Load(values + r) * scale * V.Load(padded + r)), values + r);
    }

    /// <summary>Shortens the columns that are too long: few, for |phi| is at most 1 but for rounding.</summary>
    static void Clamp(int* v, int features, int count)
    {
        long* norms = stackalloc long[TTile.Columns];
        for (int r = 0; r < TTile.Columns; r++) norms[r] = 0;
        AddSquares(v, features, norms);
        for (int r = 0; r < count; r++)
        {
            if (norms[r] <= LandmarkMap.SquaredBound) continue;
            var column = new int[features];
            for (int i = 0; i < features; i++) column[i] = v[(nint)i * TTile.Columns + r];
            NormClamp.Apply(column, LandmarkMap.SquaredBound);
            for (int i = 0; i < features; i++) v[(nint)i * TTile.Columns + r] = column[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddSquares(int* v, int features, long* norms)
    {
        for (int i = 0; i < features; i++, v += TTile.Columns)
            for (int r = 0; r < TTile.Columns; r++) norms[r] += (long)v[r] * v[r];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddCells(int* v, int features, int count, long* cells)
    {
        for (int i = 0; i < features; i++, v += TTile.Columns)
        {
            long sum = 0;
            for (int r = 0; r < count; r++) sum += v[r];
            Interlocked.Add(ref cells[i], sum);
        }
    }
}
