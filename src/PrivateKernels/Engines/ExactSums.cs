using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Exact sums over public points. Distances come from differences, so nothing cancels, or from norms and inner products where
/// <see cref="ExpandedForm"/> allows it; they are summed in fp32 over at most 64 or 256 coordinates at a time.
/// </summary>
static unsafe class ExactSums<V, S, TTile>
    where V : unmanaged, ILanes<V>
    where S : struct, ISixteen<S>
    where TTile : struct, ITile
{
    const int DepthBlock = 64, ProductDepthBlock = 256;

    /// <summary>Panels whose values are added in fp32: 24 terms a lane.</summary>
    const int PanelsPerPiece = 8;

    const int MostItems = 4096, Lanes = SmoothProfile.Lanes;

    static int TileSize => TTile.Rows * TTile.Columns;

    public static void Add(
        Workers workers, PairFunction function, Points points, Points queries, Span<double> sums)
    {
        ExpandedForm? form = ExpandedForm.For(
            function, points, queries, (items, body) => workers.Run(items, (item, _) => body(item)));
        SmoothProfile? smooth = form is null ? null : function.Smooth;
        (ReadOnlyMemory<float> values, float[] norms) = form?.Apply(queries) ?? (queries.Values, []);
        fixed (float* x = points.Values.Span, y = values.Span, rowNorms = norms, center = form?.Center)
        fixed (double* to = sums)
        {
            var job = new Job(function, smooth, points.Dimension, rowNorms, center);
            Add(workers, job, x, points.Count, y, queries.Count, to);
        }
    }

    static void Add(Workers workers, Job job, float* x, int points, float* y, int queries, double* sums)
    {
        int perPiece = PanelsPerPiece * TTile.Columns, pieces = (points + perPiece - 1) / perPiece;
        int perItem = 1 + pieces / MostItems, items = (pieces + perItem - 1) / perItem;
        int d = job.Depth;
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
                AddPiece(job, x + (nint)first * d, count, strips, rows, scratch, own);
            }
        });
        for (int item = 0; item < items; item++)
            for (int q = 0; q < queries; q++) sums[q] += partial[item * queries + q];
        workers.Return(packed);
    }

    static void AddPiece(
        Job job, float* x, int points, float* strips, int rows, AlignedFloats scratch, Span<double> sums)
    {
        int queries = sums.Length, d = job.Depth;
        nint laneCount = (nint)(queries + rows - 1) / rows * rows * Lanes;
        float* zeros = scratch.Take(3 * (nint)TileSize + 2 * TTile.Columns + laneCount + (nint)d * TTile.Columns);
        float* block = zeros + TileSize, values = block + TileSize, norms = values + TileSize;
        float* counts = norms + TTile.Columns, lanes = counts + TTile.Columns, panel = lanes + laneCount;
        new Span<float>(zeros, TileSize).Clear();
        new Span<float>(lanes, (int)laneCount).Clear();
        for (int first = 0; first < points; first += TTile.Columns)
        {
            int columns = Math.Min(TTile.Columns, points - first);
            Panels.Pack(x + (nint)first * d, columns, d, TTile.Columns, panel);
            for (int c = 0; c < TTile.Columns; c++) counts[c] = c < columns ? 1f : 0f;
            if (job.Smooth is { } smooth)
            {
                Centre(panel, job.Center, d, norms);
                for (int q = 0; q < queries; q += rows)
                {
                    Distances<ProductStep>(
                        strips + (nint)q * d, rows, panel, d, zeros, block, values, ProductDepthBlock);
                    smooth.AddTile(values, Math.Min(rows, queries - q), TTile.Columns, job.Norms + q, norms, counts,
                        lanes + (nint)q * Lanes);
                }
                continue;
            }
            for (int q = 0; q < queries; q += rows)
            {
                float* strip = strips + (nint)q * d;
                if (job.Function.Geometry == PairGeometry.L1)
                    Distances<AbsoluteStep>(strip, rows, panel, d, zeros, block, values);
                else if (job.Function.Geometry == PairGeometry.InnerProduct)
                    Distances<ProductStep>(strip, rows, panel, d, zeros, block, values);
                else
                    Distances<SquareStep>(strip, rows, panel, d, zeros, block, values);
                job.Function.ApplyProfile(new Span<float>(values, rows * TTile.Columns));
                for (int r = 0; columns < TTile.Columns && r < rows; r++)
                    new Span<float>(values + r * TTile.Columns + columns, TTile.Columns - columns).Clear();
                AddRows(values, rows, lanes + (nint)q * Lanes);
            }
        }
        for (int q = 0; q < queries; q++)
            for (int l = 0; l < Lanes; l++) sums[q] += lanes[(nint)q * Lanes + l];
    }

    /// <summary>values[r Columns + c] = distance (or inner product) of row r and column c, in blocks of coordinates.</summary>
    static void Distances<TStep>(
        float* strip, int rows, float* panel, int d, float* zeros, float* block, float* values, int depthBlock = DepthBlock)
        where TStep : struct, IStep
    {
        for (int k = 0; k < d; k += depthBlock)
        {
            int depth = Math.Min(depthBlock, d - k);
            float* columns = panel + (nint)k * TTile.Columns, to = k == 0 ? values : block;
            if (rows == 1) TTile.AccumulateRow<TStep>(strip + k, columns, depth, to);
            else TTile.Accumulate<TStep>(strip + (nint)k * rows, columns, depth, zeros, to);
            for (int i = 0; k > 0 && i < rows * TTile.Columns; i += V.Count)
                V.Store(V.Load(values + i) + V.Load(block + i), values + i);
        }
    }

    /// <summary>Takes the centre from a panel of points; their squared lengths, summed in fp64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Centre(float* panel, float* center, int d, float* norms)
    {
        double* sums = stackalloc double[Lanes];
        for (int c = 0; c < TTile.Columns; c += Lanes)
        {
            S norm = default;
            float* column = panel + c;
            for (int k = 0; k < d; k++, column += TTile.Columns)
            {
                V own = V.Broadcast(center[k]);
                for (int l = 0; l < Lanes; l += V.Count) V.Store(V.Load(column + l) - own, column + l);
                S x = S.Widen(column);
                norm = S.Fma(x, x, norm);
            }
            S.Store(norm, sums);
            for (int l = 0; l < Lanes; l++) norms[c + l] = (float)sums[l];
        }
    }

    /// <summary>Adds each row of a tile to its lanes, in fp32: a piece adds few terms to each of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddRows(float* values, int rows, float* lanes)
    {
        for (int r = 0; r < rows; r++, values += TTile.Columns)
            for (int lane = 0; lane < Lanes; lane += V.Count, lanes += V.Count)
            {
                V sum = V.Load(lanes);
                for (int c = lane; c < TTile.Columns; c += Lanes) sum += V.Load(values + c);
                V.Store(sum, lanes);
            }
    }

    /// <summary>What all pieces of a call share; <paramref name="smooth"/> and pointers are null without the expanded form.</summary>
    readonly struct Job(PairFunction function, SmoothProfile? smooth, int depth, float* norms, float* center)
    {
        public readonly PairFunction Function = function;
        public readonly SmoothProfile? Smooth = smooth;
        public readonly int Depth = depth;

        /// <summary>[query] squared lengths.</summary>
        public readonly float* Norms = norms;

        /// <summary>[coordinate] what is taken from points.</summary>
        public readonly float* Center = center;
    }
}
