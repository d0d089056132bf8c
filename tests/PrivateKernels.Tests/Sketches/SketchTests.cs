using System.Numerics;

namespace PrivateKernels.Tests;

public sealed class SketchTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(SketchCases.All), MemberType = typeof(SketchCases))]
    public void Answers_without_noise_are_the_sums_up_to_the_stated_approximation(string name, int d)
    {
        Measurement measurement = SketchCases.Measurement(name, d);
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        Answers answers = SketchCases.WithoutNoise(measurement, points, null, _engine).Estimate(new(queries, d), _engine);
        double predicted = measurement.Sketch.Predict(0).ApproximationStdPerRecord * SamplePoints.Count;
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q * d, d));
            double error = Math.Abs(answers.Values[q] - exact);
            // With a bound: never beyond it. With an estimate: six standard deviations, and no worse than iid frequencies.
            if (measurement.Sketch is CoordinateGridSketch)
                Assert.True(error <= 6 * answers.ApproximationStd[q], $"{error} > 6 * {answers.ApproximationStd[q]}");
            else if (answers.DegreesOfFreedom == 0)
                Assert.True(error <= answers.ApproximationStd[q] + 1e-9 * SamplePoints.Count, $"{error} > {answers.ApproximationStd[q]}");
            else
                Assert.True(error <= 6 * Math.Max(predicted, SamplePoints.Count * Math.Sqrt(0.5 / measurement.Sketch.Features)), $"{error}");
        }
    }

    [Theory]
    [InlineData("laplacian", 64)]
    [InlineData("gaussian", 64)]
    public void A_map_takes_the_bytes_of_memory_that_it_says(string name, int d)
    {
        ISketch sketch = SketchCases.Measurement(name, d).Sketch;
        FourierMap map = ((FourierSketch)sketch).Map;
        // Dense rows a second time, as engines pack them.
        Assert.Equal(map.IsStructured ? 4 * (map.Flips.Length + map.Radii.Length) : 8 * map.Rows.Length, sketch.MapBytes);
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Cells_are_sums_over_batches_in_any_order(string name)
    {
        Measurement measurement = SketchCases.Measurement(name, 16);
        float[] points = SamplePoints.Points(16);
        long[] whole = SketchCases.WithoutNoise(measurement, points, null, _engine).Cells;
        var parts = new long[whole.Length];
        var aggregation = new Aggregation(measurement, _engine, parts);
        for (int row = SamplePoints.Count - 1; row >= 0; row--)
            aggregation.Add(new Records(points.AsSpan(row * 16, 16).ToArray(), default));
        measurement.Complete(parts);
        Assert.Equal(whole, parts);
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Rows_that_no_sketch_can_take_add_nothing(string name)
    {
        Measurement measurement = SketchCases.Measurement(name, 3);
        float[] good = [0.1f, -0.2f, 0.3f];
        float[] mixed = [float.NaN, 0, 0, .. good, 0, float.PositiveInfinity, 0, 0, 0, 2e12f];
        Assert.Equal(
            SketchCases.WithoutNoise(measurement, good, null, _engine).Cells,
            SketchCases.WithoutNoise(measurement, mixed, null, _engine).Cells);
    }
}

/// <summary>
/// Prices that rest on a proof alone: features never reach their L1 bound, by Cauchy and Schwarz, so that a count that is not
/// paid for would hide in the room they leave.
/// </summary>
public sealed class PureCountTests : IDisposable
{
    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData("gaussian"), InlineData("laplacian"), InlineData("arc_cosine_1"), InlineData("arc_cosine_0")]
    [InlineData("gaussian by landmarks"), InlineData("inner_product"), InlineData("gaussian/Paper"), InlineData("cauchy/PaperPlus")]
    public void A_count_is_paid_for_beside_the_features(string name)
    {
        const int d = 16;
        foreach (Adjacency adjacency in SketchCases.Adjacencies(name))
        {
            DatasetFacts facts = SketchCases.Facts(d, adjacency, CostUnit.Epsilon, "a", "b");
            ReleaseRequest request = SketchCases.Request(name, d, CostUnit.Epsilon) with { PerClass = true };
            Measurement measurement = Planner.Plan(request, facts, new()).Measurement;
            long count = SketchCases.Contribution(measurement, new float[d], _engine)[measurement.Sketch.CellCount - 1];
            Assert.True(count > 0);
            BigInteger due = (Features(measurement.Sketch) + count) * (adjacency == Adjacency.ReplaceOne ? 2 : 1);
            Assert.Equal(due, measurement.Sensitivity.L1);
        }
    }

    /// <summary>L1 norm of the features of a record: of m pairs in the disc of radius A, or of D cells of length B.</summary>
    static BigInteger Features(ISketch sketch)
    {
        const long pair = 1482910;
        long cells = sketch.CellCount - 1;
        // Rows of 16 coordinates come in whole blocks: B^2 = A^2 m.
        return sketch switch
        {
            FourierSketch or PaperFeatureSketch { Method: SketchMethod.Paper } => cells / 2 * pair,
            PaperFeatureSketch => sketch.Features / 4 * pair * PaperKernel.Of(sketch.Function)!.Coefficients.Sum(
                static c => Math.Max(1, (long)Math.Round(64 * Math.Sqrt(c)))),
            SphericalSketch => Rational.FloorSqrt(((BigInteger)sketch.Features << 40) * cells),
            _ => NormClamp.IntegerSquareRoot(cells << 40),
        };
    }
}

/// <summary>A broken engine: every contribution counts double.</summary>
sealed class DoublingEngine(IEngine inner) : ForwardingEngine(inner)
{
    public override void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        base.AddFourier(map, points, cells);
        base.AddFourier(map, points, cells);
    }

    public override void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        base.AddSigns(map, points, counts, fractions);
        base.AddSigns(map, points, counts, fractions);
    }

    public override void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        base.AddMoments(map, points, cells);
        base.AddMoments(map, points, cells);
    }

    public override void AddPowers(PowerMap map, Points points, Span<long> cells)
    {
        base.AddPowers(map, points, cells);
        base.AddPowers(map, points, cells);
    }

    public override void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        base.AddSpherical(map, points, cells);
        base.AddSpherical(map, points, cells);
    }

    public override void AddLandmarks(LandmarkMap map, Points points, Span<long> cells)
    {
        base.AddLandmarks(map, points, cells);
        base.AddLandmarks(map, points, cells);
    }

    public override void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups)
    {
        base.AddSliced(map, points, packed, groups);
        base.AddSliced(map, points, packed, groups);
    }
}
