using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// The processor's vector units: AVX-512 where there is one, otherwise registers of eight lanes (AVX2, or whatever the
/// runtime makes of them). One text serves all widths, and all give the same bits.
/// </summary>
public sealed unsafe class SimdEngine : IEngine
{
    readonly Workers _workers;
    readonly bool _wide;
    readonly ConditionalWeakTable<FourierMap, Panels> _panels = [];

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

    public string Device => $"{(_wide ? "AVX-512" : Vector256.IsHardwareAccelerated ? "AVX2" : "portable")}, {_workers.Count} threads";

    public void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == 2 * map.Frequencies, nameof(cells));
        fixed (float* x = points.Values.Span, radii = map.Radii)
        fixed (uint* flips = map.Flips)
        fixed (long* to = cells)
            switch (map.IsStructured, _wide)
            {
                case (true, true): StructuredFourier<Lanes16>.Add(_workers, map, x, points.Count, flips, radii, to); break;
                case (true, false): StructuredFourier<Lanes8>.Add(_workers, map, x, points.Count, flips, radii, to); break;
                case (false, true): DenseFourier<Lanes16, Tile8x48>.Add(_workers, map, PanelsOf(map), x, points.Count, to); break;
                default: DenseFourier<Lanes8, Tile6x16>.Add(_workers, map, PanelsOf(map), x, points.Count, to); break;
            }
    }

    public void ProjectFourier(FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
    {
        int m = map.Frequencies, d = map.Dimension;
        Expect(queries.Dimension == d, nameof(queries));
        Expect(weights.Length == 2L * m * columns, nameof(weights));
        Expect(sums.Length == (long)queries.Count * columns * map.Groups, nameof(sums));
        int rows = map.IsStructured ? (_wide ? Lanes16.Count : Lanes8.Count) : _wide ? Tile8x48.Rows : Tile6x16.Rows;
        nint stride = (m + Tile8x48.Columns - 1) / Tile8x48.Columns * Tile8x48.Columns;
        Panels? panels = map.IsStructured ? null : PanelsOf(map);
        fixed (float* pinnedPoints = queries.Values.Span, pinnedRadii = map.Radii)
        fixed (uint* pinnedFlips = map.Flips)
        fixed (double* pinnedWeights = weights, pinnedSums = sums)
        {
            float* x = pinnedPoints, radii = pinnedRadii;
            uint* flips = pinnedFlips;
            double* w = pinnedWeights, to = pinnedSums;
            _workers.Run((queries.Count + rows - 1) / rows, (item, scratch) =>
            {
                int first = item * rows, count = Math.Min(rows, queries.Count - first);
                AlignedFloats features = _workers.Rent();
                float* cos = features.Take(2 * stride * count), sin = cos + stride * count, from = x + (nint)first * d;
                switch (map.IsStructured, _wide)
                {
                    case (true, true): StructuredFourier<Lanes16>.Features(map, from, count, flips, radii, cos, sin, stride, scratch); break;
                    case (true, false): StructuredFourier<Lanes8>.Features(map, from, count, flips, radii, cos, sin, stride, scratch); break;
                    case (false, true): DenseFourier<Lanes16, Tile8x48>.Features(map, panels!, from, count, cos, sin, stride, scratch); break;
                    default: DenseFourier<Lanes8, Tile6x16>.Features(map, panels!, from, count, cos, sin, stride, scratch); break;
                }
                double* answers = to + (nint)first * columns * map.Groups;
                if (_wide) Projection<Sixteen512>.Apply(cos, sin, stride, count, w, m, columns, map.Groups, answers);
                else Projection<Sixteen256>.Apply(cos, sin, stride, count, w, m, columns, map.Groups, answers);
                _workers.Return(features);
            });
        }
    }

    public void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(counts.Length == map.Dimension * map.CellsPerCoordinate, nameof(counts));
        Expect(fractions.Length == counts.Length, nameof(fractions));
        fixed (float* x = points.Values.Span)
        fixed (long* c = counts, f = fractions)
        {
            if (_wide) SignHistogram<Lanes16>.Add(_workers, map, x, points.Count, c, f);
            else SignHistogram<Lanes8>.Add(_workers, map, x, points.Count, c, f);
        }
    }

    public void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension, nameof(points));
        Expect(cells.Length == map.Dimension + 2, nameof(cells));
        fixed (float* x = points.Values.Span)
        fixed (long* to = cells)
            MomentSums.Add(_workers, map, x, points.Count, to);
    }

    public void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums)
    {
        Expect(points.Dimension == queries.Dimension, nameof(queries));
        Expect(sums.Length == queries.Count, nameof(sums));
        fixed (float* x = points.Values.Span, y = queries.Values.Span)
        fixed (double* to = sums)
        {
            if (_wide) ExactSums<Lanes16, Tile8x48>.Add(_workers, function, x, points.Count, y, queries.Count, points.Dimension, to);
            else ExactSums<Lanes8, Tile6x16>.Add(_workers, function, x, points.Count, y, queries.Count, points.Dimension, to);
        }
    }

    /// <summary>Ends the threads. No call may be running.</summary>
    public void Dispose()
    {
        _workers.Dispose();
        foreach ((_, Panels panels) in _panels) panels.Dispose();
        _panels.Clear();
    }

    Panels PanelsOf(FourierMap map) => _panels.GetValue(
        map, map => new Panels(map.Rows, map.Dimension, _wide ? Tile8x48.Columns : Tile6x16.Columns));

    static void Expect(bool holds, string name)
    {
        if (!holds) throw new ArgumentException("its length does not fit the map or the points", name);
    }
}
