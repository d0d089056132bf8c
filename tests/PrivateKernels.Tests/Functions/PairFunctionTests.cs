using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class PairFunctionTests
{
    static readonly JsonElement Sums = GoldenFile.Read("sums.json");

    public static TheoryData<string> Names => [.. Catalog.Functions.Select(static e => e.Name)];

    public static TheoryData<string> Cases => [.. SamplePoints.Functions];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Sums_equal_the_golden_ones(string name)
    {
        foreach (JsonElement dimension in Sums.Rows("dims"))
        {
            int d = dimension.GetProperty("d").GetInt32();
            PairFunction f = SamplePoints.Function(name, d);
            string key = name switch
            {
                "cauchy" or "rational_quadratic" => "rational_quadratic_1",
                "lp_p@1" => "l1",
                "lp_p@2" => "l2_squared",
                _ => name.Replace('@', '_'),
            };
            // Powers have golden sums up to dimension 16, and none for p = 6.
            if (!dimension.GetProperty("sums").TryGetProperty(key, out JsonElement golden) && name.StartsWith("lp_p", StringComparison.Ordinal))
                continue;
            double[] expected = [.. golden.EnumerateArray().Select(static e => e.GetDouble())];
            double largest = f.Geometry == PairGeometry.Sphere ? 100 : f.Entry.IsKernel && f is not InnerProduct ? 1 : d;
            for (int q = 0; q < expected.Length; q++)
            {
                double sum = 0;
                for (int i = 0; i < SamplePoints.Count; i++)
                    sum += f.Evaluate<double>(SamplePoints.Point(i, d), SamplePoints.Query(q, d));
                Assert.Equal(expected[q], sum, 1e-12 * SamplePoints.Count * largest);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_function_is_symmetric_and_right_at_distance_zero(string name)
    {
        PairFunction f = SamplePoints.Function(name, 5);
        double[] x = SamplePoints.Point(3, 5), y = SamplePoints.Query(2, 5);
        Assert.Equal(f.Evaluate<double>(x, y), f.Evaluate<double>(y, x));
        double own = f is InnerProduct ? x.Sum(static v => v * v) : f.Entry.IsKernel ? 1 : 0;
        Assert.Equal(own, f.Evaluate<double>(x, x));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Parameters_that_a_function_does_not_take_are_refused_by_name(string name)
    {
        PairFunctionEntry entry = Catalog.Functions.Single(e => e.Name == name);
        double h = entry.UsesBandwidth ? 1 : 0;
        if (!entry.UsesBandwidth)
            Assert.Equal("bandwidth", Assert.Throws<InvalidFieldException>(() => Catalog.Create(name, 1, 0)).Field);
        else
            foreach (double bad in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            {
                var refused = Assert.Throws<InvalidFieldException>(() => Catalog.Create(name, bad, 0));
                Assert.Equal("bandwidth", refused.Field);
                Assert.StartsWith(bad == 0 ? "bandwidth is unset: " : "bandwidth is ", refused.Message, StringComparison.Ordinal);
                Assert.Contains("between 1e-9 and 1e9", refused.Message, StringComparison.Ordinal);
            }
        if (!entry.UsesExponent)
            Assert.Equal("exponent", Assert.Throws<InvalidFieldException>(() => Catalog.Create(name, h, 2)).Field);
    }

    [Fact]
    public void Functions_of_the_angle_ignore_lengths_and_are_0_at_0()
    {
        double[] x = [3, 0], near = [2, 2], opposite = [-0.1, 0], zero = [0, 0];
        foreach ((string name, double at45) in new[] { ("arc_cosine_0", 0.75), ("arc_cosine_1", 0.7554092), ("ntk_relu_1", 0.6428696) })
        {
            PairFunction f = Catalog.Create(name, 0, 0);
            Assert.Equal(at45, f.Evaluate<double>(x, near), 1e-7);
            Assert.Equal(0, f.Evaluate<double>(x, opposite), 1e-15);
            Assert.Equal(0, f.Evaluate<double>(x, zero));
            Assert.Equal(0, f.Evaluate<double>(zero, x));
        }
    }

    [Fact]
    public void An_unknown_function_is_named_together_with_the_known_ones()
    {
        var e = Assert.Throws<UnknownPairFunctionException>(() => Catalog.Create("gausian", 1, 0));
        Assert.Contains("gaussian", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_frequency_law_of_a_kernel_has_the_kernel_as_its_cosine_transform(string name)
    {
        PairFunction f = SamplePoints.Function(name, 3);
        if (!f.Entry.Methods.Contains(SketchMethod.Fourier)) return;
        // E cos(w . z) over many frequencies, at a few z: standard error 1 / sqrt(2 n).
        var shape = new FourierShape(3, 160_000, 16, 0);
        FourierMap map = Frequencies.Draw(f, shape, 5, Frequencies.DrawRadii(f, shape, 5));
        foreach (double[] z in (double[][])[[0.3, 0, 0], [0.2, -0.5, 0.4], [1, 1, -1]])
        {
            double mean = 0;
            for (int j = 0; j < map.Frequencies; j++)
                mean += Math.Cos(2 * Math.PI * (map.Rows[3 * j] * z[0] + map.Rows[3 * j + 1] * z[1] + map.Rows[3 * j + 2] * z[2]));
            Assert.Equal(f.Evaluate<double>(z, [0, 0, 0]), mean / map.Frequencies, 5 / Math.Sqrt(2 * map.Frequencies));
        }
    }
}
