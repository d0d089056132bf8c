using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class GaussianDpTests
{
    /// <summary>golden/README.md: 1e-12 relative, 1e-9 where delta is below 1e-12.</summary>
    static double Tolerance(double delta) => delta < 1e-12 ? 1e-9 : 1e-12;

    [Fact]
    public void Mu_matches_the_golden_noise_ratios()
    {
        foreach (JsonElement row in GoldenFile.Read("gaussian_sigma.json").Rows("rows"))
        {
            double epsilon = row.Number("eps"), delta = row.Number("delta");
            double mu = GaussianDp.Mu(epsilon, delta);
            GoldenFile.Close(row.Number("mu"), mu, Tolerance(delta), $"mu({epsilon}, {delta})");
        }
    }

    [Fact]
    public void Delta_matches_the_golden_curve()
    {
        foreach (JsonElement row in GoldenFile.Read("gdp_curve.json").Rows("delta_of_eps"))
        {
            double mu = row.Number("mu"), epsilon = row.Number("eps"), expected = row.Number("delta");
            double actual = GaussianDp.Delta(epsilon, mu);
            string what = $"delta({epsilon}; {mu})";
            if (expected < 1e-290) Assert.True(actual < 1e-289, what);
            else GoldenFile.Close(expected, actual, Tolerance(expected), what);
        }
    }

    [Fact]
    public void Epsilon_matches_the_golden_curve()
    {
        foreach (JsonElement row in GoldenFile.Read("gdp_curve.json").Rows("eps_of_delta"))
        {
            double mu = row.Number("mu"), delta = row.Number("delta");
            GoldenFile.Close(row.Number("eps"), GaussianDp.Epsilon(delta, mu), Tolerance(delta), $"eps({delta}; {mu})");
        }
    }

    [Fact]
    public void Pure_to_mu_matches_the_golden_quantiles()
    {
        foreach (JsonElement row in GoldenFile.Read("pure_to_mu.json").Rows("rows"))
            GoldenFile.Close(row.Number("mu"), GaussianDp.PureToMu(row.Number("eps")), 1e-12, $"{row}");
    }

    [Theory]
    [InlineData(1e-6, 1e-12), InlineData(3e-4, 1e-9), InlineData(0.02, 1e-6), InlineData(1, 0.3), InlineData(50, 0.999)]
    [InlineData(700, 1e-10), InlineData(2000, 0.5)]
    public void Epsilon_and_mu_undo_delta_at_any_scale(double mu, double delta)
    {
        double epsilon = GaussianDp.Epsilon(delta, mu);
        GoldenFile.Close(delta, GaussianDp.Delta(epsilon, mu), 1e-9, "delta");
        GoldenFile.Close(mu, GaussianDp.Mu(epsilon, delta), 1e-11, "mu");
    }
}
