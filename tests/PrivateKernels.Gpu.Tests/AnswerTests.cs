using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>Answers, which have the processor's bits, and exact sums, which have its accuracy.</summary>
public sealed class AnswerTests(OneEngine shared) : IDisposable
{
    readonly GpuEngine _engine = shared.Engine;
    readonly SimdEngine _simd = new(1);

    public static TheoryData<string> Functions => [.. Catalog.Functions.Select(static f => f.Name)];

    public void Dispose() => _simd.Dispose();

    [Theory]
    [InlineData(true, 1, 1, 1)]
    [InlineData(true, 70, 3, 4)]
    [InlineData(false, 1, 1, 1)]
    [InlineData(false, 140, 2, 5)]
    public void Projections_have_the_bits_of_the_processor(bool structured, int queries, int columns, int groups)
    {
        var samples = new Samples((ulong)(queries + columns));
        FourierMap map = structured ? samples.StructuredMap(40, 64, 4, groups) : samples.DenseMap(40, 300, groups);
        Points y = samples.EdgePoints(queries, 40);
        double[] weights = [.. Enumerable.Range(0, 2 * map.Frequencies * columns).Select(
            _ => (double)samples.Normal())];
        double[] sums = new double[queries * columns * groups], same = new double[sums.Length];
        _engine.ProjectFourier(map, y, weights, columns, sums);
        _simd.ProjectFourier(map, y, weights, columns, same);
        Assert.Equal(same, sums);
    }

    [Fact]
    public void A_device_without_double_precision_answers_with_the_same_bits()
    {
        var samples = new Samples(22);
        using var engine = new GpuEngine(
            [Devices.UnderTest with { HasDouble = false }], new NoFallback(), new() { IsForced = true });
        FourierMap map = samples.StructuredMap(40, 64, 4, 2);
        Points y = samples.EdgePoints(9, 40);
        double[] weights = [.. Enumerable.Range(0, 6 * map.Frequencies).Select(_ => (double)samples.Normal())];
        double[] sums = new double[54], same = new double[54];
        engine.ProjectFourier(map, y, weights, 3, sums);
        _simd.ProjectFourier(map, y, weights, 3, same);
        Assert.Equal(same, sums);
    }

