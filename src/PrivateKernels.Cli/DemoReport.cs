using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>Shows what the demo found.</summary>
static class DemoReport
{
    const int ShownImages = 3;
    const int BarWidth = 60;

    public static object Document(DemoFindings f) => new
    {
        Accuracy = f.AccuracyByNearest,
        AccuracyByScore =
            new Dictionary<string, double> { ["mean"] = f.AccuracyByMean, ["nearest"] = f.AccuracyByNearest },
        f.Seconds,
        Rmse = ByFunction(f, static s => s.Rmse),
        RelativeRmse = ByFunction(f, static s => s.Rmse / s.MeanExact),
        NoiseStd = ByFunction(f, static s => s.Private.NoiseStd.Average()),
        ApproximationStd = ByFunction(f, static s => s.Private.ApproximationStd.Average()),
        Coverage95 = ByFunction(f, static s => s.Coverage),
        Demo.Budget.Epsilon,
        Demo.Budget.Delta,
        f.Account.Spent,
        f.Account.Remaining,
        Refused = new { f.Refusal.Reason, f.Refusal.Message },
        f.Rows,
    };

    public static void Write(Terminal terminal, IAnsiConsole console, DemoFindings f)
    {
        Title(terminal, console, "Private sums beside the exact ones");
        WriteSums(terminal, console, f);
        WriteErrors(terminal, console, f);
        Title(terminal, console, "Which digit is it? 1,000 images, classified by private sums alone");
        WriteAccuracy(terminal, console, f);
        Title(terminal, console, "What it cost");
        WriteBudget(terminal, console, f);
        Title(terminal, console, "Where the time went");
        WriteSeconds(terminal, console, f);
    }

    static void WriteSums(Terminal terminal, IAnsiConsole console, DemoFindings f)
    {
        Table table =
            terminal.Table("public image", "sum over 9,000 private images", "exact", "private", "± 95 %", "off by");
        for (int q = 0; q < ShownImages; q++)
            foreach (DemoSums s in f.Sums)
            {
                double error = s.Private.Values[q] - s.Exact[q];
                bool inside = Math.Abs(error) <= s.Private.HalfWidth95[q];
                table.AddRow(
                    $"{q}", Markup.Escape(s.Function), Sum(s.Exact[q]), $"[bold]{Sum(s.Private.Values[q])}[/]",
                    Sum(s.Private.HalfWidth95[q]),
                    $"[{(inside ? "green" : "yellow")}]{Sum(error)}[/]");
            }
        console.Write(table);
    }

    static void WriteErrors(Terminal terminal, IAnsiConsole console, DemoFindings f)
    {
        Table table = terminal.Table(
            "over 1,000 images", "mean exact sum", "root mean square error", "of the mean", "privacy noise std",
            "approximation std", "inside ± 95 %");
        foreach (DemoSums s in f.Sums)
            table.AddRow(
                Markup.Escape(s.Function), Sum(s.MeanExact), Sum(s.Rmse),
                $"[green]{Show.Percent(s.Rmse / s.MeanExact)}[/]",
                Sum(s.Private.NoiseStd.Average()), Sum(s.Private.ApproximationStd.Average()), Show.Percent(s.Coverage));
        console.Write(table);
        console.MarkupLine("[grey]Errors of one release share its noise: they move together from image to image.[/]");
    }

    static void WriteAccuracy(Terminal terminal, IAnsiConsole console, DemoFindings f) =>
        Bars(terminal, console, Show.Percent, 1,
    [
        ("average similarity", f.AccuracyByMean, Color.Yellow),
        ("nearest kernel mean", f.AccuracyByNearest, Color.Green),
        ("guessing", 0.1, Color.Grey),
    ]);

    static void WriteBudget(Terminal terminal, IAnsiConsole console, DemoFindings f)
    {
        Table table = terminal.Table("release", "cost", "neighbours", "answers");
        foreach (DemoSums s in f.Sums)
            table.AddRow(
                $"{s.Release.Id}", $"{ReleaseCommands.CostOf(s.Release.Release)}",
                Show.Name(s.Release.Release.Adjacency), "any number, for ever");
        console.Write(table);
        f.Account.Write(console);
        console.MarkupLine(
            "[grey]μ² is what adds up: that is why three releases together cost less than the sum of their ε.[/]");
        console.MarkupLineInterpolated($"one more   [red]{f.Refusal.Reason}[/] {f.Refusal.Message}");
    }

    static void WriteSeconds(Terminal terminal, IAnsiConsole console, DemoFindings f)
    {
        double most = f.Seconds.Where(static s => s.Key != "total").Max(static s => s.Value);
        Bars(terminal, console, Show.Seconds, most,
            [.. f.Seconds.Where(static s => s.Key != "total").Select(static s => (s.Key, s.Value, Color.Aqua))]);
        console.MarkupLineInterpolated($"total [bold]{Show.Seconds(f.Seconds["total"])}[/]");
    }

    static void Bars(
        Terminal terminal, IAnsiConsole console, Func<double, string> format, double most,
        (string Label, double Value, Color Color)[] bars)
    {
        if (!terminal.IsInteractive)
        {
            Table table = terminal.Table("", "");
            foreach ((string label, double value, _) in bars) table.AddRow(Markup.Escape(label), format(value));
            console.Write(table);
            return;
        }
        var chart = new BarChart { Width = BarWidth, MaxValue = most, ValueFormatter = (value, _) => format(value) };
        foreach ((string label, double value, Color color) in bars) chart.AddItem(Markup.Escape(label), value, color);
        console.Write(chart);
    }

    static void Title(Terminal terminal, IAnsiConsole console, string text)
    {
        console.WriteLine();
        if (terminal.IsInteractive)
            console.Write(new Rule($"[bold aqua]{Markup.Escape(text)}[/]") { Justification = Justify.Left });
        else console.WriteLine(text);
    }

    static Dictionary<string, double> ByFunction(DemoFindings f, Func<DemoSums, double> value) =>
        f.Sums.ToDictionary(static s => s.Function, value);

    static string Sum(double value) => value.ToString("#,##0.0", System.Globalization.CultureInfo.InvariantCulture);
}
