namespace PrivateKernels.Tests;

/// <summary>l2 under pure epsilon: trees of counts along random directions.</summary>
public sealed class ProjectedTreeTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void A_pure_account_gets_projected_trees_and_a_gaussian_one_slices()
    {
        Assert.IsType<ProjectedTreeSketch>(Plan(16).Measurement.Sketch);
        Assert.IsType<SlicedSketch>(SketchCases.Measurement("l2", 16).Sketch);
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(3, 600)]
    [InlineData(16, 1024)]
    [InlineData(129, 1024)]
    public void Answers_without_noise_are_distances_up_to_the_projection_error(int d, int directions)
    {
        Measurement measurement = Plan(d, directions).Measurement;
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        Release release = SketchCases.WithoutNoise(measurement, points, null, _engine);
        Answers answers = release.Estimate(new(queries, d), _engine);
        double stated = measurement.Sketch.Predict(0).ApproximationStdPerRecord * SamplePoints.Count;
        // In one dimension only the place within a leaf is lost, 1/256 of the domain at most.
        double leaf = d == 1 ? SamplePoints.Count * 2 * SketchCases.Domain(1).MaxNorm!.Value / 256 : 0;
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q * d, d));
            Assert.InRange(answers.Values[q], exact - 4 * stated - leaf, exact + 4 * stated + leaf);
        }
        Assert.Equal(SamplePoints.Count, release.Count()!.Value.Value, 1e-9);
    }

    [Fact]
    public void Queries_far_beyond_the_domain_are_answered_as_well()
    {
        const int d = 16;
        Measurement measurement = Plan(d, 1024).Measurement;
        float[] points = SamplePoints.Points(d);
        float[] y = [.. Enumerable.Range(0, d).Select(static i => i % 2 == 0 ? 40f : -30f)];
        Answers answers = SketchCases.WithoutNoise(measurement, points, null, _engine).Estimate(new(y, d), _engine);
        double exact = SamplePoints.Sum(measurement.Sketch.Function, points, y);
        Assert.InRange(answers.Values[0] / exact, 0.97, 1.03);
    }

    [Theory]
    [InlineData(0.2f, Adjacency.AddOrRemoveOne)]
    [InlineData(0.2f, Adjacency.ReplaceOne)]
    [InlineData(9f, Adjacency.AddOrRemoveOne)]
    public void Noise_of_answers_has_the_stated_size(float coordinate, Adjacency adjacency)
    {
        const int d = 3, draws = 4000;
        Measurement measurement = Plan(d, 12, adjacency).Measurement;
        double answer = 0, stated = 0;
        for (int draw = 0; draw < draws; draw++)
        {
            var cells = new long[measurement.CellCount];
            measurement.Noise.AddTo(cells);
            Answers answers = new Release(measurement, SketchCases.Provenance, cells)
                .Estimate(new(new[] { coordinate, -0.3f, 0.1f }, d), _engine);
            answer += answers.Values[0] * answers.Values[0];
            stated = answers.NoiseStd[0];
        }
        Assert.InRange(Math.Sqrt(answer / draws) / stated, 0.95, 1.05);
    }

    [Fact]
    public void The_size_chosen_gives_the_error_of_the_specification()
    {
        // 60,000 points 0.65 r apart: total 4.7 sqrt(S r / epsilon), S = 39,000 r.
        var facts = new DatasetFacts(new Domain(784, maxNorm: 10), Adjacency.AddOrRemoveOne, 1, 60_000, [], CostUnit.Epsilon);
        ReleasePlan plan = Planner.Plan(new() { Function = "l2", Loss = new PrivacyLoss(1, 0) }, facts, new());
        Assert.InRange(plan.Measurement.Sketch.Features, 340, 380);
        Assert.InRange(plan.Accuracy.TotalStdAtMaxRecords / (4.7 * 10 * Math.Sqrt(39_000)), 0.9, 1.25);
    }

    static ReleasePlan Plan(int d, int features = 0, Adjacency adjacency = Adjacency.AddOrRemoveOne, ulong seed = 5) =>
        Planner.Plan(
            new() { Function = "l2", Features = features, Seed = seed, Loss = new PrivacyLoss(1, 0) },
            SketchCases.Facts(d, adjacency, CostUnit.Epsilon), new());
}
