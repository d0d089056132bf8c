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
            if (answers.DegreesOfFreedom == 0)
                Assert.True(error <= answers.ApproximationStd[q] + 1e-9 * SamplePoints.Count, $"{error} > {answers.ApproximationStd[q]}");
            else
                Assert.True(error <= 6 * Math.Max(predicted, SamplePoints.Count * Math.Sqrt(0.5 / measurement.Sketch.Features)), $"{error}");
        }
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void No_record_moves_the_cells_beyond_the_declared_sensitivity(string name)
    {
        foreach (int d in (int[])[1, 3, 40])
            foreach (CostUnit unit in Enum.GetValues<CostUnit>())
                Assert.Empty(SensitivityCheck.Violations(SketchCases.Measurement(name, d, unit: unit).Sketch, _engine, 300));
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void A_contribution_twice_as_large_is_caught(string name)
    {
        using var broken = new DoublingEngine(_engine);
        Assert.NotEmpty(SensitivityCheck.Violations(SketchCases.Measurement(name, 3).Sketch, broken, 300));
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

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Noise_in_an_answer_has_the_stated_standard_deviation(string name)
    {
        foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
        {
            var facts = SketchCases.Facts(3, adjacency);
            ReleaseRequest request = SketchCases.Request(name, 3) with { Features = 32 };
            Measurement measurement = Planner.Plan(request, facts, new()).Measurement;
            float[] queries = SamplePoints.QueryPoints(3);
            const int Draws = 8000;
            double sum = 0, stated = 0;
            for (int draw = 0; draw < Draws; draw++)
            {
                var cells = new long[measurement.CellCount];
                measurement.Noise.AddTo(cells);
                Answers answers = new Release(measurement, SketchCases.Provenance, cells).Estimate(new(queries.AsMemory(0, 3), 3), _engine);
                sum += answers.Values[0] * answers.Values[0];
                stated = answers.NoiseStd[0];
            }
            // The standard error of a standard deviation over 8,000 draws is 0.8 %.
            Assert.InRange(Math.Sqrt(sum / Draws) / stated, 0.96, 1.04);
        }
    }
}

/// <summary>Compares what records add with what a sketch declares, on random and adversarial records.</summary>
static class SensitivityCheck
{
    public static List<string> Violations(ISketch sketch, IEngine engine, int records)
    {
        var violations = new List<string>();
        Sensitivity one = sketch.Sensitivity(Adjacency.AddOrRemoveOne), two = sketch.Sensitivity(Adjacency.ReplaceOne);
        long[]? previous = null;
        foreach (float[] record in Records(sketch.Domain.Dimension, records))
        {
            var cells = new long[sketch.CellCount];
            sketch.Add(engine, new Points(record, record.Length), cells);
            Check(cells, one, "one record", violations);
            foreach (long cell in cells)
                if (Math.Abs(cell) > sketch.LargestCell) violations.Add($"a cell of {cell} beyond {sketch.LargestCell}");
            if (previous is not null) Check([.. cells.Zip(previous, static (a, b) => a - b)], two, "a replaced record", violations);
            previous = cells;
        }
        return violations;
    }

    static void Check(long[] difference, Sensitivity bound, string what, List<string> violations)
    {
        BigInteger squared = 0, absolute = 0;
        foreach (long cell in difference)
        {
            squared += (BigInteger)cell * cell;
            absolute += Math.Abs(cell);
        }
        if (squared > bound.SquaredL2) violations.Add($"{what}: |.|^2 = {squared} > {bound.SquaredL2}");
        if (absolute > bound.L1) violations.Add($"{what}: |.|_1 = {absolute} > {bound.L1}");
    }

    /// <summary>Canonical records: corners, axes, zeros, bounds of the number range, far outside any domain, and random ones.</summary>
    static IEnumerable<float[]> Records(int d, int random)
    {
        float[] extremes = [0f, 0.5f, -0.5f, Canonical.Smallest, -Canonical.Smallest, 1f, 1e6f, -1e6f, Canonical.Largest, -Canonical.Largest];
        foreach (float x in extremes)
        {
            yield return [.. Enumerable.Repeat(x, d)];
            var axis = new float[d];
            axis[d / 2] = x;
            yield return axis;
            yield return [.. Enumerable.Range(0, d).Select(k => k % 2 == 0 ? x : -x)];
        }
        var numbers = new PublicRandom(11);
        for (int i = 0; i < random; i++)
        {
            double scale = Math.Pow(10, numbers.NextUnit() * 16 - 10);
            var record = new float[d];
            for (int k = 0; k < d; k++) record[k] = (float)(scale * numbers.NextNormal());
            Canonical.Flush(record);
            if (Canonical.IsValid(record)) yield return record;
        }
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

    public override void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        base.AddSpherical(map, points, cells);
        base.AddSpherical(map, points, cells);
    }
}
