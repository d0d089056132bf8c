using System.Globalization;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// One release of each function on images in [0, 1]^784, epsilon 1, delta 10^-6: errors of its answers beside what the
/// release and the planner say about them.
/// </summary>
static class ReleaseBenchmark
{
    /// <param name="args">Data as <see cref="ImageFolder"/> reads it.</param>
    public static async Task RunAsync(string[] args)
    {
        (Points rows, Points publicImages) = await ImageFolder.ReadAsync(args);
        using var engine = new SimdEngine();
        EvaluationSet set = ImageFolder.Whole(rows, publicImages, engine);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{rows.Count} rows, {set.Queries.Count} queries, epsilon 1, delta 1e-6, {engine.Device}; errors over n"));
        Console.WriteLine("| function | features | mean of f | rmse | noise std | approximation std | predicted | inside 95 % |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (PairFunctionEntry entry in Catalog.Functions)
            if (!entry.UsesExponent || entry.UsesBandwidth)
                Console.WriteLine(Row(ImageFolder.Function(entry), set));
    }

    static string Row(PairFunction function, EvaluationSet set)
    {
        double n = set.Count;
        ReleasePlan plan = set.Plan(ImageFolder.Request(function), 1, AccuracyTargets.Delta)!;
        var receipt = new Receipt(
            new byte[16], new byte[32], 1, new(new byte[16], 1, 1, new byte[32]), plan.Cost, plan.Measurement.Fingerprint);
        Release release = plan.Measurement.Invoke(
            receipt, [new Records(set.Rows.Values.ToArray(), default)], set.Engine, static () => { });
        Answers answers = release.Estimate(set.Queries, set.Engine);
        double[] exact = set.Exact(function), errors = [.. answers.Values.Zip(exact, static (a, b) => a - b)];
        double inside = Enumerable.Range(0, errors.Length).Average(q => Math.Abs(errors[q]) <= answers.HalfWidth95[q] ? 1.0 : 0);
        return string.Create(CultureInfo.InvariantCulture,
            $"| {KernelTargets.Name(function)} | {plan.Request.Features} | {exact.Average() / n:G3} ")
            + string.Create(CultureInfo.InvariantCulture,
                $"| {Statistics.Rms(errors) / n:E1} | {Statistics.Rms(answers.NoiseStd) / n:E1} ")
            + string.Create(CultureInfo.InvariantCulture,
                $"| {Statistics.Rms(answers.ApproximationStd) / n:E1} | {plan.Accuracy.TotalStdAtMaxRecords / n:E1} | {inside:P0} |");
    }
}