    [Fact]
    public void An_answer_has_the_same_bits_alone_and_in_a_batch()
    {
        var samples = new Samples(21);
        FourierMap map = samples.StructuredMap(40, 64, 4, 2);
        Points y = samples.NormalPoints(1100, 40);
        double[] weights = [.. Enumerable.Range(0, 2 * map.Frequencies).Select(_ => (double)samples.Normal())];
        var batch = new double[2200];
        var alone = new double[2];
        _engine.ProjectFourier(map, y, weights, 1, batch);
        foreach (int q in new[] { 0, 511, 1023, 1024, 1099 })
        {
            _engine.ProjectFourier(map, y.Slice(q, 1), weights, 1, alone);
            Assert.Equal(alone, batch[(2 * q)..(2 * q + 2)]);
        }
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void Exact_sums_of_every_function_are_within_five_millionths(string name)
    {
        PairFunctionEntry entry = Catalog.Functions.Single(f => f.Name == name);
        PairFunction function = Catalog.Create(name, entry.UsesBandwidth ? 4 : 0, entry.UsesExponent ? 1.5 : 0);
        foreach ((int points, int queries, int dimension) in new[] { (1, 1, 1), (131, 130, 9) })
        {
            var samples = new Samples(31);
            Points x = samples.NormalPoints(points, dimension), y = samples.NormalPoints(queries, dimension);
            var sums = new double[queries];
            _engine.AddExactSums(function, x, y, sums);
            for (int q = 0; q < queries; q++)
            {
                double exact = Enumerable.Range(0, points).Sum(row => function.Evaluate(x.Row(row), y.Row(q)));
                // Inner products cancel: their error is measured by the lengths.
                double scale = function.Geometry == PairGeometry.InnerProduct
                    ? Enumerable.Range(0, points).Sum(row => Length(x.Row(row)) * Length(y.Row(q)))
                    : exact;
                Assert.InRange(sums[q], exact - 5e-6 * scale, exact + 5e-6 * scale);
            }
        }
    }

    public static TheoryData<string, string> HardCases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string function in HardSums.Functions)
                foreach (string name in HardSums.Names) data.Add(function, name);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(HardCases))]
    public void Sums_from_norms_and_inner_products_hold_where_they_are_only_just_allowed(string name, string hard)
    {
        foreach (int d in new[] { 17, 784 })
        {
            (Points x, Points y) = HardSums.Of(hard, d);
            PairFunction function = Catalog.Create(name, HardSums.SmallestBandwidth(name, x, y), 0);
            var sums = new double[HardSums.Count];
            _engine.AddExactSums(function, x, y, sums);
            for (int q = 0; q < sums.Length; q++)
            {
                double exact = Enumerable.Range(0, x.Count).Sum(row => function.Evaluate(x.Row(row), y.Row(q)));
                Assert.InRange(sums[q], exact * (1 - 5e-6), exact * (1 + 5e-6));
            }
        }
    }

    [Fact]
    public void Every_function_that_may_take_norms_and_inner_products_has_a_program_for_them() =>
        Assert.Equal(
            Catalog.Functions.Select(static f => f.Create(f.UsesBandwidth ? 1 : 0, 0)).Select(static f => f.Smooth is not null),
            Catalog.Functions.Select(static f => f.Create(f.UsesBandwidth ? 1 : 0, 0))
                .Select(static f => DeviceProfile.Of(f)?.Expanded is not null));

    [Fact]
    public void Centred_points_in_many_slots_give_the_sums_of_the_processor()
    {
        int compiled = 0;
        using var engine = new GpuEngine([Devices.UnderTest], new NoFallback(), new()
        {
            IsForced = true,
            SlotBytes = 1 << 20,
            Probe = _ => step => compiled += step == DeviceStep.Compile ? 1 : 0,
        });
        // Several slots and chunks, the last tile not whole; far from the origin.
        var samples = new Samples(36);
        float[] values = [.. samples.Normals(20_100 * 24).Select(static v => v + 50)];
        Points x = new(values, 24), y = x.Slice(0, 33);
        double[] sums = new double[33], same = new double[33];
        engine.AddExactSums(new Gaussian(5), x, y, sums);
        _simd.AddExactSums(new Gaussian(5), x, y, same);
        Assert.Equal(2, compiled);
        for (int q = 0; q < sums.Length; q++) Assert.Equal(1, sums[q] / same[q], 2e-6);
    }

    [Theory]
    [InlineData("arc_cosine_0", 0)]
    [InlineData("arc_cosine_1", 0)]
    [InlineData("ntk_relu_1", 0)]
    [InlineData("lp_p", 0.3)]
    [InlineData("lp_p", 4)]
    [InlineData("lp_p", 6)]
    [InlineData("rational_quadratic", 50)]
    public void Exact_sums_in_double_precision_hold_where_single_precision_would_not(string name, double exponent)
    {
        PairFunction function = Catalog.Create(name, name == "rational_quadratic" ? 1 : 0, exponent);
        var samples = new Samples(34);
        // Equal, opposite and nearly opposite vectors, and the zero vector; a pair alone, so that nothing hides it.
        Points y = samples.NormalPoints(1, 20);
        (float, float)[] changes = [(1, 0), (-1, 0), (-3, 0.01f), (2, 0.01f), (0, 0), (30, 0)];
        foreach ((float factor, float shift) in changes)
        {
            float[] x = [.. y.Values.ToArray().Select((v, k) => v * factor + (k == 0 ? shift : 0))];
            var sum = new double[1];
            _engine.AddExactSums(function, new Points(x, 20), y, sum);
            double exact = function.Evaluate<float>(x, y.Row(0));
            Assert.Equal(exact, sum[0], 1e-6 * Math.Abs(exact) + 1e-15);
        }
    }

    [Fact]
    public void Logarithm_exponential_and_angle_are_right_to_thirteen_digits()
    {
        var samples = new Samples(35);
        for (int i = 0; i < 20_000; i++)
        {
            double x = Math.ScaleB(1 + samples.Uniform(), i % 200 - 100);
            Assert.Equal(Math.Log2(x), PreciseMath.Log2(x), 1e-13 * Math.Max(1, Math.Abs(Math.Log2(x))));
            double e = 1000 * (samples.Uniform() - 0.5);
            Assert.Equal(1, PreciseMath.Exp2(e) / Math.Pow(2, e), 2e-13);
            double a = samples.Uniform(), b = Math.ScaleB(samples.Uniform(), -(i % 60));
            Assert.Equal(1, PreciseMath.Angle(b, a) / Math.Atan2(b, a), 1e-14);
            Assert.Equal(Math.Atan2(a, b), PreciseMath.Angle(a, b), 1e-14);
        }
        Assert.Equal(0, PreciseMath.Exp2(-1001));
        Assert.Equal(0, PreciseMath.Angle(0, 1));
    }

    static double Length(ReadOnlySpan<float> x)
    {
        double sum = 0;
        foreach (float value in x) sum += (double)value * value;
        return Math.Sqrt(sum);
    }

    [Fact]
    public void Exact_sums_over_many_points_lose_nothing_to_single_precision()
    {
        var samples = new Samples(32);
        Points x = samples.NormalPoints(70_000, 1), y = samples.NormalPoints(2, 1);
        var gaussian = new Gaussian(2);
        var sums = new double[2];
        _engine.AddExactSums(gaussian, x, y, sums);
        for (int q = 0; q < 2; q++)
        {
            double exact = Enumerable.Range(0, x.Count).Sum(row => gaussian.Evaluate(x.Row(row), y.Row(q)));
            Assert.InRange(sums[q], exact * (1 - 5e-6), exact * (1 + 5e-6));
        }
    }

    [Fact]
    public void Square_root_and_reciprocal_are_those_of_IEEE_for_every_exponent()
    {
        var samples = new Samples(33);
        for (int i = 0; i < 200_000; i++)
        {
            float mantissa = 1f + (float)samples.Uniform(), x = MathF.ScaleB(mantissa, i % 254 - 126);
            Assert.Equal(MathF.Sqrt(x), DeviceMath.Sqrt(x));
            x = MathF.ScaleB(mantissa, i % 179 - 60);
            Assert.Equal(1f / x, DeviceMath.Reciprocal(x));
        }
        Assert.Equal(0f, DeviceMath.Sqrt(0f));
        Assert.Equal(1f / MathF.BitDecrement(2f), DeviceMath.Reciprocal(MathF.BitDecrement(2f)));
    }
}
