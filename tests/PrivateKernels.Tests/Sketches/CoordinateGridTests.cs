using System.Numerics;
using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class CoordinateGridTests
{
    static readonly JsonElement Tables = GoldenFile.Read("tables.json");

    [Fact]
    public void The_sphere_through_the_grid_has_the_golden_radius()
    {
        foreach (JsonElement row in Tables.Rows("lp_tables"))
            foreach (int m in (int[])[8, 16, 64])
            {
                double p = row.Number("p");
                GoldenFile.Close(
                    row.Number($"shift_m{m}"), PowerSimplex.SquaredRadius(p, m) / Math.Pow(m, p), 1e-12, $"p = {p}, m = {m}");
            }
    }

    [Fact]
    public void Rows_about_the_middle_have_the_golden_inner_products()
    {
        foreach (JsonElement row in Tables.Rows("lp_tables"))
        {
            double p = row.Number("p");
            double[][] factor = [.. row.Rows("centred_cholesky_m8").Select(static r => Numbers(r))];
            double[][] points = Points(p, 8);
            int[] grid = [0, 1, 2, 3, 5, 6, 7, 8];
            for (int a = 0; a < 8; a++)
                for (int b = 0; b <= a; b++)
                {
                    double expected = 0, product = 0;
                    for (int k = 0; k <= b; k++) expected += factor[a][k] * factor[b][k];
                    for (int k = 0; k < 8; k++)
                        product += (points[k][grid[a]] - points[k][4]) * (points[k][grid[b]] - points[k][4]);
                    Assert.Equal(expected, product / Math.Pow(8, p), 1e-12);
                }
        }
    }

    [Theory]
    [InlineData(0.01, 4096)]
    [InlineData(0.5, 1024)]
    [InlineData(1.5, 1024)]
    [InlineData(1.9, 4096)]
    [InlineData(1.99, 4096)]
    public void Points_of_the_simplex_lie_at_powers_of_their_distance(double p, int m)
    {
        double[][] points = Points(p, m);
        foreach (int a in (int[])[0, 1, m / 2, m - 1])
            foreach (int b in (int[])[1, 2, m / 2 + 1, m])
            {
                double squared = 0;
                for (int k = 0; k < m; k++) squared += (points[k][a] - points[k][b]) * (points[k][a] - points[k][b]);
                Assert.Equal(2 * Math.Pow(Math.Abs(a - b), p), squared, 1e-9 * Math.Pow(m, p));
            }
    }

    [Theory]
    [InlineData(0.25, false)]
    [InlineData(1.5, false)]
    [InlineData(1.99, true)]
    public void Integer_rows_are_combined_exactly(double p, bool centred)
    {
        const int m = 32;
        var rows = new GridRows(p, m, centred, GridRows.Radius(p, m, centred));
        var random = new PublicRandom(3);
        long[] weights = [.. Enumerable.Range(0, m + 1).Select(_ => (long)(random.NextUnit() * 1e9))];
        long[] sum = new long[m], row = new long[m];
        rows.Combine(weights, sum);
        for (int j = 0; j <= m; j++)
        {
            var unit = new long[m + 1];
            unit[j] = 1;
            rows.Combine(unit, row);
            Assert.True(row.Sum(static x => x * x) <= 1L << 40);
            for (int k = 0; k < m; k++) sum[k] -= weights[j] * row[k];
        }
        Assert.All(sum, static x => Assert.Equal(0, x));
    }

    /// <summary>The noise factors of the specification, per coordinate in units of R^p sigma: shift at any y, centred at a corner.</summary>
    [Theory]
    [InlineData(0.25, 1.48)]
    [InlineData(0.5, 1.20)]
    [InlineData(1.5, 1.31)]
    [InlineData(1.75, 1.19)]
    [InlineData(1.9, 1.07)]
    public void Noise_has_the_specified_factor(double p, double factor)
    {
        var facts = new DatasetFacts(new Domain(5, -1, 2), Adjacency.AddOrRemoveOne, 1, 1000, [], CostUnit.MuSquared);
        ReleasePlan plan = Plan(p, facts);
        Assert.Equal(factor * 5 * Math.Pow(3, p) * 4.2247, plan.Accuracy.NoiseStd, 0.01 * plan.Accuracy.NoiseStd);
    }

    /// <summary>The proof's figures: no experiment reaches them, since rows at opposite ends are not opposite.</summary>
    [Fact]
    public void Replacing_a_record_is_priced_as_opposite_rows_and_a_power_cell_from_nothing_to_all()
    {
        var facts = new DatasetFacts(new Domain(3, -1, 2), Adjacency.ReplaceOne, 1, 1000, [], CostUnit.MuSquared);
        var request = new ReleaseRequest { Function = "lp_p", Exponent = 1.75, Features = 16, Loss = new PrivacyLoss(1, 1e-6) };
        BigInteger rows = 3 * BigInteger.Pow(2, 60), power = 3 * 1024 * NormClamp.IntegerSquareRoot((1L << 39) / 3);
        Assert.Equal(4 * rows + power * power, Planner.Plan(request, facts, new()).Measurement.Sensitivity.SquaredL2);
        request = request with { Exponent = 0.5 };
        BigInteger count = NormClamp.IntegerSquareRoot(3L << 40) << 10;
        facts = facts with { Adjacency = Adjacency.AddOrRemoveOne };
        Assert.Equal(rows + count * count, Planner.Plan(request, facts, new()).Measurement.Sensitivity.SquaredL2);
    }

    [Fact]
    public void The_grid_grows_with_the_records_and_overlong_ones_are_refused()
    {
        var facts = new DatasetFacts(new Domain(3, 0, 1), Adjacency.AddOrRemoveOne, 1, 60_000, [], CostUnit.MuSquared);
        Assert.Equal(256, Plan(0.5, facts with { MaxRecords = 1000 }).Request.Features);
        Assert.Equal(1024, Plan(0.5, facts).Request.Features);
        Assert.Equal(4096, Plan(0.5, facts with { MaxRecords = 1_000_000 }).Request.Features);
        Assert.Equal("Records", Assert.Throws<LimitExceededException>(() => Plan(0.5, facts with { MaxRecords = 1L << 32 })).Limit);
        foreach (double bad in (double[])[-1, 0.001, 1.999, 3, 5, 8, double.NaN])
            Assert.Equal("exponent", Assert.Throws<InvalidFieldException>(() => Plan(bad, facts)).Field);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(1.75)]
    public void Evenly_spread_records_err_by_the_stated_mean(double p)
    {
        // Midpoints of 64 positions in each of 256 cells; the error at random y, averaged.
        const int n = 256 * 64;
        float[] points = [.. Enumerable.Range(0, n).Select(static i => (i + 0.5f) / n)];
        var facts = new DatasetFacts(new Domain(1, 0, 1), Adjacency.AddOrRemoveOne, 1, 1000, [], CostUnit.MuSquared);
        Measurement measurement = Planner.Plan(Request(p) with { Features = 256 }, facts, new()).Measurement;
        using var engine = new SimdEngine();
        var random = new PublicRandom(5);
        float[] queries = [.. Enumerable.Range(0, 200).Select(_ => (float)random.NextUnit())];
        double[] answers = SketchCases.WithoutNoise(measurement, points, null, engine).Estimate(new(queries, 1), engine).Values;
        double mean = 0;
        for (int q = 0; q < queries.Length; q++)
            mean += answers[q] - SamplePoints.Sum(measurement.Sketch.Function, points, queries.AsSpan(q, 1));
        mean /= queries.Length * (double)n;
        Assert.Equal(GridError.Mean(p, 256), mean, 0.15 * Math.Abs(GridError.Mean(p, 256)));
    }

    static ReleaseRequest Request(double p) => new() { Function = "lp_p", Exponent = p, Loss = new PrivacyLoss(1, 1e-6) };

    static ReleasePlan Plan(double p, DatasetFacts facts) => Planner.Plan(Request(p), facts, new());

    static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(static e => e.GetDouble())];

    /// <summary>[coordinate][point]</summary>
    static double[][] Points(double p, int m)
    {
        var points = new List<double[]>();
        for (var simplex = new PowerSimplex(p, m); simplex.Next();) points.Add(simplex.Points.ToArray());
        return [.. points];
    }
}
