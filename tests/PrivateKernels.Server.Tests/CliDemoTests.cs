using System.Text.Json;
using PrivateKernels.Cli;

namespace PrivateKernels.Tests;

public sealed class CliDemoTests
{
    [Fact]
    public async Task The_demo_stays_within_its_budget_and_close_to_the_exact_sums()
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode =
            await CommandLine.RunAsync(["demo", "--json"], output, error, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        JsonElement demo = JsonDocument.Parse(output.ToString()).RootElement;

        Assert.Equal((1, 1e-5), (demo.GetProperty("epsilon").GetDouble(), demo.GetProperty("delta").GetDouble()));
        Assert.InRange(demo.GetProperty("spent").GetProperty("epsilon").GetDouble(), 0.99, 1);
        Assert.Equal("BUDGET_EXHAUSTED", demo.GetProperty("refused").GetProperty("reason").GetString());
        Assert.Equal(9000, demo.GetProperty("rows").GetInt64());
        // About 80 %; guessing would be right once in ten times.
        Assert.InRange(demo.GetProperty("accuracy").GetDouble(), 0.7, 0.9);
        foreach (string function in new[] { "gaussian", "l1", "l2_squared" })
        {
            double rmse = demo.GetProperty("rmse").GetProperty(function).GetDouble();
            double spread = double.Hypot(
                demo.GetProperty("noise_std").GetProperty(function).GetDouble(),
                demo.GetProperty("approximation_std").GetProperty(function).GetDouble());
            Assert.InRange(rmse, 0.01 * spread, 5 * spread);
            Assert.True(demo.GetProperty("relative_rmse").GetProperty(function).GetDouble() < 0.08, function);
        }
        Assert.True(demo.GetProperty("seconds").GetProperty("total").GetDouble() > 0);
    }
}
