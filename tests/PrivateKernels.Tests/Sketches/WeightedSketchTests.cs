namespace PrivateKernels.Tests;

public sealed class WeightedSketchTests : IDisposable
{
    const float MaxAbsValue = 2.5f;

    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    /// <summary>A case of every sketch.</summary>
    public static TheoryData<string> Names =>
    [
        "gaussian", "laplacian", "gaussian/Fourier", "gaussian/HermiteGrid", "arc_cosine_0", "ntk_relu_1", "inner_product", "l1", "l2",
        "l2_squared", "lp_p@0.5", "lp_p@1.75", "lp_p@4", "gaussian by landmarks",
    ];

    public static TheoryData<string> PureNames => ["gaussian", "gaussian/Fourier", "arc_cosine_1", "inner_product", "l1", "l2", "lp_p@1"];

    /// <summary>v of sums.json, -1 to 1.</summary>
    static float[] GoldenValues => [.. Enumerable.Range(0, SamplePoints.Count).Select(static i => (i * 31 + 7) % 17 / 8f - 1)];

    static float[] Values => [.. GoldenValues.Select(static v => v * MaxAbsValue)];

    static Measurement Plan(
        string name, int d, bool weighted = true, Adjacency adjacency = Adjacency.AddOrRemoveOne, CostUnit unit = CostUnit.MuSquared,
        params string[] classes) => Planner.Plan(
            SketchCases.Request(name, d, unit) with { Weighted = weighted, PerClass = classes.Length > 0 },
            SketchCases.Facts(d, adjacency, unit, classes) with { MaxAbsValue = MaxAbsValue }, new()).Measurement;

    Release WithoutNoise(Measurement measurement, float[] points, float[] values, uint[]? labels = null)
    {
        var cells = new long[measurement.CellCount];
        measurement.Sum([new Records((float[])points.Clone(), labels ?? [], values)], _engine, cells);
        return new(measurement, SketchCases.Provenance, cells);
    }

