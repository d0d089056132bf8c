namespace PrivateKernels.Tests;

public sealed class OtherEngineTests
{
    static readonly ReferenceEngine Reference = new();

    [Theory]
    [InlineData(1, 1, 256, -1f, 1f)]
    [InlineData(100, 7, 300, -1.5f, 0.75f)]
    [InlineData(60, 16, 1024, 0f, 1f)]
    [InlineData(50, 37, 4096, -3f, 3f)]
    public void Sign_histograms_equal_the_plain_recipe(int n, int d, int m, float lower, float upper)
    {
        var map = new SignMap(d, lower, upper, m, 1 << 20);
        foreach (Points points in new[] { EngineCases.Normal(n, d), EngineCases.Edges(d) })
        {
            (long[] counts, long[] fractions) = Signs(Reference, map, points);
            Assert.Equal(points.Count * d, counts.Sum());
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                (long[] c, long[] f) = Signs(engine, map, points);
                Assert.Equal(counts, c);
                Assert.Equal(fractions, f);
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(300, 6)]
    [InlineData(50, 33)]
    public void Moments_equal_the_plain_recipe_also_where_the_norm_is_clamped(int n, int d)
    {
        var center = new float[d];
        for (int k = 0; k < d; k++) center[k] = 0.25f * (k % 3);
        var map = new MomentMap(d, center, 1 << 19, 300000f, 250000f, 1L << 40);
        foreach (Points points in new[] { EngineCases.Normal(n, d), EngineCases.Edges(d) })
        {
            var expected = new long[d + 2];
            Reference.AddMoments(map, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var cells = new long[d + 2];
                engine.AddMoments(map, points, cells);
                Assert.Equal(expected, cells);
            }
        }
    }

    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(5000, 3, 6)]
    [InlineData(100, 37, 4)]
    public void Powers_equal_the_plain_recipe(int n, int d, int p)
    {
        int[] weights = [.. Enumerable.Range(0, p).Select(k => (1 << 20) - 77777 * k)];
        var map = new PowerMap(d, -1.5f, 0.75f, -0.375f, (float)(1 / 1.125), weights);
        foreach (Points points in new[] { EngineCases.Normal(n, d), EngineCases.Edges(d) })
        {
            var expected = new long[d * p];
            Reference.AddPowers(map, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var cells = new long[d * p];
                engine.AddPowers(map, points, cells);
                Assert.Equal(expected, cells);
            }
        }
    }

    public static TheoryData<string, int> FunctionsAndDimensions()
    {
        var cases = new TheoryData<string, int>();
        foreach (PairFunctionEntry entry in Catalog.Functions)
            foreach (int d in new[] { 1, 3, 70, 784 }) cases.Add(entry.Name, d);
        return cases;
    }

