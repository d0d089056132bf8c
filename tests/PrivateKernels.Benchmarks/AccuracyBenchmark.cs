using System.Globalization;
using PrivateKernels.Client;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// One release of each function on images in [0, 1]^784, epsilon 1, delta 10^-6: errors of its answers beside what the
/// release and the planner say about them.
/// </summary>
static class AccuracyBenchmark
{
    const int Queries = 200;

    /// <summary>Bandwidths by which the kernels distinguish such images; unit vectors and distances take none.</summary>
    static double Bandwidth(PairFunctionEntry entry) =>
        !entry.UsesBandwidth ? 0 : entry.Name is "laplacian" or "inverse_l1" ? 100 : entry.Name == "gaussian" ? 7 : 10;

    /// <param name="args">File of private images and file of query images; none = the bundled ones.</param>
    public static async Task RunAsync(string[] args)
    {
        string samples = Path.Combine(AppContext.BaseDirectory, "Samples");
        string images = args.ElementAtOrDefault(0) ?? Path.Combine(samples, "private-images.idx.gz");
        string queryImages = args.ElementAtOrDefault(1) ?? Path.Combine(samples, "public-images.idx.gz");
        Points rows = await RowFile.ReadAllAsync(images), all = await RowFile.ReadAllAsync(queryImages);
        Points queries = all.Slice(0, Math.Min(Queries, all.Count));
        using var engine = new SimdEngine();
        var facts = new DatasetFacts(
            new Domain(rows.Dimension, 0, 1, Math.Sqrt(rows.Dimension)), Adjacency.AddOrRemoveOne, 1, rows.Count, [], CostUnit.MuSquared);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{rows.Count} rows, {queries.Count} queries, epsilon 1, delta 1e-6, {engine.Device}; all but the first two columns per record"));
        Console.WriteLine("| function | h | mean of f | rmse | noise std | approximation std | predicted | inside 95 % |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (PairFunctionEntry entry in Catalog.Functions)
            if (!entry.UsesExponent || entry.UsesBandwidth)
                Console.WriteLine(Row(entry, facts, rows, queries, engine));
    }

    static string Row(PairFunctionEntry entry, DatasetFacts facts, Points rows, Points queries, SimdEngine engine)
    {
        double h = Bandwidth(entry), n = rows.Count;
        var request = new ReleaseRequest { Function = entry.Name, Bandwidth = h, Loss = new PrivacyLoss(1, 1e-6), Seed = 1 };
        ReleasePlan plan = Planner.Plan(request, facts, new());
        var receipt = new Receipt(
            new byte[16], new byte[32], 1, new(new byte[16], 1, 1, new byte[32]), plan.Cost, plan.Measurement.Fingerprint);
        Release release = plan.Measurement.Invoke(receipt, [new Records(rows.Values.ToArray(), default)], engine, static () => { });
        Answers answers = release.Estimate(queries, engine);
        var exact = new double[queries.Count];
        engine.AddExactSums(plan.Measurement.Sketch.Function, rows, queries, exact);
        double inside = Enumerable.Range(0, queries.Count)
            .Average(q => Math.Abs(answers.Values[q] - exact[q]) <= answers.HalfWidth95[q] ? 1.0 : 0);
        double[] errors = [.. answers.Values.Zip(exact, static (a, b) => a - b)];
        return string.Create(CultureInfo.InvariantCulture,
            $"| {entry.Name} | {h} | {exact.Average() / n:G3} | {Rms(errors) / n:E1} | {Rms(answers.NoiseStd) / n:E1} ")
            + string.Create(CultureInfo.InvariantCulture,
                $"| {Rms(answers.ApproximationStd) / n:E1} | {plan.Accuracy.TotalStdAtMaxRecords / n:E1} | {inside:P0} |");
    }

    static double Rms(double[] values) => Math.Sqrt(values.Average(static v => v * v));
}
