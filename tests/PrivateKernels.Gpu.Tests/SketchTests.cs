using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>Every kind of cell on the device against the SIMD engine: equality to the last bit.</summary>
public sealed class SketchTests(OneEngine shared) : IDisposable
{
    readonly GpuEngine _engine = shared.Engine;
    readonly SimdEngine _simd = new(1);

    public void Dispose() => _simd.Dispose();

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(700, 3, 16)]
    [InlineData(257, 20, 256)]
    [InlineData(3000, 5, 1000)]
    [InlineData(300, 2, 4096)]
    [InlineData(500, 3, 5001)]
    public void Sign_cells_are_those_of_the_processor(int points, int dimension, int cellsPerCoordinate)
    {
        var samples = new Samples((ulong)(points + dimension + cellsPerCoordinate));
        var map = new SignMap(dimension, -1.5f, 2.25f, cellsPerCoordinate, (1 << 20) - 3);
        Points x = samples.EdgePoints(points, dimension);
        int size = dimension * cellsPerCoordinate;
        long[] counts = new long[size], fractions = new long[size];
        long[] sameCounts = new long[size], sameFractions = new long[size];
        _engine.AddSigns(map, x, counts, fractions);
        _simd.AddSigns(map, x, sameCounts, sameFractions);
        Assert.Equal(sameCounts, counts);
        Assert.Equal(sameFractions, fractions);
        Assert.Equal((long)points * dimension, counts.Sum());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(300, 7)]
    [InlineData(65, 254)]
    [InlineData(40, 255)]
    [InlineData(33, 784)]
    public void Moment_cells_are_those_of_the_processor_clamped_or_not(int points, int dimension)
    {
        var samples = new Samples((ulong)(points + dimension));
        // Half of the normal points and all edge points are longer than the bound, so the norm clamp acts on them.
        float scale = (float)(500000 / Math.Sqrt(2 * dimension));
        var map = new MomentMap(
            dimension, samples.Normals(dimension), 300000, scale, (float)(300000.0 / (2 * dimension)), 1L << 40);
        foreach (Points x in new[] { samples.NormalPoints(points, dimension), samples.EdgePoints(points, dimension) })
        {
            long[] cells = new long[dimension + 2], same = new long[dimension + 2];
            _engine.AddMoments(map, x, cells);
            _simd.AddMoments(map, x, same);
            Assert.Equal(same, cells);
        }
    }

    [Theory]
    [InlineData(0, 1, 1, 1)]
    [InlineData(0, 130, 17, 129)]
    [InlineData(8, 33, 5, 24)]
    [InlineData(64, 300, 40, 192)]
    [InlineData(4096, 3, 2100, 4096)]
    [InlineData(4, 129, 3, 28)]
    [InlineData(16384, 2, 70, 16384)]
    public void Phases_are_those_of_the_processor(int padded, int points, int dimension, int rows)
    {
        var samples = new Samples((ulong)(points + rows));
        FourierMap map = Map(samples, dimension, padded, rows, 1);
        Points x = samples.EdgePoints(points, dimension);
        float[] phases = new float[points * rows], same = new float[points * rows];
        _engine.MultiplyRows(map, x, phases);
        _simd.MultiplyRows(map, x, same);
        Assert.Equal(same.Select(BitConverter.SingleToInt32Bits), phases.Select(BitConverter.SingleToInt32Bits));
    }

    [Theory]
    [InlineData(0, 1, 1, 1, 1)]
    [InlineData(0, 300, 9, 60, 4)]
    [InlineData(32, 257, 20, 512, 16)]
    [InlineData(64, 700, 64, 64, 1)]
    [InlineData(4, 257, 3, 12, 4)]
    public void Sliced_cells_are_those_of_the_processor_shortened_or_not(
        int padded, int points, int dimension, int directions, int groups)
    {
        var samples = new Samples((ulong)(points + directions));
        FourierMap rows = Positions(samples, dimension, padded, directions, groups);
        // Positions of normal points are about 2^18; half of the records are longer than the bound.
        var map = new SlicedMap(rows, 4099, 20, (int)(800.0 * directions / Math.Sqrt(groups)) + 16);
        foreach (Points x in new[] { samples.NormalPoints(points, dimension), samples.EdgePoints(points, dimension) })
        {
            long[] packed = new long[directions * SlicedMap.CellsPerRow], terms = new long[groups];
            long[] same = new long[packed.Length], sameTerms = new long[groups];
            _engine.AddSliced(map, x, packed, terms);
            _simd.AddSliced(map, x, same, sameTerms);
            Assert.Equal(sameTerms, terms);
            Assert.True(same.AsSpan().SequenceEqual(packed));
            Assert.Equal((long)points * directions, packed.Sum(static cell => cell >> 40));
        }
    }

    [Theory]
    [InlineData(AngularFeatures.Sign, 0, 1, 1, 1)]
    [InlineData(AngularFeatures.Sign, 32, 300, 30, 96)]
    [InlineData(AngularFeatures.Absolute, 0, 200, 7, 65)]
    [InlineData(AngularFeatures.Absolute, 16, 33, 16, 32)]
    [InlineData(AngularFeatures.AbsoluteAndGated, 2, 60, 2, 10)]
    [InlineData(AngularFeatures.AbsoluteAndGated, 0, 150, 3, 130)]
    [InlineData(AngularFeatures.AbsoluteAndGated, 64, 257, 50, 128)]
    public void Spherical_cells_are_those_of_the_processor_shortened_or_not(
        AngularFeatures features, int padded, int points, int dimension, int rows)
    {
        var samples = new Samples((ulong)(points + rows));
        FourierMap map = Map(samples, dimension, padded, rows, 1);
        bool gated = features == AngularFeatures.AbsoluteAndGated;
        FourierMap? gates = gated ? Map(samples, dimension, padded, rows, 1) : null;
        int scale = 1000;
        // Unit vectors lie on both sides of the bound, other points far beyond what is shortened.
        var spherical = new SphericalMap(features, map, gates, 3000, 5000f, scale, (long)scale * scale * rows / 3 + 1);
        Points normal = samples.NormalPoints(points, dimension), unit = UnitVectors.Of(normal, out _);
        foreach (Points x in new[] { unit, normal, samples.EdgePoints(points, dimension) })
        {
            long[] cells = new long[spherical.CellCount], same = new long[spherical.CellCount];
            _engine.AddSpherical(spherical, x, cells);
            _simd.AddSpherical(spherical, x, same);
            Assert.Equal(same, cells);
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(300, 7, 3)]
    [InlineData(2500, 100, 6)]
    public void Powers_are_those_of_the_processor(int points, int dimension, int powers)
    {
        var samples = new Samples((ulong)(points + dimension));
        int[] weights = [.. Enumerable.Range(0, powers).Select(static k => (1 << 20) - 7 * k)];
        var map = new PowerMap(dimension, -1.5f, 2f, 0.25f, 1 / 1.75f, weights);
        Points x = samples.EdgePoints(points, dimension);
        long[] cells = new long[dimension * powers], same = new long[dimension * powers];
        _engine.AddPowers(map, x, cells);
        _simd.AddPowers(map, x, same);
        Assert.Equal(same, cells);
    }

    [Theory]
    [InlineData(0, 1, 1, 1)]
    [InlineData(0, 1100, 7, 65)]
    [InlineData(32, 130, 20, 96)]
    [InlineData(0, 2100, 3, 5)]
    [InlineData(4, 300, 3, 20)]
    public void Second_moments_are_those_of_the_processor(int padded, int points, int dimension, int rows)
    {
        var samples = new Samples((ulong)(points + rows));
        FourierMap map = Map(samples, dimension, padded, rows, 1);
        Points x = samples.EdgePoints(points, dimension);
        long[] cells = new long[SecondMoments.CellsOf(rows)], same = new long[cells.Length];
        _engine.AddSecondMoments(map, x, cells);
        _simd.AddSecondMoments(map, x, same);
        Assert.True(same.AsSpan().SequenceEqual(cells));
    }

    public static TheoryData<string> LandmarkFunctions => [.. Catalog.Functions
        .Where(static f => f.Methods.Contains(SketchMethod.Landmark)).Select(static f => f.Name)];

    [Theory]
    [MemberData(nameof(LandmarkFunctions))]
    public void Landmark_features_and_cells_are_those_of_the_processor_for_every_kernel(string name)
    {
        var samples = new Samples(51);
        foreach ((int points, int dimension, int landmarks, double bandwidth) in new[]
        {
            (1, 1, 1, 1.0), (300, 5, 9, 3.0), (131, 20, 137, 6.0), (40, 3, 8, 1e-9), (40, 3, 8, 1e9),
        })
        {
            PairFunction function = Catalog.Create(name, bandwidth, 0);
            float[] triangle = samples.Normals(landmarks * (landmarks + 1) / 2);
            Points z = samples.NormalPoints(landmarks, dimension);
            var map = new LandmarkMap(function, dimension, z.Values.ToArray(), triangle);
            Points normal = samples.NormalPoints(points, dimension);
            // The landmarks themselves are at distance 0.
            foreach (Points x in new[] { normal, samples.EdgePoints(points, dimension), z })
            {
                long[] cells = new long[landmarks], sameCells = new long[landmarks];
                _engine.AddLandmarks(map, x, cells);
                _simd.AddLandmarks(map, x, sameCells);
                Assert.Equal(sameCells, cells);
                float[] phi = new float[x.Count * landmarks], samePhi = new float[phi.Length];
                _engine.LandmarkFeatures(map, x, phi);
                _simd.LandmarkFeatures(map, x, samePhi);
                Assert.Equal(samePhi, phi);
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fourier_cells_are_those_of_the_processor(bool structured)
    {
        var samples = new Samples(9);
        FourierMap map = structured ? samples.StructuredMap(100, 128, 5) : samples.DenseMap(100, 333);
        Points x = samples.EdgePoints(1000, 100);
        long[] cells = new long[2 * map.Frequencies], same = new long[2 * map.Frequencies];
        _engine.AddFourier(map, x, cells);
        _simd.AddFourier(map, x, same);
        Assert.Equal(same, cells);
    }

    [Fact]
    public void Cells_do_not_depend_on_batches_or_order()
    {
        var samples = new Samples(10);
        FourierMap map = samples.StructuredMap(20, 32, 4);
        Points x = samples.EdgePoints(700, 20);
        long[] whole = new long[256], parts = new long[256], backwards = new long[256];
        _engine.AddFourier(map, x, whole);
        for (int first = 0; first < 700; first += 77)
            _engine.AddFourier(map, x.Slice(first, Math.Min(77, 700 - first)), parts);
        float[] reversed = [.. Enumerable.Range(0, 700).Reverse().SelectMany(row => x.Row(row).ToArray())];
        _engine.AddFourier(map, new Points(reversed, 20), backwards);
        Assert.Equal(whole, parts);
        Assert.Equal(whole, backwards);
    }

    [Fact]
    public void Shapes_that_no_device_program_serves_go_to_the_fallback_even_if_the_engine_is_forced()
    {
        var samples = new Samples(11);
        using var engine = new GpuEngine([Devices.UnderTest], _simd, new GpuOptions { IsForced = true });
        var map = new SlicedMap(Positions(samples, 3, 0, 34, 17), 4099, 20, 60_000);
        Points x = samples.NormalPoints(10, 3);
        long[] packed = new long[34 * SlicedMap.CellsPerRow], terms = new long[17];
        long[] same = new long[packed.Length], sameTerms = new long[17];
        engine.AddSliced(map, x, packed, terms);
        _simd.AddSliced(map, x, same, sameTerms);
        Assert.Equal(sameTerms, terms);
        Assert.True(same.AsSpan().SequenceEqual(packed));
    }

    [Theory]
    [InlineData(40, 64, 100)]
    [InlineData(3, 4, 9)]
    public void A_last_block_of_frequencies_that_is_not_whole_is_that_of_the_processor(int dimension, int padded, int m)
    {
        var samples = new Samples(14);
        FourierMap whole = samples.StructuredMap(dimension, padded, (m + padded - 1) / padded);
        FourierMap map = FourierMap.Structured(dimension, padded, whole.Flips, whole.Radii[..m], 1);
        Points plain = samples.EdgePoints(77, dimension), weighted = new(plain.Values, dimension, samples.Normals(77)
            .Select(static v => Math.Clamp(v, -1, 1)).ToArray());
        double[] weights = [.. Enumerable.Range(0, 2 * m).Select(_ => (double)samples.Normal())];
        double[] sums = new double[77], sameSums = new double[77];
        _engine.ProjectFourier(map, plain, weights, 1, sums);
        _simd.ProjectFourier(map, plain, weights, 1, sameSums);
        Assert.Equal(sameSums, sums);
        foreach (Points x in new[] { plain, weighted })
        {
            long[] cells = new long[2 * m], same = new long[2 * m];
            _engine.AddFourier(map, x, cells);
            _simd.AddFourier(map, x, same);
            Assert.Equal(same, cells);
        }
    }

    [Fact]
    public void Weights_of_points_count_as_on_the_processor_in_every_sketch()
    {
        var samples = new Samples(13);
        const int Count = 300, Dimension = 33;
        float[] weights = [.. Enumerable.Range(0, Count).Select(_ => (float)(2 * samples.Uniform() - 1))];
        (weights[0], weights[1], weights[2], weights[3]) = (0f, 1f, -1f, 1e-30f);
        foreach (Points plain in new[] { samples.NormalPoints(Count, Dimension), samples.EdgePoints(Count, Dimension) })
        {
            var x = new Points(plain.Values, Dimension, weights);
            foreach ((string name, int cells, Action<IEngine, Points, long[]> add) in EverySketch(samples, Dimension))
            {
                long[] ours = new long[cells], same = new long[cells];
                add(_engine, x, ours);
                add(_simd, x, same);
                Assert.True(same.AsSpan().SequenceEqual(ours), name);
            }
        }
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused_before_any_work()
    {
        FourierMap map = new Samples(12).DenseMap(3, 4);
        Assert.Throws<ArgumentException>(() => _engine.AddFourier(map, new Points(new float[8], 4), new long[8]));
        Assert.Throws<ArgumentException>(() => _engine.AddFourier(map, new Points(new float[9], 3), new long[7]));
    }

    static IEnumerable<(string Name, int Cells, Action<IEngine, Points, long[]> Add)> EverySketch(
        Samples samples, int d)
    {
        FourierMap[] maps =
            [samples.DenseMap(d, 70), samples.StructuredMap(d, 64, 2), samples.StructuredMap(d, 4096, 1)];
        foreach (FourierMap map in maps)
            yield return ($"Fourier, P = {map.Padded}", 2 * map.Frequencies, (e, x, to) => e.AddFourier(map, x, to));
        var signs = new SignMap(d, -1f, 1f, 32, 999_999);
        yield return ("signs", 64 * d, (e, x, to) => e.AddSigns(signs, x, to.AsSpan(0, 32 * d), to.AsSpan(32 * d)));
        var moments = new MomentMap(d, samples.Normals(d), 300_000, 90_000f, 5000f, 1L << 40);
        yield return ("moments", d + 2, (e, x, to) => e.AddMoments(moments, x, to));
        var powers = new PowerMap(d, -1.5f, 2f, 0.25f, 1 / 1.75f, [1 << 20, 1000, 77]);
        yield return ("powers", 3 * d, (e, x, to) => e.AddPowers(powers, x, to));
        var sliced = new SlicedMap(Positions(samples, d, 64, 128, 2), 4099, 20, 60_000);
        const int Packed = 128 * 512;
        yield return ("sliced", Packed + 2, (e, x, to) =>
            e.AddSliced(sliced, x, to.AsSpan(0, Packed), to.AsSpan(Packed)));
        foreach (AngularFeatures features in Enum.GetValues<AngularFeatures>())
        {
            FourierMap? gates = features == AngularFeatures.AbsoluteAndGated ? samples.DenseMap(d, 70) : null;
            var map = new SphericalMap(features, samples.DenseMap(d, 70), gates, 3000, 500f, 1000f, 70_000_000);
            yield return ($"spherical {features}", map.CellCount, (e, x, to) => e.AddSpherical(map, x, to));
        }
        var landmarks = new LandmarkMap(new Gaussian(8), d, samples.Normals(20 * d), samples.Normals(210));
        yield return ("landmarks", 20, (e, x, to) => e.AddLandmarks(landmarks, x, to));
    }

    static FourierMap Map(Samples samples, int dimension, int padded, int rows, int groups) => padded == 0
        ? samples.DenseMap(dimension, rows, groups) : samples.StructuredMap(dimension, padded, rows / padded, groups);

    /// <summary>Directions along which normal points have positions of about 2^18.</summary>
    static FourierMap Positions(Samples samples, int dimension, int padded, int directions, int groups)
    {
        if (padded == 0)
        {
            float scale = (float)((1 << 18) / Math.Sqrt(dimension));
            return FourierMap.Dense(
                dimension, [.. samples.Normals(directions * dimension).Select(w => w * scale)], groups);
        }
        FourierMap map = samples.StructuredMap(dimension, padded, directions / padded, groups);
        var radii = new float[directions];
        Array.Fill(radii, (float)((1 << 18) / (padded * Math.Sqrt(padded))));
        return FourierMap.Structured(dimension, padded, map.Flips, radii, groups);
    }
}
