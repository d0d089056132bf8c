using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class FrequencyGridTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Spacing_and_weights_are_the_golden_ones()
    {
        foreach (JsonElement row in GoldenFile.Read("frequency_grid.json").Rows("rows"))
        {
            FrequencyGrid grid = FrequencyGrid.Create(1, row.Number("L_over_h"), 1, row.Number("tolerance"), 10_000)!;
            GoldenFile.Close(row.Number("spacing_times_h"), grid.Turns * 2 * Math.PI, 1e-14, "spacing");
            double[] weights = [.. row.Rows("weights").Select(static e => e.GetDouble())];
            for (int j = 0; j < Math.Min(weights.Length, grid.Weights.Length); j++)
            {
                Assert.Equal(j, Math.Abs(grid.Vectors[j]));
                GoldenFile.Close(weights[j], grid.Weights[j], 1e-12, $"weight {j}");
            }
        }
    }

    [Theory]
    [InlineData(1, 20, 1e-6, 27)]
    [InlineData(2, 10, 1e-6, 446)]
    [InlineData(2, 10, 1e-4, 276)]
    [InlineData(3, 6, 1e-4, 2062)]
    [InlineData(3, 6, 1e-3, 1272)]
    public void The_kernel_is_met_within_the_tolerance_by_about_as_many_pairs_as_specified(int d, double length, double tolerance, int pairs)
    {
        FrequencyGrid grid = FrequencyGrid.Create(d, length, 1, tolerance, 10_000)!;
        Assert.InRange(grid.Weights.Length, 0.95 * pairs, 1.05 * pairs);
        pairs = grid.Weights.Length;
        var random = new PublicRandom(4);
        double worst = 0;
        for (int i = 0; i < 300; i++)
        {
            double[] z = [.. Enumerable.Range(0, d).Select(_ => length * (2 * random.NextUnit() - 1) * Math.Pow(random.NextUnit(), 2))];
            double sum = 0, square = 0;
            for (int j = 0; j < pairs; j++)
            {
                double turns = 0;
                for (int k = 0; k < d; k++) turns += grid.Vectors[j * d + k] * grid.Turns * z[k];
                sum += grid.Weights[j] * Math.Cos(2 * Math.PI * turns);
            }
            foreach (double coordinate in z) square += coordinate * coordinate;
            worst = Math.Max(worst, Math.Abs(sum - Math.Exp(-square)));
        }
        Assert.InRange(worst, 0, tolerance);
        Assert.Null(FrequencyGrid.Create(d, length, 1, tolerance, pairs - 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_planner_picks_the_grid_in_low_dimension_with_the_noise_of_a_single_query(int d)
    {
        foreach ((Adjacency adjacency, double factor) in ((Adjacency, double)[])[(Adjacency.AddOrRemoveOne, 1), (Adjacency.ReplaceOne, 2)])
        {
            ReleasePlan plan = Planner.Plan(Request, Facts(d) with { Adjacency = adjacency }, new());
            Assert.Equal(SketchMethod.FrequencyGrid, plan.Request.Method);
            Assert.InRange(plan.Accuracy.NoiseStd / (factor * 4.2247), 0.99, 1.001);
            Assert.InRange(plan.Accuracy.TotalStdAtMaxRecords / (factor * 4.2247), 0.99, 1.02);
        }
    }

    [Fact]
    public void Elsewhere_the_planner_keeps_random_features()
    {
        Assert.Equal(SketchMethod.Fourier, Planner.Plan(Request, Facts(4), new()).Request.Method);
        Assert.Equal(SketchMethod.Fourier, Planner.Plan(Request, Facts(2) with { Domain = new Domain(2) }, new()).Request.Method);
        Assert.Equal(SketchMethod.Fourier, Planner.Plan(Request with { Bandwidth = 1e-3 }, Facts(3), new()).Request.Method);
        Assert.Equal("method", Assert.Throws<InvalidFieldException>(
            () => Planner.Plan(Request with { Method = SketchMethod.FrequencyGrid }, Facts(4), new())).Field);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Under_pure_epsilon_the_plan_is_the_better_of_both(int d)
    {
        DatasetFacts facts = Facts(d) with { AccountUnit = CostUnit.Epsilon };
        ReleaseRequest pure = Request with { Loss = new PrivacyLoss(1, 0) };
        double best = Planner.Plan(pure, facts, new()).Accuracy.TotalStdAtMaxRecords;
        foreach (SketchMethod method in (SketchMethod[])[SketchMethod.Fourier, SketchMethod.FrequencyGrid])
            Assert.True(best <= Planner.Plan(pure with { Method = method }, facts, new()).Accuracy.TotalStdAtMaxRecords);
    }

    [Fact]
    public void Queries_outside_the_box_are_refused_and_a_release_reads_back()
    {
        Measurement measurement = Planner.Plan(Request, Facts(2), new()).Measurement;
        Release release = measurement.Invoke(
            SketchCases.Receipt(measurement), [new Records(SamplePoints.Points(2), default)], _engine, static () => { });
        Assert.Equal(DomainRule.Upper, Assert.Throws<OutOfDomainException>(
            () => release.Estimate(new(new[] { 0f, 4f }, 2), _engine)).Violation.Rule);
        var queries = new Points(SamplePoints.QueryPoints(2), 2);
        Release read = ReleaseFile.Read(ReleaseFile.Write(release));
        Assert.Equal(release.Estimate(queries, _engine).Values, read.Estimate(queries, _engine).Values);
        Assert.InRange(release.Count()!.Value.Value, SamplePoints.Count - 200, SamplePoints.Count + 200);
    }

    static ReleaseRequest Request => new() { Function = "gaussian", Bandwidth = 0.7, Loss = new PrivacyLoss(1, 1e-6) };

    static DatasetFacts Facts(int d) =>
        new(new Domain(d, -1, 2), Adjacency.AddOrRemoveOne, 1, 60_000, [], CostUnit.MuSquared);
}
