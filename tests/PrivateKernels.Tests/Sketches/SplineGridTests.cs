namespace PrivateKernels.Tests;

public sealed class SplineGridTests(ITestOutputHelper output) : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1, 0.03, 0)]
    [InlineData(1, 30, 0)]
    [InlineData(2, 0.1, 0)]
    [InlineData(2, 0.2, 5)]
    [InlineData(2, 3, 1)]
    [InlineData(3, 0.2, 0)]
    [InlineData(3, 0.4, 3)]
    public void Answers_without_noise_are_the_sums_within_the_stated_bound(int d, double bandwidth, int intervals)
    {
        Measurement measurement = Plan(d, bandwidth, intervals);
        float[] points = SamplePoints.Points(d), queries = [.. SamplePoints.QueryPoints(d), .. Enumerable.Repeat(0.9f, d)];
        Answers answers = SketchCases.WithoutNoise(measurement, points, null, _engine).Estimate(new(queries, d), _engine);
        for (int q = 0; q < answers.Values.Length; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q * d, d));
            Assert.InRange(answers.Values[q], exact - answers.ApproximationStd[q], exact + answers.ApproximationStd[q]);
            Assert.InRange(answers.ApproximationStd[q] / SamplePoints.Count, 1e-12, intervals == 0 ? 3e-4 : 0.5);
        }
    }

    /// <summary>The bound may be no guess: single records, where it must hold as well, come near it.</summary>
    [Theory]
    [InlineData(1, 0.1, 10)]
    [InlineData(2, 0.2, 6)]
    public void The_bound_is_reached_by_single_records(int d, double bandwidth, int intervals)
    {
        Measurement measurement = Plan(d, bandwidth, intervals);
        double worst = 0, bound = measurement.Sketch.Predict(1).ApproximationStdPerRecord;
        foreach (float x in (float[])[-0.5f, -0.27f, -0.013f, 0.2f, 0.5f])
        {
            float[] point = [.. Enumerable.Repeat(x, d)];
            Release release = SketchCases.WithoutNoise(measurement, point, null, _engine);
            float[] queries = [.. Enumerable.Range(-60, 121).SelectMany(i => Enumerable.Repeat(i / 100f, d))];
            Answers answers = release.Estimate(new(queries, d), _engine);
            for (int q = 0; q < answers.Values.Length; q++)
            {
                double exact = SamplePoints.Sum(measurement.Sketch.Function, point, queries.AsSpan(q * d, d));
                worst = Math.Max(worst, Math.Abs(answers.Values[q] - exact));
            }
        }
        output.WriteLine($"{worst} of {bound}");
        Assert.InRange(worst / bound, 0.3, 1);
    }

    [Theory]
    [InlineData(1, Adjacency.AddOrRemoveOne)]
    [InlineData(2, Adjacency.ReplaceOne)]
    [InlineData(3, Adjacency.AddOrRemoveOne)]
    public void No_record_adds_more_than_the_stated_norm(int d, Adjacency adjacency)
    {
        Measurement measurement = Plan(d, 0.3, 0, adjacency);
        Sensitivity stated = measurement.Sketch.Sensitivity(adjacency);
        var random = new PublicRandom(5);
        long most = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            long[] one = Contribution(measurement, Point(random, d)), other = Contribution(measurement, Point(random, d));
            long distance = adjacency == Adjacency.ReplaceOne
                ? one.Zip(other, static (a, b) => Math.Abs(a - b)).Sum()
                : one.Sum(Math.Abs);
            most = Math.Max(most, distance);
            Assert.True(distance <= stated.L1, $"{distance} > {stated.L1}");
        }
        // The bound is tight: a record far from another's cells moves all of it.
        Assert.True(most > 0.999 * (double)stated.L1, $"{most} of {stated.L1}");
    }

    /// <summary>Also what no canonical point can be: the limit holds for every number there is.</summary>
    static float[] Point(PublicRandom random, int d) =>
    [
        .. Enumerable.Range(0, d).Select(_ => (random.NextBelow(12)) switch
        {
            0 => -0.5f,
            1 => 0.5f,
            2 => float.NaN,
            3 => float.PositiveInfinity,
            4 => -3e38f,
            5 => 1e-45f,
            _ => (float)(random.NextUnit() - 0.5),
        }),
    ];

    long[] Contribution(Measurement measurement, float[] point)
    {
        var cells = new long[measurement.CellCount];
        measurement.Sketch.Add(_engine, new Points(point, point.Length), cells);
        return cells;
    }

    [Fact]
    public void The_planner_takes_it_under_pure_epsilon_where_it_errs_least()
    {
        Assert.Equal(SketchMethod.FrequencyGrid, Planner.Plan(
            new() { Function = "gaussian", Bandwidth = 0.3, Loss = new PrivacyLoss(1, 1e-6) }, SketchCases.Facts(2), new()).Request.Method);
        foreach ((int d, double bandwidth) in ((int, double)[])[(1, 0.01), (2, 0.1), (3, 0.2)])
        {
            DatasetFacts facts = SketchCases.Facts(d, unit: CostUnit.Epsilon);
            ReleasePlan plan = Planner.Plan(Request(bandwidth) with { Method = null }, facts, new());
            Assert.Equal(SketchMethod.SplineGrid, plan.Request.Method);
            Assert.All(Planner.Alternatives(plan, facts, new()),
                p => Assert.True(p.Accuracy.TotalStdAtMaxRecords >= 0.99 * plan.Accuracy.TotalStdAtMaxRecords, p.Reason));
        }
        Assert.Equal("method", Assert.Throws<InvalidFieldException>(() => Plan(4, 0.3)).Field);
        Assert.Equal("features", Assert.Throws<InvalidFieldException>(() => Plan(2, 0.05, 3)).Field);
        Assert.Equal("function.bandwidth", Assert.Throws<InvalidFieldException>(() => Plan(3, 1e-5)).Field);
        Assert.Equal("method", Assert.Throws<InvalidFieldException>(() => Planner.Plan(
            Request(0.3) with { Loss = new PrivacyLoss(1, 1e-6) }, SketchCases.Facts(2), new())).Field);
    }

    /// <summary>A bound on the file is kept by a coarser grid or another method, never by an error of its own.</summary>
    [Fact]
    public void A_goal_is_met_or_said_to_be_missed()
    {
        DatasetFacts facts = SketchCases.Facts(2, unit: CostUnit.Epsilon);
        foreach (long bytes in (long[])[100_000, 10_000, 3_000, 500])
            Assert.NotNull(Planner.Plan(Request(0.05) with { Method = null }, facts, new(), new(MaxFileBytes: bytes)));
        Assert.NotNull(Planner.Plan(Request(0.05), facts, new(), new(MaxFileBytes: 500)));
    }

    [Theory]
    [InlineData(1, 0.02, 3.3)]
    [InlineData(2, 0.1, 5.6)]
    [InlineData(3, 0.2, 9.6)]
    public void Noise_is_a_few_times_that_of_one_query(int d, double bandwidth, double most)
    {
        Measurement measurement = Plan(d, bandwidth);
        double predicted = measurement.Sketch.Predict(measurement.Noise.Variance).NoiseStd;
        Release noise = new(measurement, SketchCases.Provenance, new long[measurement.CellCount]);
        double stated = noise.Estimate(new(SamplePoints.QueryPoints(d), d), _engine).NoiseStd.Max();
        output.WriteLine($"{predicted} predicted, {stated} stated, {((SplineGridSketch)measurement.Sketch).Degree}, {measurement.Sketch.Features}");
        Assert.InRange(predicted, stated / 1.01, most);
    }

    static Measurement Plan(
        int d, double bandwidth, int intervals = 0, Adjacency adjacency = Adjacency.AddOrRemoveOne) => Planner.Plan(
            Request(bandwidth) with { Features = intervals }, SketchCases.Facts(d, adjacency, CostUnit.Epsilon), new()).Measurement;

    static ReleaseRequest Request(double bandwidth) => new()
    {
        Function = "gaussian",
        Bandwidth = bandwidth,
        Method = SketchMethod.SplineGrid,
        Loss = new PrivacyLoss(1, 0),
    };
}
