namespace PrivateKernels.Tests;

public sealed class HermiteGridTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1, 0.03, 0)]
    [InlineData(1, 0.3, 4)]
    [InlineData(2, 0.2, 0)]
    [InlineData(3, 0.4, 0)]
    [InlineData(3, 0.4, 12)]
    public void Answers_without_noise_are_the_sums_within_the_stated_bound(int d, double bandwidth, int terms)
    {
        Measurement measurement = Plan(d, bandwidth, terms);
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        Answers answers = SketchCases.WithoutNoise(measurement, points, null, _engine).Estimate(new(queries, d), _engine);
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q * d, d));
            Assert.InRange(answers.Values[q], exact - answers.ApproximationStd[q], exact + answers.ApproximationStd[q]);
            Assert.InRange(answers.ApproximationStd[q] / SamplePoints.Count, 1e-8, terms == 4 ? 0.02 : 2e-4);
        }
    }

    [Fact]
    public void The_planner_takes_it_only_when_it_is_asked_for()
    {
        var request = new ReleaseRequest { Function = "gaussian", Bandwidth = 0.3, Loss = new PrivacyLoss(1, 1e-6) };
        Assert.Equal(SketchMethod.FrequencyGrid, Planner.Plan(request, SketchCases.Facts(2), new()).Request.Method);
        Assert.IsType<HermiteGridSketch>(Plan(2, 0.3).Sketch);
        Assert.Equal("method", Assert.Throws<InvalidFieldException>(() => Plan(4, 0.3)).Field);
        Assert.Equal("features", Assert.Throws<InvalidFieldException>(() => Plan(2, 0.3, 13)).Field);
        Assert.Equal("function.bandwidth", Assert.Throws<InvalidFieldException>(() => Plan(3, 1e-3)).Field);
    }

    /// <summary>The specification's figures for cubes of half-side h / 4: 2.13 sigma at the worst y, to the power of d.</summary>
    [Theory]
    [InlineData(1, 2.13)]
    [InlineData(2, 4.55)]
    [InlineData(3, 9.71)]
    public void Noise_is_that_of_the_specification(int d, double ratio)
    {
        // One cube more than the box holds would shrink them all: half a unit in 0.125 / 0.5 steps is exact.
        Measurement measurement = Plan(d, 0.125);
        double sigma = 4.2247;
        Assert.Equal(ratio, measurement.Sketch.Predict(measurement.Noise.Variance).NoiseStd / sigma, 0.03 * ratio);
        Release noise = new(measurement, SketchCases.Provenance, new long[measurement.CellCount]);
        double[] stated = noise.Estimate(new(SamplePoints.QueryPoints(d), d), _engine).NoiseStd;
        Assert.InRange(stated.Max() / sigma, 0.5 * ratio, 1.002 * ratio);
    }

    static Measurement Plan(int d, double bandwidth, int terms = 0)
    {
        var request = new ReleaseRequest
        {
            Function = "gaussian",
            Bandwidth = bandwidth,
            Method = SketchMethod.HermiteGrid,
            Features = terms,
            Loss = new PrivacyLoss(1, 1e-6),
        };
        return Planner.Plan(request, SketchCases.Facts(d), new()).Measurement;
    }
}
