using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// Error bars that are true: fresh releases of every function and structure, noise and public randomness drawn anew each time.
/// The scale is small by default; the long run makes 1,000 releases and 40,000 draws of noise for each and then holds coverage
/// to 93 % and more, no bar far wider than that, and noise to 3 %.
/// </summary>
public sealed class CoverageTests(ITestOutputHelper output) : IDisposable
{
    const float MaxAbsValue = 2.5f;

    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    /// <summary>
    /// The planner's choice for every function in 16 dimensions, and then what it does not show: a case of
    /// <see cref="SketchCases"/>, its dimension, and the account, the neighbours or the weights.
    /// </summary>
    public static TheoryData<string> Cases =>
    [
        .. SketchCases.Names.Select(static row => row.Data),
        "gaussian, 2", "gaussian, 2, pure", "gaussian/HermiteGrid, 2", "gaussian/HermiteGrid, 2, pure", "gaussian, 16, pure",
        "arc_cosine_1, 16, pure", "inner_product, 16, pure", "l2_squared, 16, pure", "l1, 3, pure", "l2, 3, pure", "lp_p@0.5, 3, pure",
        "lp_p@1.5, 3, pure", "lp_p@4, 3, pure", "gaussian, 16, weighted", "gaussian, 2, weighted", "gaussian, 2, pure, weighted",
        "l1, 16, weighted", "l2, 16, weighted", "l2_squared, 16, weighted", "inner_product, 16, weighted", "lp_p@0.5, 16, weighted",
        "gaussian, 16, replace", "l1, 16, replace", "l2, 3, pure, replace", "gaussian, 16, weighted, replace",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bars_of_95_percent_cover_the_exact_sum_about_as_often_as_they_say(string name)
    {
        int releases = Scale.IsLong ? 1000 : 50, covered = 0, freedom = 0;
        var @case = new Case(name);
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
        if (Scale.IsLong && freedom > 0) Assert.True(coverage <= (freedom < 15 ? 0.99 : 0.98), $"{coverage}");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Noise_in_an_answer_has_the_stated_standard_deviation(string name)
    {
        int draws = Scale.IsLong ? 40_000 : 4_000;
        var @case = new Case(name);
        var query = new Points(SamplePoints.QueryPoints(@case.Dimension).AsMemory(0, @case.Dimension), @case.Dimension);
        foreach (Adjacency adjacency in @case.Adjacencies)
        {
            Measurement measurement = @case.Small(1, adjacency, features: 16);
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

    /// <summary>A name of <see cref="Cases"/>, read.</summary>
    sealed class Case
    {
        readonly string _name;
        readonly bool _weighted;
        readonly Adjacency? _adjacency;

        public Case(string text)
        {
            string[] parts = text.Split(", ");
            _name = parts[0];
            Dimension = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 16;
            Unit = parts.Contains("pure") ? CostUnit.Epsilon : CostUnit.MuSquared;
            _weighted = parts.Contains("weighted");
            _adjacency = parts.Contains("replace") ? Adjacency.ReplaceOne : parts.Length > 1 ? Adjacency.AddOrRemoveOne : null;
        }

        public int Dimension { get; }

        public CostUnit Unit { get; }

        public IEnumerable<Adjacency> Adjacencies => _adjacency is { } one ? [one] : SketchCases.Adjacencies(_name);

        static float Value(int row) => MaxAbsValue * ((row * 31 + 7) % 17 / 8f - 1);

        public Records Rows(float[] points) => new(
            (float[])points.Clone(), default,
            _weighted ? Enumerable.Range(0, SamplePoints.Count).Select(Value).ToArray() : default(ReadOnlyMemory<float>));

        public double Sum(PairFunction function, float[] points, ReadOnlySpan<float> query)
        {
            if (!_weighted) return SamplePoints.Sum(function, points, query);
            double sum = 0;
            for (int i = 0; i < SamplePoints.Count; i++)
                sum += Value(i) * SamplePoints.Sum(function, points.AsSpan(i * Dimension, Dimension), query);
            return sum;
        }

        public Measurement Small(ulong seed, Adjacency? adjacency = null, int features = 256)
        {
            ReleaseRequest request = SketchCases.Request(_name, Dimension, Unit) with { Seed = seed, Weighted = _weighted };
            Adjacency neighbours = adjacency ?? _adjacency ?? Adjacency.AddOrRemoveOne;
            DatasetFacts facts = SketchCases.Facts(Dimension, neighbours, Unit) with { MaxAbsValue = MaxAbsValue };
            Measurement planned = Planner.Plan(request, facts, new()).Measurement;
            // Grids and trees per coordinate have the sizes that they need.
            bool isSized = _adjacency is not null && planned.Sketch is { Function: not L2 }
                && planned.Sketch.Method is not (SketchMethod.Fourier or SketchMethod.Spherical);
            return planned.Sketch.Features <= features || request.Landmarks is not null || isSized
                ? planned
                : Planner.Plan(request with { Features = features }, facts, new()).Measurement;
        }
    }
}
