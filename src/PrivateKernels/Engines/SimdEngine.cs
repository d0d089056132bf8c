using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// The processor's vector units: AVX-512 where there is one, otherwise registers of eight lanes (AVX2, or whatever the
/// runtime makes of them). One text serves all widths, and all give the same bits.
/// </summary>
/// <remarks>
/// Guarantee: what a record adds to Fourier cells is <see cref="Phase.Cells"/> of its phases, each of them one chain of
/// operations that neither batch nor thread nor tile can reorder; int32 partial sums hold at most 1023 values of at
/// most 2^20, so none overflows before it is added to the int64 cells.
/// </remarks>
public sealed unsafe class SimdEngine : IEngine
{
    readonly Workers _workers;
    readonly bool _wide;
    readonly ConditionalWeakTable<FourierMap, Panels> _panels = [];
    readonly ConditionalWeakTable<LandmarkMap, LandmarkPanels> _landmarkPanels = [];

    /// <param name="threads">Threads per call, the caller's included; 0 = one per logical processor.</param>
    public SimdEngine(int threads = 0)
        : this(threads, Vector512.IsHardwareAccelerated)
    {
    }

    internal SimdEngine(int threads, bool wide)
    {
        if (threads is < 0 or > 4096)
            throw new InvalidFieldException("threads", threads, "must be between 0 and 4096");
        (_wide, _workers) = (wide, new Workers(threads == 0 ? Environment.ProcessorCount : threads));
    }

    public EngineKind Kind => EngineKind.Simd;

    public string Device
    {
        get
        {
            string lanes = _wide ? "AVX-512" : Vector256.IsHardwareAccelerated ? "AVX2" : "portable";
            return $"{lanes}, {_workers.Count} threads";
        }
    }

