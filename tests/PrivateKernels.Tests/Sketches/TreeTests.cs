using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class TreeTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Least_squares_gives_the_golden_leaves()
    {
        JsonElement golden = GoldenFile.Read("tree.json");
        foreach (JsonElement row in golden.Rows("two_levels"))
            Check([.. Numbers(row, "noisy_level1"), .. Numbers(row, "noisy_level2")],
                [row.Number("variance_level1"), row.Number("variance_level2")], Numbers(row, "leaves"));
        foreach (JsonElement row in golden.Rows("three_levels"))
            Check([row.Number("root"), .. Numbers(row, "noisy_level1"), .. Numbers(row, "noisy_level2")],
                Numbers(row, "variances"), Numbers(row, "leaves"));

        static void Check(double[] nodes, double[] variances, double[] leaves)
        {
            Span<double> fitted = TreeFit.Leaves(nodes, variances);
            Assert.Equal(leaves.Length, fitted.Length);
            for (int i = 0; i < leaves.Length; i++) Assert.Equal(leaves[i], fitted[i], 1e-9);
        }
    }

    /// <summary>Root mean square over y and worst y of the specification, in R^p / epsilon, one dimension.</summary>
    [Theory]
    [InlineData(1, 256, 3.06, 3.83)]
    [InlineData(1, 1024, 3.35, 4.20)]
    [InlineData(0.25, 256, 4.97, 5.33)]
    [InlineData(0.5, 256, 4.16, 4.57)]
    [InlineData(1.5, 256, 2.54, 3.57)]
    public void Noise_is_that_of_the_specification(double p, int m, double mean, double worst)
    {
        var shape = new TreeShape(p, m);
        double sum = 0;
        for (int e = 0; e < m; e++) sum += shape.SquaredPsi(e, 0.5);
        double unit = Math.Pow(m, -p) * Math.Sqrt(2) * shape.Weights.Sum();
        Assert.Equal(mean, unit * Math.Sqrt(sum / m), 0.02);
        // The worst of all cell edges, which for small p stands out from its neighbours.
        Assert.Equal(worst, unit * Math.Sqrt(shape.WorstSquaredPsi), 0.07);
    }

    /// <summary>
    /// Least squares reads level l with the precision sum over k at or below l of s_k w_k^2, s_k the leaves under a node: so the
    /// mean variance is sum_l a_l over that, a_l the part of the weights' energy that varies between siblings of level l.
    /// </summary>
    [Theory]
    [InlineData(16, 2.046)]
    [InlineData(64, 2.641)]
    [InlineData(256, 3.063)]
    [InlineData(1024, 3.345)]
    [InlineData(4096, 3.526)]
    public void No_other_shares_of_the_levels_give_less_noise(int m, double noise)
    {
        double[] shares = [.. new TreeShape(1, m).Weights.Select(static w => (double)w)];
        double[] energies = Energies(m, shares.Length);
        double best = Variance(shares);
        Assert.Equal(noise, Math.Sqrt(best) / m, 2e-3);
        for (int from = 0; from < shares.Length; from++)
            for (int to = 0; to < shares.Length; to++)
            {
                double[] other = [.. shares];
                (other[from], other[to]) = (0.9 * shares[from], shares[to] + (from == to ? 0 : 0.1 * shares[from]));
                // Shares are rounded to thousandths.
                Assert.True(Variance(other) >= 0.9999 * best);
            }

        double Variance(double[] w)
        {
            double precision = 0, variance = 0, leaves = 1;
            for (int l = w.Length - 1; l >= 0; l--, leaves *= 4)
            {
                precision += leaves * Math.Pow(w[l] / w.Sum(), 2) / 2;
                variance += energies[l] / precision;
            }
            return variance;
        }
    }

    static double[] Energies(int m, int levels)
    {
        int step = Math.Max(1, m / 128), edges = m / step + 1;
        var energies = new double[levels];
        for (int e = 0; e <= m; e += step)
        {
            double[] sums = [.. Enumerable.Range(0, m).Select(j => Math.Abs(j + 0.5 - e))];
            for (int l = levels - 1, leaves = 1; l >= 0; l--, leaves *= 4)
            {
                double energy = sums.Sum(static s => s * s) / leaves / edges;
                energies[l] += energy;
                if (l + 1 < levels) energies[l + 1] -= energy;
                sums = [.. sums.Chunk(4).Select(static four => four.Sum())];
            }
        }
        return energies;
    }

    [Theory]
    [InlineData("l1", 0, 1)]
    [InlineData("l1", 0, 16)]
    [InlineData("lp_p", 0.5, 3)]
    [InlineData("lp_p", 1.75, 16)]
    public void Answers_without_noise_err_as_stated(string name, double exponent, int d)
    {
        Measurement measurement = Plan(name, exponent, d).Measurement;
        float[] points = SamplePoints.Points(d), queries = SamplePoints.QueryPoints(d);
        Release release = SketchCases.WithoutNoise(measurement, points, null, _engine);
        Answers answers = release.Estimate(new(queries, d), _engine);
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q * d, d));
            Assert.True(Math.Abs(answers.Values[q] - exact) <= 4 * answers.ApproximationStd[q]);
        }
        Assert.Equal(SamplePoints.Count, release.Count()!.Value.Value, 1e-9);
    }

    [Fact]
    public void A_pure_account_gets_the_tree_and_a_gaussian_one_never_does()
    {
        Assert.IsType<TreeSketch>(Plan("l1", 0, 3).Measurement.Sketch);
        Assert.IsType<TreeSketch>(Plan("lp_p", 1.25, 3).Measurement.Sketch);
        Assert.IsType<SignSketch>(SketchCases.Measurement("l1", 3).Sketch);
        ReleaseRequest gaussian = SketchCases.Request("l1", 3) with { Method = SketchMethod.Tree };
        Assert.Equal("method", Assert.Throws<InvalidFieldException>(
            () => Planner.Plan(gaussian, SketchCases.Facts(3), new())).Field);
    }

    [Fact]
    public void The_shares_of_the_levels_add_up_to_the_price()
    {
        Measurement measurement = Plan("l1", 0, 3, 256).Measurement;
        var shape = new TreeShape(1, 256);
        Assert.Equal(1000, shape.Weights.Sum());
        Assert.Equal(3000, measurement.Sensitivity.L1);
        Assert.Equal(3000, measurement.Noise.Scale, 1e-6);
    }

    [Fact]
    public void A_thousand_records_in_one_dimension_are_answered_within_three_and_a_half_ranges()
    {
        var facts = new DatasetFacts(new Domain(1, 0, 2), Adjacency.AddOrRemoveOne, 1, 1000, [], CostUnit.Epsilon);
        Measurement measurement = Planner.Plan(
            new() { Function = "l1", Features = 1024, Loss = new PrivacyLoss(1, 0) }, facts, new()).Measurement;
        var random = new PublicRandom(8);
        float[] points = [.. Enumerable.Range(0, 1000).Select(_ => (float)(2 * random.NextUnit()))];
        float[] queries = [.. Enumerable.Range(0, 100).Select(_ => (float)(2 * random.NextUnit()))];
        double squared = 0;
        const int Draws = 400;
        for (int draw = 0; draw < Draws; draw++)
        {
            Release release = measurement.Invoke(
                SketchCases.Receipt(measurement, CostUnit.Epsilon), [new Records((float[])points.Clone(), default)], _engine, static () => { });
            double[] answers = release.Estimate(new(queries, 1), _engine).Values;
            for (int q = 0; q < queries.Length; q++)
            {
                double error = answers[q] - SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q, 1));
                squared += error * error;
            }
        }
        // 3.37 R / epsilon expected; the answers of one draw share its noise, so 400 draws show it to about 5 %.
        Assert.InRange(Math.Sqrt(squared / (Draws * queries.Length)) / 2, 2.8, 3.95);
    }

    static ReleasePlan Plan(
        string name, double exponent, int d, int features = 0, Adjacency adjacency = Adjacency.AddOrRemoveOne)
    {
        var request = new ReleaseRequest
        {
            Function = name,
            Exponent = exponent,
            Features = features,
            Loss = new PrivacyLoss(1, 0),
        };
        return Planner.Plan(request, SketchCases.Facts(d, adjacency, CostUnit.Epsilon), new());
    }

    static double[] Numbers(JsonElement row, string name) => [.. row.Rows(name).Select(static e => e.GetDouble())];
}
