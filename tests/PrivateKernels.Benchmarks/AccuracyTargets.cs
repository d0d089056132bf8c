using System.Text.Json;
using static PrivateKernels.Benchmarks.AccuracyBenchmark;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// The accuracy that this product sets itself, measured: epsilon 1, delta 10^-6, unless a line says otherwise. Each line: what is
/// asked, the bound, the measured figure, met or missed.
/// </summary>
static class AccuracyTargets
{
    public const double Delta = 1e-6;

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Noise of one query of sensitivity 1.</summary>
    public static double Sigma { get; } = 1 / GaussianDp.Mu(1, Delta);

    /// <param name="args">Data as <see cref="ImageFolder"/> reads it; --only WORD; --json FILE.</param>
    public static async Task RunAsync(string[] args)
    {
        (Points rows, Points publicImages) = await ImageFolder.ReadAsync(args);
        using var engine = new SimdEngine();
        EvaluationSet images = ImageFolder.Whole(rows, publicImages, engine);
        Console.WriteLine(Text($"{rows.Count} rows, {images.Queries.Count} queries, epsilon 1, delta 1e-6, sigma {Sigma:0.0000}, {engine.Device}"));
        Console.WriteLine("| target | asked | measured | |");
        Console.WriteLine("| --- | --- | --- | --- |");
        (string Name, Func<IEnumerable<TargetLine>> Lines)[] parts =
        [
            ("distances", () => DistanceTargets.OfImages(images)),
            ("records", () => DistanceTargets.OfManyRecords(engine)),
            ("tree", () => DistanceTargets.OfTrees(engine)),
            ("grid", () => LowDimensionTargets.OfGrids(rows, publicImages, engine)),
            ("noise", () => KernelTargets.OfNoise(images)),
            ("approximation", () => KernelTargets.OfApproximation(images)),
            ("dense", () => KernelTargets.OfStructure(images)),
            ("baselines", () => KernelTargets.OfBaselines(images)),
            ("landmarks", () => LandmarkTargets.Of(images, publicImages)),
        ];
        var lines = new List<TargetLine>();
        string? only = ImageFolder.Option(args, "--only");
        foreach ((string name, Func<IEnumerable<TargetLine>> of) in parts)
            if (only is null || name == only)
                foreach (TargetLine line in of())
                {
                    lines.Add(line);
                    string bound = (line.AtMost ? "≤" : "≥") + Text($" {line.Asked:G4}");
                    Console.WriteLine(Text($"| {line.Target} | {bound} | {line.Measured:G4} | {(line.IsMet ? "met" : "missed")} |"));
                }
        Console.WriteLine(Text($"{lines.Count(static l => l.IsMet)} of {lines.Count} met"));
        if (ImageFolder.Option(args, "--json") is { } file)
            await File.WriteAllTextAsync(file, JsonSerializer.Serialize(lines, Indented));
    }
}

/// <summary>A target and what was measured.</summary>
sealed record TargetLine(string Target, bool AtMost, double Asked, double Measured)
{
    public bool IsMet => AtMost ? Measured <= Asked : Measured >= Asked;

    public static TargetLine Most(FormattableString target, double asked, double measured) => new(Text(target), true, asked, measured);

    public static TargetLine Least(FormattableString target, double asked, double measured) => new(Text(target), false, asked, measured);
}
