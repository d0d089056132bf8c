using System.Text.Json;

namespace PrivateKernels.Tests;

/// <summary>Sliced norms against golden/tables.json: |z|_s = c sum_j |q_j . z| over the rows of one rotation.</summary>
public sealed class SlicedTests : IDisposable
{
    static readonly JsonElement Tables = GoldenFile.Read("tables.json");

    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void The_constant_is_one_over_the_mean_projection()
    {
        foreach (JsonElement row in Tables.Rows("sliced_constants"))
            GoldenFile.Close(row.Number("k_times_c"), SlicedSketch.NormFactor(row.GetProperty("P").GetInt32()), 1e-12, "k c");
    }

    [Fact]
    public void Norms_and_distances_equal_the_golden_ones()
    {
        foreach (JsonElement example in Tables.Rows("sliced_examples"))
        {
            int d = example.GetProperty("d").GetInt32(), padded = example.GetProperty("P").GetInt32();
            FourierMap rotation = Rotation(d, padded, example.GetProperty("seed").GetUInt64());
            double[] norms = [.. example.Rows("sliced_norms_x0_to_x7").Select(static e => e.GetDouble())];
            for (int i = 0; i < norms.Length; i++)
                GoldenFile.Close(norms[i], SlicedNorm(rotation, SamplePoints.Point(i, d)), 2e-6, $"|x_{i}|, d = {d}");
            foreach (JsonElement row in example.Rows("q_i_sliced_exact"))
            {
                double[] pair = [.. row.EnumerateArray().Select(static e => e.GetDouble())];
                double[] z = [.. SamplePoints.Point((int)pair[1], d).Zip(SamplePoints.Query((int)pair[0], d), static (x, y) => x - y)];
                GoldenFile.Close(pair[2], SlicedNorm(rotation, z), 2e-6, $"|x_{pair[1]} - y_{pair[0]}|, d = {d}");
                Assert.Equal(pair[3], Math.Sqrt(z.Sum(static v => v * v)), 1e-12);
            }
        }
    }

    [Fact]
    public void A_center_moves_domain_and_answers_alike()
    {
        float[] center = [3, -2, 5];
        float[] points = SamplePoints.Points(3), queries = SamplePoints.QueryPoints(3);
        ISketch plain = Sketch(new Domain(3, maxNorm: 1)), moved = Sketch(new Domain(3, maxNorm: 1, center: center));
        double[] a = Answer(plain, points, queries), b = Answer(moved, Shift(points, center), Shift(queries, center));
        for (int q = 0; q < a.Length; q++) Assert.Equal(a[q], b[q], 1e-4 * a[q]);
    }

    [Fact]
    public void Noise_is_at_most_four_sigma_r_and_twice_that_of_a_single_query_everywhere()
    {
        var facts = new DatasetFacts(new Domain(100, maxNorm: 10), Adjacency.AddOrRemoveOne, 1, 10_000, [], CostUnit.MuSquared);
        var request = new ReleaseRequest { Function = "l2", Seed = 3, Loss = new PrivacyLoss(1, 1e-6) };
        Measurement measurement = Planner.Plan(request, facts, new()).Measurement;
        Assert.Equal(4096, measurement.Sketch.Features);
        var y = new float[3 * 100];
        for (int k = 0; k < 100; k++) (y[100 + k], y[200 + k]) = (k % 3 - 1.0f, 0.5f * (k % 3 - 1));
        double length = Math.Sqrt(66), sigma = 4.2247, r = 10;
        double[] noise = new Release(measurement, SketchCases.Provenance, new long[measurement.CellCount])
            .Estimate(new(y, 100), _engine).NoiseStd;
        Assert.InRange(noise[0] / (sigma * r), 1.98, 2.1);
        Assert.InRange(noise[1] / (sigma * (r + length)), 1.9, 2.1);
        Assert.InRange(noise[2] / (sigma * (r + length / 2)), 1.9, 2.1);
    }

    static SlicedSketch Sketch(Domain domain) => SlicedSketch.Create(new L2(), domain, 256, 5);

    static float[] Shift(float[] x, float[] by) => [.. x.Select((v, i) => v + by[i % by.Length])];

    double[] Answer(ISketch sketch, float[] points, float[] queries)
    {
        int d = sketch.Domain.Dimension;
        var cells = new long[sketch.CellCount];
        sketch.Add(_engine, new(points, d), cells);
        var answers = new RawAnswers(queries.Length / d, [0]);
        sketch.Estimate(_engine, new(queries, d), sketch.Prepare(cells, 1), answers);
        return answers.Values;
    }

    double SlicedNorm(FourierMap rotation, double[] z)
    {
        var products = new float[rotation.Frequencies];
        _engine.MultiplyRows(rotation, new(z.Select(static v => (float)v).ToArray(), z.Length), products);
        int padded = rotation.Padded;
        return SlicedSketch.NormFactor(padded) / padded * products.Sum(static t => Math.Abs((double)t));
    }

    /// <summary>The golden rotation: signs from one SplitMix64 step of (seed, round, row), top bit set = -1.</summary>
    static FourierMap Rotation(int d, int padded, ulong seed)
    {
        var flips = new uint[3 * padded];
        for (int i = 0; i < flips.Length; i++)
        {
            (int round, int row) = Math.DivRem(i, padded);
            ulong z = seed + 0x9E3779B97F4A7C15UL * (ulong)(1 + row + 1000003 * round);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            flips[i] = (uint)((z ^ (z >> 31)) >> 63) << 31;
        }
        return FourierMap.Structured(d, padded, flips, [.. Enumerable.Repeat((float)Math.Pow(padded, -1.5), padded)], 1);
    }
}
