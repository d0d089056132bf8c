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

    /// <summary>Panels whose values are added in fp32: 24 terms a lane.</summary>
    const int PanelsPerPiece = 8;

    const int MostItems = 4096;

    static int TileSize => TTile.Rows * TTile.Columns;

    public static void Add(
        Workers workers, PairFunction function, float* x, int points, float* y, int queries, int d, double* sums)
    {
        int perPiece = PanelsPerPiece * TTile.Columns, pieces = (points + perPiece - 1) / perPiece;
        int perItem = 1 + pieces / MostItems, items = (pieces + perItem - 1) / perItem;
        // A query alone is taken as it is: seven more rows of zeros would cost seven times as much.
        int rows = queries == 1 ? 1 : TTile.Rows;
        AlignedFloats packed = workers.Rent();
        float* strips = packed.Take((nint)(queries + rows - 1) / rows * rows * d);
        for (int q = 0; q < queries; q += rows)
            Panels.Pack(y + (nint)q * d, Math.Min(rows, queries - q), d, rows, strips + (nint)q * d);
        // One partial sum per item and query, added in item order: the same bits for every number of threads.
        var partial = new double[items * queries];
        workers.Run(items, (item, scratch) =>
        {
            var own = partial.AsSpan(item * queries, queries);
            for (int piece = item * perItem; piece < Math.Min(pieces, (item + 1) * perItem); piece++)
            {
                int first = piece * perPiece, count = Math.Min(perPiece, points - first);
                AddPiece(function, x + (nint)first * d, count, strips, rows, d, scratch, own);
            }
        });
        for (int item = 0; item < items; item++)
            for (int q = 0; q < queries; q++) sums[q] += partial[item * queries + q];
        workers.Return(packed);
    }

    static void AddPiece(PairFunction function, float* x, int points, float* strips, int rows, int d,
        AlignedFloats scratch, Span<double> sums)
    {
        int queries = sums.Length, size = rows * TTile.Columns;
        nint laneCount = (nint)(queries + rows - 1) / rows * rows * V.Count;
        float* zeros = scratch.Take(3 * (nint)TileSize + laneCount + (nint)d * TTile.Columns);
        float* block = zeros + TileSize, values = block + TileSize;
        float* lanes = values + TileSize, panel = lanes + laneCount;
        new Span<float>(zeros, TileSize).Clear();
        new Span<float>(lanes, (int)laneCount).Clear();
        for (int first = 0; first < points; first += TTile.Columns)
        {
            int columns = Math.Min(TTile.Columns, points - first);
            Panels.Pack(x + (nint)first * d, columns, d, TTile.Columns, panel);
            for (int q = 0; q < queries; q += rows)
            {
                float* strip = strips + (nint)q * d;
                if (function.Geometry == PairGeometry.L1)
                    Distances<AbsoluteStep>(strip, rows, panel, d, zeros, block, values);
                else if (function.Geometry == PairGeometry.InnerProduct)
                    Distances<ProductStep>(strip, rows, panel, d, zeros, block, values);
                else
                    Distances<SquareStep>(strip, rows, panel, d, zeros, block, values);
                function.ApplyProfile(new Span<float>(values, size));
                for (int r = 0; columns < TTile.Columns && r < rows; r++)
                    new Span<float>(values + r * TTile.Columns + columns, TTile.Columns - columns).Clear();
                AddRows(values, rows, lanes + (nint)q * V.Count);
            }
        }
        for (int q = 0; q < queries; q++)
            for (int l = 0; l < V.Count; l++) sums[q] += lanes[(nint)q * V.Count + l];
    }

    /// <summary>values[r Columns + c] = distance (or inner product) of row r and column c, in blocks of coordinates.</summary>
    static void Distances<TStep>(
        float* strip, int rows, float* panel, int d, float* zeros, float* block, float* values)
        where TStep : struct, IStep
    {
        for (int k = 0; k < d; k += DepthBlock)
        {
            int depth = Math.Min(DepthBlock, d - k);
            float* columns = panel + (nint)k * TTile.Columns, to = k == 0 ? values : block;
            if (rows == 1) TTile.AccumulateRow<TStep>(strip + k, columns, depth, to);
            else TTile.Accumulate<TStep>(strip + (nint)k * rows, columns, depth, zeros, to);
            for (int i = 0; k > 0 && i < rows * TTile.Columns; i += V.Count)
                V.Store(V.Load(values + i) + V.Load(block + i), values + i);
        }
    }

    /// <summary>Adds each row of a tile to its lanes, in fp32: a piece adds few terms to each of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddRows(float* values, int rows, float* lanes)
    {
        for (int r = 0; r < rows; r++, lanes += V.Count)
        {
            V sum = V.Load(lanes);
            for (int c = 0; c < TTile.Columns; c += V.Count, values += V.Count) sum += V.Load(values);
            V.Store(sum, lanes);
        }
    }
}