    [Fact]
    public void Plain_weighted_sums_are_the_golden_ones()
    {
        foreach (System.Text.Json.JsonElement row in GoldenFile.Read("sums.json").Rows("dims"))
        {
            int d = row.GetProperty("d").GetInt32(), q = 0;
            PairFunction f = SamplePoints.Function("gaussian", d);
            double[][] points = [.. Enumerable.Range(0, SamplePoints.Count).Select(i => SamplePoints.Point(i, d))];
            foreach (System.Text.Json.JsonElement golden in row.GetProperty("sums").Rows("gaussian_weighted"))
            {
                double[] y = SamplePoints.Query(q++, d);
                double sum = points.Zip(GoldenValues, (x, v) => v * f.Evaluate<double>(x, y)).Sum();
                Assert.Equal(golden.GetDouble(), sum, 1e-12 * SamplePoints.Count);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Answers_without_noise_are_the_weighted_sums(string name) => AssertSums(Plan(name, 3));

    [Theory]
    [MemberData(nameof(PureNames))]
    public void The_same_under_pure_epsilon(string name) => AssertSums(Plan(name, 3, unit: CostUnit.Epsilon));

    void AssertSums(Measurement measurement)
    {
        const int d = 3;
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        Answers answers = WithoutNoise(measurement, points, Values).Estimate(new(queries, d), _engine);
        double predicted = measurement.Sketch.Predict(0).ApproximationStdPerRecord * SamplePoints.Count;
        double iid = MaxAbsValue * SamplePoints.Count * Math.Sqrt(0.5 / Math.Max(1, measurement.Sketch.Features));
        PairFunction f = measurement.Sketch.Function;
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            float[] y = [.. queries.AsSpan(q * d, d)];
            double exact = Enumerable.Range(0, SamplePoints.Count)
                .Sum(i => Values[i] * f.Evaluate(points.AsSpan(i * d, d), y));
            double error = Math.Abs(answers.Values[q] - exact);
            // As for unweighted sums; places in a grid cell are lost, and weights within 2^-13 of V where they are integers.
            double most = answers.DegreesOfFreedom > 0 ? 6 * Math.Max(predicted, iid)
                : f is LpP or L1 ? 6 * answers.ApproximationStd[q] : answers.ApproximationStd[q];
            Assert.True(error <= most + 1e-9 * SamplePoints.Count, $"{name(f)}: {error} > {most}");
        }

        static string name(PairFunction f) => f.Entry.Name;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Values_of_one_give_the_unweighted_answers_and_beyond_the_bound_no_more_than_at_it(string name)
    {
        float[] points = SamplePoints.Points(3), whole = [.. Enumerable.Repeat(MaxAbsValue, SamplePoints.Count)];
        var queries = new Points(SamplePoints.QueryPoints(3), 3);
        Answers plain = SketchCases.WithoutNoise(Plan(name, 3, weighted: false), points, null, _engine).Estimate(queries, _engine);
        Measurement measurement = Plan(name, 3);
        Release weighted = WithoutNoise(measurement, points, whole);
        Answers answers = weighted.Estimate(queries, _engine);
        for (int q = 0; q < queries.Count; q++)
            Assert.Equal(MaxAbsValue * plain.Values[q], answers.Values[q], 1e-5 * Math.Abs(plain.Values[q]) + 1e-3);
        Assert.Equal(weighted.Cells, WithoutNoise(measurement, points, [.. whole.Select(static v => v * 1e6f)]).Cells);
        Assert.All(
            WithoutNoise(measurement, points, [.. whole.Select(static _ => float.NaN)]).Cells, static cell => Assert.Equal(0, cell));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Noise_grows_by_the_bound_on_values_and_at_most_by_a_count(string name)
    {
        double plain = Plan(name, 3, weighted: false) is var p ? p.Sketch.Predict(p.Noise.Variance).NoiseStd : 0;
        double weighted = Plan(name, 3) is var w ? w.Sketch.Predict(w.Noise.Variance).NoiseStd : 0;
        Assert.InRange(weighted / (MaxAbsValue * plain), 0.9999, 1.021);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Counts_are_of_records_whatever_their_values(string name)
    {
        Measurement measurement = Plan(name, 3, classes: ["a", "b", "c"]);
        uint[] labels = [.. Enumerable.Range(0, SamplePoints.Count).Select(static i => i < 200 ? 0u : 2u)];
        Release release = WithoutNoise(measurement, SamplePoints.Points(3), Values, labels);
        double[] counts = [.. release.EstimateByClass(new(SamplePoints.QueryPoints(3), 3), _engine).Select(static a => a.Count)];
        Assert.Equal([200, 0, 57], counts);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_weighted_release_read_back_answers_with_the_same_bits(string name)
    {
        Measurement measurement = Plan(name, 3);
        Release release = measurement.Invoke(
            SketchCases.Receipt(measurement), [new(SamplePoints.Points(3), default, Values)], _engine, static () => { });
        byte[] file = ReleaseFile.Write(release);
        Assert.Equal(ReleaseFile.SizeOf(measurement), file.Length);
        Release read = ReleaseFile.Read(file);
        var queries = new Points(SamplePoints.QueryPoints(3), 3);
        Assert.Equal(release.Estimate(queries, _engine).Values, read.Estimate(queries, _engine).Values);
        Assert.Equal(release.Estimate(queries, _engine).HalfWidth95, read.Estimate(queries, _engine).HalfWidth95);
        Assert.Equal(MaxAbsValue, Assert.IsType<WeightedSketch>(read.Sketch).MaxAbsValue);
    }

    [Fact]
    public void Data_without_values_has_no_weighted_sums()
    {
        var refused = Assert.Throws<InvalidFieldException>(() => Planner.Plan(
            SketchCases.Request("l1", 3) with { Weighted = true }, SketchCases.Facts(3), new()));
        Assert.Equal("weighting", refused.Field);
        Measurement measurement = Plan("l1", 3);
        Assert.Throws<ArgumentException>(() => SketchCases.WithoutNoise(measurement, SamplePoints.Points(3), null, _engine));
    }
}
