using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// Error bars that are true: fresh releases of every function, noise and public randomness drawn anew each time. The scale
/// is small by default; PK_TEST_SCALE=long makes 1,000 releases and 40,000 draws of noise for each function and then holds coverage
/// to 93-97 % and noise to 3 %.
/// </summary>
public sealed class CoverageTests(ITestOutputHelper output) : IDisposable
{
    const int Dimension = 16;

    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Bars_of_95_percent_cover_the_exact_sum_about_as_often_as_they_say(string name)
    {
        int releases = Scale.IsLong ? 1000 : 50, covered = 0, freedom = 0;
        float[] points = SamplePoints.Points(Dimension), queries = SamplePoints.QueryPoints(Dimension);
        double[]? exact = null;
        for (int release = 0; release < releases; release++)
        {
            Measurement measurement = Small(name, (ulong)release);
            exact ??= [.. Enumerable.Range(0, SamplePoints.Queries).Select(q => SamplePoints.Sum(
                measurement.Sketch.Function, points, queries.AsSpan(q * Dimension, Dimension)))];
            Answers answers = measurement
                .Invoke(SketchCases.Receipt(measurement), [new Records((float[])points.Clone(), default)], _engine, static () => { })
                .Estimate(new(queries, Dimension), _engine);
            for (int q = 0; q < exact.Length; q++)
                if (Math.Abs(answers.Values[q] - exact[q]) <= answers.HalfWidth95[q]) covered++;
            freedom = answers.DegreesOfFreedom;
        }
        double coverage = covered / (double)(releases * SamplePoints.Queries);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {coverage:0.0000}, {freedom} degrees of freedom"));
        // Answers of one release share its noise, so they count for little more than one: 2.9 % of standard error at 50.
        Assert.True(coverage >= (Scale.IsLong ? 0.93 : 0.82), $"{coverage}");
        // A bound on the discretisation may be far above it; an estimated bar may not be wide.
        if (Scale.IsLong && freedom > 0) Assert.True(coverage <= 0.97, $"{coverage}");
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Noise_in_an_answer_has_the_stated_standard_deviation(string name)
    {
        int draws = Scale.IsLong ? 40_000 : 4_000;
        var query = new Points(SamplePoints.QueryPoints(Dimension).AsMemory(0, Dimension), Dimension);
        foreach (Adjacency adjacency in SketchCases.Adjacencies(name))
        {
            Measurement measurement = Small(name, 1, adjacency, features: 16);
            var cells = new long[measurement.CellCount];
            double sum = 0, stated = 0;
            for (int draw = 0; draw < draws; draw++)
            {
                Array.Clear(cells);
                measurement.Noise.AddTo(cells);
                Answers answers = new Release(measurement, SketchCases.Provenance, cells).Estimate(query, _engine);
                sum += answers.Values[0] * answers.Values[0];
                stated = answers.NoiseStd[0];
            }
            double ratio = Math.Sqrt(sum / draws) / stated;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, {adjacency}: measured over stated {ratio:0.0000}"));
            // Standard error 0.35 %, or 1.1 % at the small scale.
            Assert.InRange(ratio, Scale.IsLong ? 0.97 : 0.945, Scale.IsLong ? 1.03 : 1.055);
        }
    }

    static Measurement Small(
        string name, ulong seed, Adjacency adjacency = Adjacency.AddOrRemoveOne, int features = 256)
    {
        ReleaseRequest request = SketchCases.Request(name, Dimension) with { Seed = seed };
        Measurement planned = Planner.Plan(request, SketchCases.Facts(Dimension, adjacency), new()).Measurement;
        return planned.Sketch.Features <= features || request.Landmarks is not null
            ? planned
            : Planner.Plan(request with { Features = features }, SketchCases.Facts(Dimension, adjacency), new()).Measurement;
    }
}
