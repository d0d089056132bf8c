using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// Root mean square error over n of every function, on images in [0, 1]^784 and for gaussian in the plane as well, delta
/// 10^-6: this product beside the structures of the literature.
/// </summary>
static class AccuracyBenchmark
{
    const double Delta = 1e-6;

    static readonly double[] Epsilons = [0.1, 0.3, 1, 3, 10];

    static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <param name="args">
    /// Data as <see cref="ImageFolder"/> reads it; --only NAME for one function, or plane; --out FOLDER for accuracy.json and the plots.
    /// </param>
    public static async Task RunAsync(string[] args)
    {
        string? folder = ImageFolder.Option(args, "--out");
        (Points rows, Points publicImages) = await ImageFolder.ReadAsync(args);
        using var engine = new SimdEngine();
        EvaluationSet images = ImageFolder.Whole(rows, publicImages, engine);
        EvaluationSet plane = ImageFolder.Projected(rows, publicImages, 2, engine);
        Console.WriteLine(Text($"{rows.Count} rows, {images.Queries.Count} queries, delta 1e-6, {engine.Device}; errors over n"));
        Console.WriteLine("| function | mean | structure | ε = 0.1 | 0.3 | 1 | 3 | 10 | features at ε = 1 |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        var series = new List<AccuracySeries>();
        string? only = ImageFolder.Option(args, "--only");
        foreach (PairFunctionEntry entry in Catalog.Functions.Where(e => only is null || e.Name == only))
            foreach (double exponent in entry.Name == "lp_p" ? (double[])[0.5, 1.5] : [0])
                Report(images, ImageFolder.Function(entry, exponent), series);
        if (only is null or "plane") Report(plane, new Gaussian(0.1), series);
        if (folder is null) return;
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "accuracy.json"), JsonSerializer.Serialize(series, Indented));
        AccuracyPlots.Write(series, folder);
    }

    /// <summary>Draws the plots of a folder's accuracy.json again.</summary>
    public static async Task PlotAsync(string folder)
    {
        string json = await File.ReadAllTextAsync(Path.Combine(folder, "accuracy.json"));
        AccuracyPlots.Write(JsonSerializer.Deserialize<AccuracySeries[]>(json, Indented)!, folder);
    }

    static void Report(EvaluationSet set, PairFunction function, List<AccuracySeries> series)
    {
        long began = Stopwatch.GetTimestamp();
        foreach (AccuracySeries s in Measure(set, function))
        {
            series.Add(s);
            string errors = string.Join(" | ", s.Errors.Select(static e => double.IsNaN(e) ? "refused" : Text($"{e:0.0E+0}")));
            string features = s.Features > 0 ? Text($"{s.Features}") : "";
            Console.WriteLine(Text($"| {s.Function} | {s.Mean:G3} | {s.Structure} | {errors} | {features} |"));
        }
        Console.Error.WriteLine(Text($"{function.Entry.Name}: {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s"));
    }

    static IEnumerable<AccuracySeries> Measure(EvaluationSet set, PairFunction function)
    {
        ReleaseRequest request = ImageFolder.Request(function);
        string name = function.Entry.Name + (function is LpP ? Text($", p = {function.Exponent}") : "")
            + (function.Bandwidth > 0 ? Text($", h = {function.Bandwidth}") : "")
            + (set.Rows.Dimension < 784 ? Text($", d = {set.Rows.Dimension}") : "");
        double mean = set.Mean(function), n = set.Count;
        yield return Ours("default plan", Delta, request, null);
        if (function.Methods[0] is SketchMethod.Fourier or SketchMethod.Spherical)
            yield return Ours("best plan", Delta, request, new(TargetStd: 1e-9));
        yield return Ours("pure ε plan", 0, request, null);
        if (function is Gaussian && set.Rows.Dimension <= 3)
            yield return Ours("Hermite grid, pure ε", 0, request with { Method = SketchMethod.HermiteGrid }, null);
        foreach (SketchMethod method in function.Methods.Where(static m => m is SketchMethod.Paper or SketchMethod.PaperPlus))
            yield return Ours(method == SketchMethod.Paper ? "paper, pure ε" : "paper+, pure ε", 0, request with { Method = method }, null);
        if (LsqRandomFeatures.Measure(set, function) is { } lsq)
        {
            yield return Other("LSQ-RFF, pure ε", lsq.Lsq);
            if (set.Rows.Dimension > 200 && function is not ICauchySpectrum) yield return Other("JL + LSQ, pure ε", lsq.ProjectedLsq);
        }
        if (function is Gaussian gaussian && set.Rows.Dimension <= 3)
            yield return Other("LSQ-FGT, pure ε", epsilon => LsqFastGauss.BestError(set, gaussian, epsilon));
        double largest = Largest(set, function);
        yield return Other("one query, Gaussian noise", epsilon => largest / GaussianDp.Mu(epsilon, Delta));

        AccuracySeries Ours(string structure, double delta, ReleaseRequest asked, PlannerGoal? goal)
        {
            double[] errors = [.. Epsilons.Select(
                epsilon => set.Plan(asked, epsilon, delta, goal) is { } plan ? set.Error(plan.Measurement).Total / n : double.NaN)];
            return new(name, mean, structure, Epsilons, errors, set.Plan(asked, 1, delta, goal)?.Measurement.Sketch.Features ?? 0);
        }

        AccuracySeries Other(string structure, Func<double, double> error) =>
            new(name, mean, structure, Epsilons, [.. Epsilons.Select(epsilon => error(epsilon) / n)], 0);
    }

    /// <summary>sup of f over records and queries of the domain: what one query may change by, at worst.</summary>
    internal static double Largest(EvaluationSet set, PairFunction function)
    {
        double d = set.Domain.Dimension, r = set.Domain.MaxNorm!.Value;
        return function switch
        {
            L1 or LpP => d,
            L2 => 2 * r,
            L2Squared => 4 * r * r,
            InnerProduct => r * r,
            _ => 1,
        };
    }

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A line of a plot.</summary>
/// <param name="Function">Function with its parameters.</param>
/// <param name="Mean">Mean over queries of sum_x f(x, y) / n.</param>
/// <param name="Structure">Who answers.</param>
/// <param name="Epsilons">Abscissas.</param>
/// <param name="Errors">Root mean square error over n at each; NaN = refused, because the planner predicts noise alone.</param>
/// <param name="Features">Features at epsilon 1; 0 = none or chosen anew for each epsilon.</param>
sealed record AccuracySeries(
    string Function, double Mean, string Structure, double[] Epsilons, double[] Errors, int Features);