    [Theory]
    [MemberData(nameof(FunctionsAndDimensions))]
    public void Exact_sums_are_within_5e_6_of_fp64(string name, int d)
    {
        PairFunctionEntry entry = Catalog.Functions.First(e => e.Name == name);
        PairFunction function = entry.Create(entry.UsesBandwidth ? Math.Sqrt(d) : 0, entry.UsesExponent ? 0.75 : 0);
        Points points = EngineCases.Normal(451, d), queries = EngineCases.Normal(11, d, seed: 2);
        var expected = new double[11];
        Reference.AddExactSums(function, points, queries, expected);
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            var sums = new double[11];
            engine.AddExactSums(function, points, queries, sums);
            AssertClose(expected, sums, function, points, queries);
            var alone = new double[1];
            engine.AddExactSums(function, points, queries.Slice(4, 1), alone);
            AssertClose([expected[4]], alone, function, points, queries.Slice(4, 1));
        }
    }

    [Theory]
    [InlineData(1e-9)]
    [InlineData(1)]
    [InlineData(1e9)]
    public void Exact_sums_hold_for_the_smallest_and_largest_distances(double bandwidth)
    {
        Points points = EngineCases.Edges(3);
        foreach (PairFunctionEntry entry in Catalog.Functions)
        {
            PairFunction function = entry.Create(entry.UsesBandwidth ? bandwidth : 0, 0);
            var expected = new double[points.Count];
            Reference.AddExactSums(function, points, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var sums = new double[points.Count];
                engine.AddExactSums(function, points, points, sums);
                AssertClose(expected, sums, function, points, points);
            }
        }
    }

    /// <summary>What the relative error of an exact sum is relative to: inner products cancel, so the sum of |x||y|.</summary>
    static double Size(PairFunction function, Points points, ReadOnlySpan<float> y, double expected)
    {
        if (function.Geometry != PairGeometry.InnerProduct) return expected;
        double size = 0;
        for (int n = 0; n < points.Count; n++)
            size += Math.Sqrt(function.Evaluate(points.Row(n), points.Row(n)) * function.Evaluate(y, y));
        return size;
    }

    public static TheoryData<AngularFeatures, int, int> SphericalCases => new()
    {
        { AngularFeatures.Sign, 1, 5 }, { AngularFeatures.Sign, 40, 128 }, { AngularFeatures.Absolute, 3, 21 },
        { AngularFeatures.Absolute, 100, 256 }, { AngularFeatures.AbsoluteAndGated, 5, 37 }, { AngularFeatures.AbsoluteAndGated, 33, 192 },
    };

    [Theory]
    [MemberData(nameof(SphericalCases))]
    public void Spherical_features_equal_the_plain_recipe_also_where_the_norm_is_clamped(AngularFeatures features, int d, int m)
    {
        int padded = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)d);
        foreach (bool structured in (bool[])[false, true])
            foreach (float scale in (float[])[300_000f, 900_000f])
            {
                FourierMap Map(double turns) =>
                    structured ? EngineCases.Structured(d, padded, m, turns) : EngineCases.Dense(d, m, turns * Math.Sqrt(d));
                var map = new SphericalMap(
                    features, Map(1), features == AngularFeatures.AbsoluteAndGated ? Map(1.5) : null, 1 << 20, 1 << 19, scale, (long)m << 40);
                foreach (Points points in new[] { UnitVectors.Of(EngineCases.Normal(150, d), out _), EngineCases.Edges(d) })
                {
                    var expected = new long[map.CellCount];
                    Reference.AddSpherical(map, points, expected);
                    var products = new float[points.Count * m];
                    Reference.MultiplyRows(map.Rows, points, products);
                    foreach (SimdEngine engine in EngineCases.Engines)
                    {
                        var cells = new long[map.CellCount];
                        engine.AddSpherical(map, points, cells);
                        Assert.Equal(expected, cells);
                        var own = new float[products.Length];
                        engine.MultiplyRows(map.Rows, points, own);
                        Assert.Equal(products, own);
                    }
                }
            }
    }

    /// <summary>One large feature, and squares behind it that an fp64 sum rounds away: too long by less than a unit of 2^40 parts.</summary>
    [Fact]
    public void A_spherical_vector_is_shortened_however_its_squares_round()
    {
        const int m = 1 << 18, large = 1 << 29, small = 5;
        const long squares = (long)large * large + (long)m * small * small;
        var map = new SphericalMap(AngularFeatures.Sign, EngineCases.Dense(1, m), null, large, 0, small, squares - 1);
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            var cells = new long[map.CellCount];
            engine.AddSpherical(map, new(new[] { 1f }, 1), cells);
            Assert.InRange(cells.Sum(static cell => cell * cell), squares / 2, squares - 1);
        }
    }

    [Theory]
    [InlineData(1, 16, 4)]
    [InlineData(5, 80, 16)]
    [InlineData(40, 256, 4)]
    public void Positions_along_directions_equal_the_plain_recipe_also_where_a_record_is_shrunk(int d, int k, int groups)
    {
        int padded = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)d);
        foreach (bool structured in (bool[])[false, true])
        {
            FourierMap rows = structured
                ? EngineCases.Structured(d, padded, k, 400_000, groups)
                : EngineCases.Dense(d, k, 400_000, groups);
            var map = new SlicedMap(rows, 40_000, 20, 4_000 * k);
            foreach (Points points in new[] { EngineCases.Normal(600, d), EngineCases.Edges(d) })
            {
                var expected = (Packed: new long[k * 512], Terms: new long[groups]);
                Reference.AddSliced(map, points, expected.Packed, expected.Terms);
                foreach (SimdEngine engine in EngineCases.Engines)
                {
                    var actual = (Packed: new long[k * 512], Terms: new long[groups]);
                    engine.AddSliced(map, points, actual.Packed, actual.Terms);
                    Assert.Equal(expected.Packed, actual.Packed);
                    Assert.Equal(expected.Terms, actual.Terms);
                }
            }
        }
    }

    [Fact]
    public void Arguments_that_do_not_fit_are_refused()
    {
        FourierMap map = EngineCases.Dense(3, 5);
        Points points = EngineCases.Normal(2, 3);
        SimdEngine engine = EngineCases.Engines[0];
        void Refused(string argument, Action call) => Assert.Throws<ArgumentException>(argument, call);
        Refused("cells", () => engine.AddFourier(map, points, new long[9]));
        Refused("points", () => engine.AddFourier(map, EngineCases.Normal(2, 4), new long[10]));
        Refused("weights", () => engine.ProjectFourier(map, points, new double[9], 1, new double[2]));
        Refused("sums", () => engine.ProjectFourier(map, points, new double[10], 1, new double[1]));
        Refused("sums", () => engine.AddExactSums(new Gaussian(1), points, points, new double[3]));
        Assert.Throws<InvalidFieldException>(() => new SimdEngine(-1));
    }

    [Fact]
    public void A_disposed_engine_says_so()
    {
        var engine = new SimdEngine(2);
        engine.Dispose();
        FourierMap map = EngineCases.Dense(3, 5);
        Assert.Throws<ObjectDisposedException>(() => engine.AddFourier(map, EngineCases.Normal(2, 3), new long[10]));
    }

    static void AssertClose(double[] expected, double[] sums, PairFunction function, Points points, Points queries)
    {
        for (int q = 0; q < sums.Length; q++)
            Assert.True(
                Math.Abs(sums[q] - expected[q]) <= 5e-6 * Size(function, points, queries.Row(q), expected[q]),
                $"{function.Entry.Name}: {sums[q]:r} against {expected[q]:r}");
    }

    static (long[] Counts, long[] Fractions) Signs(IEngine engine, SignMap map, Points points)
    {
        var counts = new long[map.Dimension * map.CellsPerCoordinate];
        var fractions = new long[counts.Length];
        engine.AddSigns(map, points, counts, fractions);
        return (counts, fractions);
    }
}
