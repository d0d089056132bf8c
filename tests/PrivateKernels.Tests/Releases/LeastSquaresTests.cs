using System.Numerics;

namespace PrivateKernels.Tests;

public sealed class LeastSquaresTests : IDisposable
{
    const int Dimension = 5, Records = 3000;

    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    static readonly string[] Classes = ["a", "b", "c", "empty"];

    static Measurement Plan(
        int features, double epsilon = 8, Adjacency adjacency = Adjacency.AddOrRemoveOne,
        Func<ReleaseRequest, ReleaseRequest>? change = null, CostUnit unit = CostUnit.MuSquared)
    {
        ReleaseRequest request = new()
        {
            Function = "gaussian",
            Bandwidth = 1.5,
            Features = features,
            Seed = 3,
            PerClass = true,
            ClassLeastSquares = true,
            Loss = new PrivacyLoss(epsilon, unit == CostUnit.Epsilon ? 0 : 1e-6),
        };
        var facts = new DatasetFacts(new Domain(Dimension, -4, 4), adjacency, 1, 10_000, Classes, unit, MaxAbsValue: 1);
        return Planner.Plan(change?.Invoke(request) ?? request, facts, new()).Measurement;
    }

    /// <summary>Rings around the origin: no class mean tells them apart, and features of second order do.</summary>
    static (float[] Points, uint[] Labels) Rings(int count, ulong seed)
    {
        var random = new PublicRandom(seed);
        float[] points = new float[count * Dimension];
        uint[] labels = new uint[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = (uint)random.NextBelow(3);
            double[] direction = [.. Enumerable.Range(0, Dimension).Select(_ => random.NextNormal())];
            double length = Math.Sqrt(direction.Sum(static v => v * v)), radius = 0.6 + labels[i] * 0.9;
            for (int k = 0; k < Dimension; k++) points[i * Dimension + k] = (float)(direction[k] / length * radius);
        }
        return (points, labels);
    }

    Release Build(Measurement measurement)
    {
        (float[] points, uint[] labels) = Rings(Records, 1);
        return measurement.Invoke(SketchCases.Receipt(measurement), [new(points, labels)], _engine, static () => { });
    }

    [Theory]
    [InlineData(1, 1, 16, false)]
    [InlineData(300, 7, 50, false)]
    [InlineData(1100, 9, 48, true)]
    public void Products_of_features_equal_the_plain_recipe(int n, int d, int m, bool structured)
    {
        FourierMap map = structured ? EngineCases.Structured(d, 16, m) : EngineCases.Dense(d, m);
        foreach (Points points in new[] { EngineCases.Normal(n, d), EngineCases.Edges(d) })
        {
            var expected = new long[SecondMoments.CellsOf(m)];
            new ReferenceEngine().AddSecondMoments(map, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var cells = new long[expected.Length];
                engine.AddSecondMoments(map, points, cells);
                Assert.Equal(expected, cells);
            }
        }
    }

    [Fact]
    public void One_record_keeps_to_the_declared_bound_and_nearly_reaches_it()
    {
        Measurement measurement = Plan(64);
        (float[] points, uint[] labels) = Rings(50, 2);
        double largest = 0;
        for (int i = 0; i < 50; i++)
        {
            var cells = new long[measurement.CellCount];
            measurement.Sum([new(points.AsSpan(i * Dimension, Dimension).ToArray(), labels.AsMemory(i, 1))], _engine, cells);
            BigInteger squared = cells.Aggregate(BigInteger.Zero, static (sum, v) => sum + (BigInteger)v * v);
            Assert.True(squared <= measurement.Sensitivity.SquaredL2);
            largest = Math.Max(largest, (double)squared / (double)measurement.Sensitivity.SquaredL2);
        }
        Assert.InRange(largest, 0.97, 1);
    }

    /// <summary>(3/2 + 1/2m) times the squared length of the features, count aside: structures.md, section 11.</summary>
    [Fact]
    public void Class_sums_and_moments_share_the_noise_that_the_theory_gives_them()
    {
        Measurement with = Plan(256), without = Plan(256, change: static r => r with { ClassLeastSquares = false });
        double ratio = with.Sketch.Predict(with.Noise.Variance).NoiseStd / without.Sketch.Predict(without.Noise.Variance).NoiseStd;
        Assert.InRange(ratio, 1.2, 1.25);
        Assert.Equal(4 * 513 + 256 * 513, with.CellCount);
    }

    [Fact]
    public void Least_squares_tells_rings_apart_and_never_predicts_an_empty_class()
    {
        Release release = Build(Plan(128));
        (float[] points, uint[] labels) = Rings(600, 5);
        var queries = new Points(points, Dimension);
        Classification found = release.Classify(queries, ClassScore.LeastSquares, _engine);
        double accuracy = found.Labels.Zip(labels, static (a, b) => a == b ? 1 : 0).Average();
        Assert.InRange(accuracy, 0.85, 1);
        Assert.Equal([3], found.Excluded);
        Assert.All(Enumerable.Range(0, 600), q => Assert.True(double.IsNaN(found.Scores[q * 4 + 3]) && found.Margins[q] >= 0));
        Assert.Equal(ClassScore.NearestKernelMean, release.Classify(queries, null, _engine).Score);
    }

    [Fact]
    public void A_release_read_back_classifies_with_the_same_bits_and_its_sums_are_as_ever()
    {
        Release release = Build(Plan(64));
        byte[] file = ReleaseFile.Write(release);
        Assert.Equal(ReleaseFile.SizeOf(release.Measurement), file.Length);
        Release read = ReleaseFile.Read(file);
        var queries = new Points(Rings(20, 6).Points, Dimension);
        foreach (ClassScore score in Enum.GetValues<ClassScore>())
        {
            Classification before = release.Classify(queries, score, _engine), after = read.Classify(queries, score, _engine);
            Assert.Equal(before.Scores, after.Scores);
            Assert.Equal(before.Margins, after.Margins);
        }
        Answers answers = read.Estimate(queries, _engine);
        (float[] rows, _) = Rings(Records, 1);
        for (int q = 0; q < queries.Count; q++)
        {
            double exact = SamplePoints.Sum(read.Sketch.Function, rows, queries.Row(q));
            Assert.InRange(Math.Abs(answers.Values[q] - exact), 0, 6 * answers.NoiseStd[q] + 6 * Records * Math.Sqrt(0.5 / 64));
        }
    }

    [Fact]
    public void Least_squares_is_refused_where_it_cannot_work_and_says_why()
    {
        void Refused(string reason, Func<ReleaseRequest, ReleaseRequest> change, CostUnit unit = CostUnit.MuSquared) =>
            Assert.Contains(
                reason, Assert.Throws<InvalidFieldException>(() => Plan(64, change: change, unit: unit)).Message, StringComparison.Ordinal);
        Refused("Laplace noise", static r => r, CostUnit.Epsilon);
        Refused("per_class", static r => r with { PerClass = false });
        Refused("values", static r => r with { Weighted = true });
        Refused("Fourier", static r => r with { Function = "l1", Bandwidth = 0 });
        Refused("at most 1024", static r => r with { Features = 2000 });
        Release plain = Build(Plan(64, change: static r => r with { ClassLeastSquares = false }));
        Assert.Throws<InvalidFieldException>(
            () => plain.Classify(new(Rings(1, 1).Points, Dimension), ClassScore.LeastSquares, _engine));
    }
}
