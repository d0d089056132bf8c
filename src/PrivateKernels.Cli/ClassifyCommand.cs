using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk classify: the class of each point of a file, by a per-class release.</summary>
static class ClassifyCommand
{
    static readonly Argument<string> Name = new("DATASET/ID") { Description = "A per-class release." };

    static readonly Argument<string> File = new("FILE") { Description = "Points to classify." };

    static readonly Option<string?> Labels = new("--labels")
    {
        Description = "True labels, for the accuracy.",
        HelpName = "FILE",
    };

    internal static Option<string?> Score { get; } = new Option<string?>("--score")
    {
        Description =
            "Average similarity, its sum, nearest kernel mean (default if the release allows it), or least squares.",
    }.AcceptOnlyFromAmong("mean", "sum", "nearest", "least-squares");

    internal static Option<string?> Out { get; } = new("--out")
    {
        Description = "Also write the class of every point (.npy: its index; .csv: its name and margin).",
        HelpName = "FILE.npy|FILE.csv",
    };

    public static Command Create() => new Command("classify", "Classify points by their similarity to each class.")
    {
        Name, File, Labels, Score, Out, CommonOptions.Server,
    }.Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        ReleaseHandle release = session.Release(Name);
        string[] classes = [.. (await release.GetAsync(cancellation)).Classes];
        Points points = await RowFile.ReadAllAsync(session.Get(File), cancellation);
        Classification found = await session.Terminal.ProgressAsync(
            session.Get(Name),
            progress => release.ClassifyAsync(points, ScoreOf(session.Get(Score)), false, progress, cancellation));
        double? accuracy = session.Get(Labels) is { } labels
            ? Accuracy(found, labels, await RowFile.ReadLabelsAsync(labels, new(classes), cancellation))
            : null;
        if (session.Get(Out) is { } path) WriteOut(path, found.Labels, found.Margins, classes);
        string[]? excluded = found.Excluded.Count == 0 ? null : [.. found.Excluded.Select(c => classes[c])];
        var document =
            new { Labels = found.Labels.Select(c => classes[c]), Accuracy = accuracy, ExcludedClasses = excluded };
        session.Terminal.Write(document, console => Write(session.Terminal, console, found, classes, accuracy));
    }

    internal static ClassScore? ScoreOf(string? name) => name switch
    {
        "mean" => ClassScore.Mean,
        "sum" => ClassScore.Sum,
        "nearest" => ClassScore.NearestKernelMean,
        "least-squares" => ClassScore.LeastSquares,
        _ => null,
    };

    static double Accuracy(Classification found, string labelsPath, uint[] truth)
    {
        if (truth.Length != found.Labels.Length)
            throw new RowFormatException(labelsPath, null, null,
                $"has {truth.Length} labels; there are {found.Labels.Length} points");
        return Enumerable.Range(0, truth.Length).Count(i => found.Labels[i] == truth[i]) / (double)truth.Length;
    }

    internal static void WriteOut(string path, int[] labels, double[] margins, string[] classes) => OutFile.Write(
        path, () => NpyFile.Write<int>(path, labels, 1),
        () => CsvFile.Write(
            path, ["label", "margin"], labels.Select((c, i) => new object[] { classes[c], margins[i] })));

    static void Write(Terminal terminal, IAnsiConsole console, Classification found, string[] classes, double? accuracy)
    {
        Table table = terminal.Table("class", "points", "mean margin");
        IEnumerable<int> all = Enumerable.Range(0, found.Labels.Length);
        foreach (IGrouping<int, int> group in all.GroupBy(i => found.Labels[i]).OrderBy(static g => g.Key))
            table.AddRow(Markup.Escape(classes[group.Key]), Show.Count(group.Count()),
                Show.Number(group.Average(i => found.Margins[i])));
        console.Write(table);
        console.MarkupLineInterpolated(
            $"[grey]score: {Show.Name(found.Score)}; margins are in standard deviations of the noise[/]");
        foreach (int c in found.Excluded)
            console.MarkupLineInterpolated(
                $"[yellow]class {classes[c]} is too small to be told from noise and is never predicted[/]");
        if (accuracy is { } value) console.MarkupLineInterpolated($"accuracy [green]{Show.Percent(value)}[/]");
    }
}
