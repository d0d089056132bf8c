using System.Numerics;

namespace PrivateKernels.Tests;

/// <summary>
/// Boxes of one or two steps of fp32 far from the origin: their middle and what engines divide by are rounded, so that only
/// the limits of the recipes keep a record within its bound.
/// </summary>
public sealed class NarrowBoxTests : IDisposable
{
    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    public static TheoryData<string, double, SketchMethod> Cases
    {
        get
        {
            var cases = new TheoryData<string, double, SketchMethod>();
            foreach (PairFunctionEntry entry in Catalog.Functions.Where(static e => e.NeedsBox))
                foreach (double exponent in entry.UsesExponent ? (double[])[0.5, 1, 1.75, 2, 4, 6] : [0])
                    foreach (SketchMethod method in entry.Create(0, exponent).Methods)
                        cases.Add(entry.Name, exponent, method);
            cases.Add("gaussian", 0, SketchMethod.FrequencyGrid);
            cases.Add("gaussian", 0, SketchMethod.HermiteGrid);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void No_record_adds_more_than_its_bound(string name, double exponent, SketchMethod method)
    {
        foreach (float lower in (float[])[1 << 24, -(1 << 25), 0.1f])
            foreach (int steps in (int[])[1, 2, 3])
                Check(name, exponent, method, lower, steps);
    }

    void Check(string name, double exponent, SketchMethod method, float lower, int steps)
    {
        float upper = lower;
        for (int i = 0; i < steps; i++) upper = MathF.BitIncrement(upper);
        bool pure = method is SketchMethod.Tree or SketchMethod.Paper;
        var facts = new DatasetFacts(
            new Domain(1, lower, upper), Adjacency.AddOrRemoveOne, 1, 1000, [], pure ? CostUnit.Epsilon : CostUnit.MuSquared);
        var request = new ReleaseRequest
        {
            Function = name,
            Exponent = exponent,
            Method = method,
            Seed = 1,
            Bandwidth = name == "gaussian" ? 10.0 * (upper - lower) : 0,
            Loss = new PrivacyLoss(1000, pure ? 0 : 1e-6),
            Features = method switch { SketchMethod.Moment or SketchMethod.FrequencyGrid => 0, SketchMethod.HermiteGrid => 4, _ => 16 },
        };
        Measurement measurement = Planner.Plan(request, facts, new()).Measurement;
        float[] places = [lower, upper, MathF.BitIncrement(lower), MathF.BitDecrement(lower), -1e12f, 1e12f, 0];
        long[][] cells = [.. places.Select(x => SketchCases.Contribution(measurement, [x], _engine))];
        Sensitivity one = measurement.Sketch.Sensitivity(Adjacency.AddOrRemoveOne);
        Sensitivity other = measurement.Sketch.Sensitivity(Adjacency.ReplaceOne);
        foreach (long[] a in cells)
        {
            Assert.All(a, cell => Assert.InRange(cell, -measurement.Sketch.LargestCell, measurement.Sketch.LargestCell));
            Within(a, one);
            foreach (long[] b in cells) Within([.. a.Zip(b, static (x, y) => x - y)], other);
        }
    }

    static void Within(long[] difference, Sensitivity bound)
    {
        BigInteger squares = 0, sizes = 0;
        foreach (long cell in difference)
        {
            if (cell == 0) continue;
            squares += (BigInteger)cell * cell;
            sizes += Math.Abs(cell);
        }
        Assert.True(squares <= bound.SquaredL2, $"{squares} > {bound.SquaredL2}");
        Assert.True(sizes <= bound.L1, $"{sizes} > {bound.L1}");
    }
}