    public void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == 2 * map.Frequencies, nameof(cells));
        if (_wide) AddFourier<Lanes16, Tile8x48>(map, points, cells);
        else AddFourier<Lanes8, Tile6x16>(map, points, cells);
    }

    public void AddSecondMoments(FourierMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == SecondMoments.CellsOf(map.Frequencies), nameof(cells));
        Panels? panels = map.IsStructured ? null : PanelsOf(map);
        fixed (float* x = points.Values.Span, radii = map.Radii)
        fixed (uint* flips = map.Flips)
        fixed (long* to = cells)
        {
            if (_wide) SecondMomentSums<Lanes16, Tile8x48>.Add(_workers, map, panels, x, points.Count, flips, radii, to);
            else SecondMomentSums<Lanes8, Tile6x16>.Add(_workers, map, panels, x, points.Count, flips, radii, to);
        }
    }

    public void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
    {
        Expect(queries.Dimension == map.Dimension, nameof(queries));
        Expect(weights.Length == 2L * map.Frequencies * columns, nameof(weights));
        Expect(sums.Length == (long)queries.Count * columns * map.Groups, nameof(sums));
        if (_wide) ProjectFourier<Lanes16, Tile8x48, Sixteen512>(map, queries, weights, columns, sums);
        else ProjectFourier<Lanes8, Tile6x16, Sixteen256>(map, queries, weights, columns, sums);
    }

    public void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(counts.Length == map.Dimension * map.CellsPerCoordinate, nameof(counts));
        Expect(fractions.Length == counts.Length, nameof(fractions));
        fixed (float* x = points.Values.Span, w = points.Weights.Span)
        fixed (long* c = counts, f = fractions)
        {
            if (_wide) SignHistogram<Lanes16>.Add(_workers, map, x, w, points.Count, c, f);
            else SignHistogram<Lanes8>.Add(_workers, map, x, w, points.Count, c, f);
        }
    }

    public void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == map.Dimension + 2, nameof(cells));
        fixed (float* x = points.Values.Span, w = points.Weights.Span, center = map.Center)
        fixed (long* to = cells)
        {
            if (_wide) MomentSums<Lanes16>.Add(_workers, map, x, w, points.Count, center, to);
            else MomentSums<Lanes8>.Add(_workers, map, x, w, points.Count, center, to);
        }
    }

    public void MultiplyRows(FourierMap map, Points points, Span<float> products)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(products.Length == (long)points.Count * map.Frequencies, nameof(products));
        Panels? panels = map.IsStructured ? null : PanelsOf(map);
        fixed (float* x = points.Values.Span, to = products)
        {
            if (_wide) RowProducts<Lanes16, Tile8x48>.Multiply(_workers, map, panels, x, points.Count, to);
            else RowProducts<Lanes8, Tile6x16>.Multiply(_workers, map, panels, x, points.Count, to);
        }
    }

    public void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Rows.Dimension, nameof(points));
        Expect(cells.Length == map.CellCount, nameof(cells));
        Panels? rows = map.Rows.IsStructured ? null : PanelsOf(map.Rows);
        Panels? gateRows = map.GateRows is { IsStructured: false } gate ? PanelsOf(gate) : null;
        fixed (float* x = points.Values.Span, w = points.Weights.Span)
        fixed (long* to = cells)
        {
            int n = points.Count;
            if (_wide) SphericalSums<Lanes16, Sixteen512, Tile8x48>.Add(_workers, map, rows, gateRows, x, w, n, to);
            else SphericalSums<Lanes8, Sixteen256, Tile6x16>.Add(_workers, map, rows, gateRows, x, w, n, to);
        }
    }

    public void AddPowers(PowerMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == map.Dimension * map.Weights.Length, nameof(cells));
        fixed (float* x = points.Values.Span, w = points.Weights.Span)
        fixed (long* to = cells)
        {
            if (_wide) PowerMoments<Lanes16>.Add(_workers, map, x, w, points.Count, to);
            else PowerMoments<Lanes8>.Add(_workers, map, x, w, points.Count, to);
        }
    }

    public void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups)
    {
        int most = points.IsWeighted ? SlicedMap.MostWeighted : SlicedMap.MostRecords;
        Expect(points.Dimension == map.Rows.Dimension && points.Count <= most, nameof(points));
        Expect(packed.Length == (long)map.Rows.Frequencies * SlicedMap.CellsPerRow, nameof(packed));
        Expect(groups.Length == map.Rows.Groups, nameof(groups));
        Panels? panels = map.Rows.IsStructured ? null : PanelsOf(map.Rows);
        fixed (float* x = points.Values.Span, w = points.Weights.Span)
        fixed (long* to = packed, terms = groups)
        {
            if (_wide) SlicedSums<Lanes16, Tile8x48>.Add(_workers, map, panels, x, w, points.Count, to, terms);
            else SlicedSums<Lanes8, Tile6x16>.Add(_workers, map, panels, x, w, points.Count, to, terms);
        }
    }

    public void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums)
    {
        Expect(points.Dimension == queries.Dimension, nameof(queries));
        Expect(sums.Length == queries.Count, nameof(sums));
        if (function.Geometry is PairGeometry.Sphere or PairGeometry.Power)
        {
            fixed (float* x = points.Values.Span, y = queries.Values.Span)
            fixed (double* to = sums)
            {
                (int n, int q, int d) = (points.Count, queries.Count, points.Dimension);
                if (function.Geometry == PairGeometry.Sphere) AngularSums.Add(_workers, function, x, n, y, q, d, to);
                else PowerSums.Add(_workers, function.Exponent, x, n, y, q, d, to);
            }
        }
        else if (_wide) ExactSums<Lanes16, Sixteen512, Tile8x48>.Add(_workers, function, points, queries, sums);
        else ExactSums<Lanes8, Sixteen256, Tile6x16>.Add(_workers, function, points, queries, sums);
    }

    public void AddLandmarks(LandmarkMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == map.Count, nameof(cells));
        fixed (float* x = points.Values.Span, w = points.Weights.Span)
        fixed (long* to = cells)
        {
            if (_wide) LandmarkSums<Lanes16, Tile8x48>.Add(_workers, map, PanelsOf(map), x, w, points.Count, to);
            else LandmarkSums<Lanes8, Tile6x16>.Add(_workers, map, PanelsOf(map), x, w, points.Count, to);
        }
    }

    public void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features)
    {
        Expect(queries.Dimension == map.Dimension, nameof(queries));
        Expect(features.Length == (long)queries.Count * map.Count, nameof(features));
        fixed (float* y = queries.Values.Span, to = features)
        {
            if (_wide) LandmarkSums<Lanes16, Tile8x48>.Features(_workers, map, PanelsOf(map), y, queries.Count, to);
            else LandmarkSums<Lanes8, Tile6x16>.Features(_workers, map, PanelsOf(map), y, queries.Count, to);
        }
    }

    /// <summary>Ends the threads. No call may be running.</summary>
    public void Dispose()
    {
        _workers.Dispose();
        foreach ((_, Panels panels) in _panels) panels.Dispose();
        _panels.Clear();
        foreach ((_, LandmarkPanels panels) in _landmarkPanels) panels.Dispose();
        _landmarkPanels.Clear();
    }

    void AddFourier<V, TTile>(FourierMap map, Points points, Span<long> cells)
        where V : unmanaged, ILanes<V>
        where TTile : struct, ITile
    {
        fixed (float* x = points.Values.Span, w = points.Weights.Span, radii = map.Radii)
        fixed (uint* flips = map.Flips)
        fixed (long* to = cells)
        {
            if (map.IsStructured) StructuredFourier<V>.Add(_workers, map, x, w, points.Count, flips, radii, to);
            else DenseFourier<V, TTile>.Add(_workers, map, PanelsOf(map), x, w, points.Count, to);
        }
    }

    void ProjectFourier<V, TTile, S>(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
        where V : unmanaged, ILanes<V>
        where TTile : struct, ITile
        where S : struct, ISixteen<S>
    {
        int count = queries.Count, m = map.Frequencies, groups = map.Groups;
        int perItem = map.IsStructured ? V.Count : TTile.Rows;
        // Features of dense maps come by whole panels.
        nint stride = (m + TTile.Columns - 1) / TTile.Columns * TTile.Columns;
        Panels? panels = map.IsStructured ? null : PanelsOf(map);
        fixed (float* pinnedQueries = queries.Values.Span, pinnedRadii = map.Radii)
        fixed (uint* pinnedFlips = map.Flips)
        fixed (double* pinnedWeights = weights, pinnedSums = sums)
        {
            float* y = pinnedQueries, radii = pinnedRadii;
            uint* flips = pinnedFlips;
            double* w = pinnedWeights, to = pinnedSums;
            _workers.Run((count + perItem - 1) / perItem, (item, scratch) =>
            {
                int first = item * perItem, own = Math.Min(perItem, count - first);
                AlignedFloats features = _workers.Rent();
                float* cos = features.Take(2 * stride * own), sin = cos + stride * own;
                float* from = y + (nint)first * map.Dimension;
                if (panels is null)
                    StructuredFourier<V>.Features(map, from, own, flips, radii, cos, sin, stride, scratch);
                else
                    DenseFourier<V, TTile>.Features(map, panels, from, own, cos, sin, stride, scratch);
                Projection<S>.Apply(cos, sin, stride, own, w, m, columns, groups, to + (nint)first * columns * groups);
                _workers.Return(features);
            });
        }
    }

    Panels PanelsOf(FourierMap map) => _panels.GetValue(
        map, map => new Panels(map.Rows, map.Dimension, _wide ? Tile8x48.Columns : Tile6x16.Columns));

    LandmarkPanels PanelsOf(LandmarkMap map) => _landmarkPanels.GetValue(
        map, map => new LandmarkPanels(map, _wide ? Tile8x48.Rows : Tile6x16.Rows));

    static void Expect(bool holds, string name)
    {
        if (!holds) throw new ArgumentException("its length does not fit the map or the points", name);
    }
}
