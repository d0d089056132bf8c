namespace PrivateKernels.Tests;

/// <summary>Exact sums from norms and inner products: used only where their rounding cannot show.</summary>
public sealed class ExpandedFormTests
{
    static readonly ReferenceEngine Reference = new();

    public static TheoryData<string, string, int> Cases
    {
        get
        {
            var data = new TheoryData<string, string, int>();
            foreach (string function in HardSums.Functions)
                foreach (string name in HardSums.Names)
                    foreach (int d in new[] { 16, 129, 784 }) data.Add(function, name, d);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Sums_hold_to_5e_6_at_the_smallest_bandwidth_that_allows_the_form_and_below(
        string function, string name, int d)
    {
        (Points points, Points queries) = HardSums.Of(name, d);
        double h = HardSums.SmallestBandwidth(function, points, queries);
        Assert.InRange(h, 2e-6, 9e5);
        foreach (double bandwidth in new[] { h, h * 0.99, h / 2 })
        {
            PairFunction f = Catalog.Create(function, bandwidth, 0);
            Assert.Equal(bandwidth == h, HardSums.IsExpanded(f, points, queries));
            double[] expected = new double[HardSums.Count];
            Reference.AddExactSums(f, points, queries, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var sums = new double[HardSums.Count];
                engine.AddExactSums(f, points, queries, sums);
                for (int q = 0; q < sums.Length; q++)
                    Assert.InRange(sums[q], expected[q] * (1 - 5e-6), expected[q] * (1 + 5e-6));
            }
        }
    }

    [Theory]
    [InlineData(16)]
    [InlineData(128)]
    [InlineData(784)]
    public void Normal_points_at_a_bandwidth_of_root_d_allow_the_form_wherever_they_lie(int d)
    {
        float[] x = EngineCases.Normal(2000, d).Values.ToArray(), y = EngineCases.Normal(64, d, seed: 2).Values.ToArray();
        foreach (float shift in new[] { 0f, 10f })
        {
            Points points = new(x.Select(v => v + shift).ToArray(), d), queries = new(y.Select(v => v + shift).ToArray(), d);
            Assert.True(HardSums.IsExpanded(new Gaussian(Math.Sqrt(d)), points, queries));
            Assert.False(HardSums.IsExpanded(new Gaussian(Math.Sqrt(d) / 10), points, queries));
        }
    }

    [Fact]
    public void Functions_that_are_steep_in_the_squared_distance_never_take_the_form()
    {
        Points points = EngineCases.Normal(100, 20);
        foreach (string name in new[] { "exponential", "inverse_l2", "l2", "l2_squared", "laplacian", "inner_product" })
        {
            PairFunctionEntry entry = Catalog.Functions.Single(f => f.Name == name);
            Assert.False(HardSums.IsExpanded(entry.Create(entry.UsesBandwidth ? 1e6 : 0, 0), points, points));
        }
    }

    [Theory]
    [MemberData(nameof(SmoothFunctions))]
    public void The_stated_slope_is_the_largest_relative_change_per_squared_distance(string name)
    {
        PairFunction f = Catalog.Create(name, 3, 0);
        double slope = f.Smooth!.Slope, largest = 0;
        for (double s = 0; s < 400; s += 0.1)
            largest = Math.Max(largest, Math.Log(f.Profile(s) / f.Profile(s + 1e-5)) / 1e-5);
        Assert.InRange(largest, slope * 0.99, slope * (1 + 1e-5));
    }

    public static TheoryData<string> SmoothFunctions => [.. HardSums.Functions];
}
