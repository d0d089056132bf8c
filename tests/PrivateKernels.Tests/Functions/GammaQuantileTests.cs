using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class GammaQuantileTests
{
    static readonly JsonElement Laws = GoldenFile.Read("radius_laws.json");

    [Fact]
    public void Quantiles_equal_the_golden_ones()
    {
        double[] u = [.. Laws.Rows("u").Select(static e => e.GetDouble())];
        foreach (JsonElement row in Laws.Rows("gamma"))
            for (int i = 0; i < u.Length; i++)
                GoldenFile.Close(
                    row.GetProperty("quantiles")[i].GetDouble(), GammaQuantile.Of(row.Number("shape"), u[i]), 1e-12,
                    $"Gamma({row.Number("shape")}) at {u[i]}");
    }

    [Fact]
    public void Quantile_and_distribution_function_are_inverse_to_each_other()
    {
        foreach (double shape in (double[])[0.05, 0.5, 1.5, 3, 40, 512])
            for (double u = 0.001; u < 1; u += 0.0357)
                if (GammaQuantile.Of(shape, u) is > 1e-14 and var x)
                    Assert.Equal(u, MathNet.Numerics.SpecialFunctions.GammaLowerRegularized(shape, x), 1e-11);
        // Below, P(G at most x) = x^a / Gamma(a + 1).
        Assert.Equal(0.001, Math.Pow(GammaQuantile.Of(0.05, 0.001), 0.05) / MathNet.Numerics.SpecialFunctions.Gamma(1.05), 1e-14);
    }
}
