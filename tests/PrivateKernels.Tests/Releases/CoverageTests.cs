using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// Error bars that are true: fresh releases of every function and structure, noise and public randomness drawn anew each time.
/// The scale is small by default; the long run makes 1,000 releases and 40,000 draws of noise for each and then holds coverage
/// to 93 % and more, no bar far wider than that, and noise to 3 %.
/// </summary>
public sealed class CoverageTests(ITestOutputHelper output) : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(ReleaseCase.All), MemberType = typeof(ReleaseCase))]
    public void Bars_of_95_percent_cover_the_exact_sum_about_as_often_as_they_say(string name)
    {
        int releases = Scale.IsLong ? 1000 : 50, covered = 0, freedom = 0;
        var @case = new ReleaseCase(name);
        int d = @case.Dimension;
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        double[]? exact = null;
        for (int release = 0; release < releases; release++)
        {
            Measurement measurement = @case.Small((ulong)release);
            exact ??= [.. Enumerable.Range(0, SamplePoints.Queries).Select(q => @case.Sum(
                measurement.Sketch.Function, points, queries.AsSpan(q * d, d)))];
            Answers answers = measurement
                .Invoke(SketchCases.Receipt(measurement, @case.Unit), [@case.Rows(points)], _engine, static () => { })
                .Estimate(new(queries, d), _engine);
            for (int q = 0; q < exact.Length; q++)
            {
                if (Math.Abs(answers.Values[q] - exact[q]) <= answers.HalfWidth95[q]) covered++;
                Assert.False(answers.HalfWidth95[q] < 1.96 * answers.NoiseStd[q]);
            }
            freedom = answers.DegreesOfFreedom;
        }
        double coverage = covered / (double)(releases * SamplePoints.Queries);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {coverage:0.0000}, {freedom} degrees of freedom"));
        // Answers of one release share its noise, so they count for little more than one: 2.9 % of standard error at 50.
        Assert.True(coverage >= (Scale.IsLong ? 0.93 : 0.82), $"{coverage}");
        // A bound on the discretisation may be far above it; an estimated bar may not be wide.
        // It is never below the noise alone, so where noise is all there is it covers 96.6 % (16 groups) to 98.3 % (4).
        if (Scale.IsLong && freedom > 0) Assert.True(coverage <= 0.99, $"{coverage}");
    }

    [Theory]
    [MemberData(nameof(ReleaseCase.All), MemberType = typeof(ReleaseCase))]
    public void Noise_in_an_answer_and_in_a_count_has_the_stated_standard_deviation(string name)
    {
        int draws = Scale.IsLong ? 40_000 : 4_000;
        var @case = new ReleaseCase(name);
        var query = new Points(SamplePoints.QueryPoints(@case.Dimension).AsMemory(0, @case.Dimension), @case.Dimension);
        foreach (Adjacency adjacency in @case.Adjacencies)
        {
            Measurement measurement = @case.Small(1, adjacency, features: 16);
            var cells = new long[measurement.CellCount];
            double sum = 0, stated = 0, counts = 0, countStated = 0;
            for (int draw = 0; draw < draws; draw++)
            {
                Array.Clear(cells);
                measurement.Noise.AddTo(cells);
                var release = new Release(measurement, SketchCases.Provenance, cells);
                Answers answers = release.Estimate(query, _engine);
                sum += answers.Values[0] * answers.Values[0];
                stated = answers.NoiseStd[0];
                if (release.Count() is not { } count) continue;
                counts += count.Value * count.Value;
                countStated = count.NoiseStd;
            }
            double ratio = Math.Sqrt(sum / draws) / stated;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, {adjacency}: measured over stated {ratio:0.0000}"));
            // Standard error 0.35 %, or 1.1 % at the small scale.
            Assert.InRange(ratio, Scale.IsLong ? 0.97 : 0.945, Scale.IsLong ? 1.03 : 1.055);
            // Some counts are a single Laplace draw: 0.6 % and 1.8 %.
            if (countStated > 0)
                Assert.InRange(Math.Sqrt(counts / draws) / countStated, Scale.IsLong ? 0.97 : 0.9, Scale.IsLong ? 1.03 : 1.1);
        }
    }

    /// <summary>An answer from one cell has one Laplace draw in it, whose 95 % reach further than those of a normal law.</summary>
    [Fact]
    public void A_bar_around_a_single_laplace_draw_covers_95_percent()
    {
        ReleaseRequest request = SketchCases.Request("inner_product", 1, CostUnit.Epsilon);
        Measurement measurement = Planner.Plan(request, SketchCases.Facts(1, unit: CostUnit.Epsilon), new()).Measurement;
        Answers answers = new Release(measurement, SketchCases.Provenance, new long[measurement.CellCount])
            .Estimate(new(new[] { 0.5f }, 1), _engine);
        // P(|X| > x) = exp(-sqrt 2 x / std).
        double outside = Math.Exp(-Math.Sqrt(2) * (answers.HalfWidth95[0] - answers.ApproximationStd[0]) / answers.NoiseStd[0]);
        Assert.InRange(outside, 0.049, 0.05);
    }
}
