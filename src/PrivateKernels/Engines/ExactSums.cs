using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Exact sums over public points. Distances come from differences, never from norms and inner products, so nothing
/// cancels; they are summed in fp32 over at most 64 coordinates at a time.
/// </summary>
static unsafe class ExactSums<V, TTile>
    where V : unmanaged, ILanes<V>
    where TTile : struct, ITile
{
    const int DepthBlock = 64;
    const int PanelsPerItem = 8;

    static int TileSize => TTile.Rows * TTile.Columns;

    public static void Add(
        Workers workers, PairFunction function, float* x, int points, float* y, int queries, int d, double* sums)
    {
        int perItem = PanelsPerItem * TTile.Columns, items = (points + perItem - 1) / perItem;
        AlignedFloats packedQueries = workers.Rent();
        int strips = (queries + TTile.Rows - 1) / TTile.Rows;
        float* strip = packedQueries.Take((nint)strips * TTile.Rows * d);
        for (int s = 0; s < strips; s++)
        {
            nint at = (nint)s * TTile.Rows * d;
            Panels.Pack(y + at, Math.Min(TTile.Rows, queries - s * TTile.Rows), d, TTile.Rows, strip + at);
        }
        // One partial sum per item and query, added in item order: the same bits for every number of threads.
        var partial = new double[(long)items * queries];
        workers.Run(items, (item, scratch) =>
        {
            int first = item * perItem;
            AddItem(function, x + (nint)first * d, Math.Min(perItem, points - first), strip, queries, d, scratch,
                partial.AsSpan(item * queries, queries));
        });
        for (int item = 0; item < items; item++)
            for (int q = 0; q < queries; q++) sums[q] += partial[(long)item * queries + q];
        workers.Return(packedQueries);
    }

    static void AddItem(PairFunction function, float* x, int points, float* strips, int queries, int d,
        AlignedFloats scratch, Span<double> sums)
    {
        int strip = TTile.Rows * d, rows = (queries + TTile.Rows - 1) / TTile.Rows * TTile.Rows;
        float* zeros = scratch.Take(3 * (nint)TileSize + (nint)d * TTile.Columns + (nint)rows * V.Count);
        float* block = zeros + TileSize, values = block + TileSize, lanes = values + TileSize;
        float* panel = lanes + (nint)rows * V.Count;
        Unsafe.InitBlock(zeros, 0, (uint)TileSize * sizeof(float));
        new Span<float>(lanes, rows * V.Count).Clear();
        for (int first = 0; first < points; first += TTile.Columns)
        {
            int columns = Math.Min(TTile.Columns, points - first);
            Panels.Pack(x + (nint)first * d, columns, d, TTile.Columns, panel);
            for (int q = 0; q < queries; q += TTile.Rows)
            {
                Distances(function.Geometry, strips + (nint)(q / TTile.Rows) * strip, panel, d, zeros, block, values);
                function.ApplyProfile(new Span<float>(values, TileSize));
                for (int r = 0; columns < TTile.Columns && r < TTile.Rows; r++)
                    new Span<float>(values + r * TTile.Columns + columns, TTile.Columns - columns).Clear();
                AddRows(values, lanes + (nint)q * V.Count);
            }
        }
        for (int q = 0; q < queries; q++)
            for (int l = 0; l < V.Count; l++) sums[q] += lanes[(nint)q * V.Count + l];
    }

    /// <summary>Adds each row of a tile to its lanes, in fp32: an item adds at most PanelsPerItem Columns / Count terms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddRows(float* values, float* lanes)
    {
        for (int r = 0; r < TTile.Rows; r++, lanes += V.Count)
        {
            V sum = V.Load(lanes);
            for (int c = 0; c < TTile.Columns; c += V.Count, values += V.Count) sum += V.Load(values);
            V.Store(sum, lanes);
        }
    }

    static void Distances(PairGeometry geometry, float* strip, float* panel, int d, float* zeros, float* block, float* values)
    {
        for (int k = 0; k < d; k += DepthBlock)
        {
            int depth = Math.Min(DepthBlock, d - k);
            float* rows = strip + (nint)k * TTile.Rows, columns = panel + (nint)k * TTile.Columns, to = k == 0 ? values : block;
            if (geometry == PairGeometry.L1) TTile.Accumulate<AbsoluteStep>(rows, columns, depth, zeros, to);
            else TTile.Accumulate<SquareStep>(rows, columns, depth, zeros, to);
            if (k > 0)
                for (int i = 0; i < TileSize; i += V.Count) V.Store(V.Load(values + i) + V.Load(block + i), values + i);
        }
    }
}
