using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk query: sums at the points of a file, from a server or from a downloaded release.</summary>
static class QueryCommand
{
    const int ShownRows = 20;

    static readonly string[] Columns = ["value", "noise_std", "approximation_std", "half_width_95"];

    static readonly Argument<string[]> Operands = new("DATASET/ID FILE")
    {
        Description = "The release and the file of query points; with --offline the file alone.",
        Arity = new ArgumentArity(1, 2),
    };

    static readonly Option<string?> Offline = new("--offline")
    {
        Description = "Answer from a downloaded release, without a server.",
        HelpName = "RELEASEFILE",
    };

    static readonly Option<string?> Out = new("--out")
    {
        Description = "Also write value, noise_std, approximation_std, half_width_95 of every point.",
        HelpName = "FILE.npy|FILE.csv",
    };

    public static Command Create()
    {
        var command = new Command("query", "Sum a kernel or distance over the private rows, at each point of a file.")
        {
            Operands, Offline, Out, CommonOptions.Server,
        };
        command.Validators.Add(static result =>
        {
            int expected = result.GetValue(Offline) is null ? 2 : 1;
            if (result.GetValue(Operands) is { } given && given.Length != expected)
                result.AddError(expected == 2 ? "Give DATASET/ID and FILE." : "With --offline give FILE alone.");
        });
        return command.Runs(RunAsync);
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        string[] operands = session.Get(Operands);
        Points points = await RowFile.ReadAllAsync(operands[^1], cancellation);
        (Answers total, IReadOnlyList<(string Class, Answers Answers)> byClass) = session.Get(Offline) is { } file
            ? AskFile(file, points)
            : await AskServerAsync(session, operands[0], points, cancellation);
        if (session.Get(Out) is { } path) WriteOut(path, total);
        Dictionary<string, IEnumerable<object>>? classes =
            byClass.Count == 0 ? null : byClass.ToDictionary(static c => c.Class, static c => Documents(c.Answers));
        session.Terminal.Write(new { Answers = Documents(total), AnswersByClass = classes }, console =>
            Write(session.Terminal, console, total, byClass));
    }

    static (Answers, IReadOnlyList<(string, Answers)>) AskFile(string file, Points points)
    {
        using OfflineRelease release = OfflineRelease.Open(file);
        Answers total = release.Query(points);
        return release.Classes.Count == 0
            ? (total, [])
            : (total, [.. release.QueryByClass(points).Select(a => (release.Classes[a.ClassIndex], a.Answers))]);
    }

    static async Task<(Answers, IReadOnlyList<(string, Answers)>)> AskServerAsync(
        Session session, string name, Points points, CancellationToken cancellation)
    {
        (string dataset, string id) = ReleaseName.Parse(name);
        ReleaseHandle release = session.Client.Release(dataset, id);
        string[] classes = [.. (await release.GetAsync(cancellation)).Classes];
        Answers total = await session.Terminal.ProgressAsync(
            name, progress => release.QueryAsync(points, null, progress, cancellation));
        if (classes.Length == 0) return (total, []);
        IReadOnlyList<ClassAnswers> byClass = await session.Terminal.ProgressAsync(
            $"{name} by class", progress => release.QueryByClassAsync(points, progress, cancellation));
        return (total, [.. byClass.Select(a => (classes[a.ClassIndex], a.Answers))]);
    }

    static IEnumerable<object> Documents(Answers a) => a.Values.Select((_, q) => (object)new
    {
        Value = a.Values[q],
        NoiseStd = a.NoiseStd[q],
        ApproximationStd = a.ApproximationStd[q],
    });

    static void WriteOut(string path, Answers a)
    {
        double[] Row(int q) => [a.Values[q], a.NoiseStd[q], a.ApproximationStd[q], a.HalfWidth95[q]];
        IEnumerable<double[]> rows = Enumerable.Range(0, a.Values.Length).Select(Row);
        OutFile.Write(path, () => NpyFile.Write<double>(path, [.. rows.SelectMany(static r => r)], Columns.Length),
            () => CsvFile.Write(path, Columns, rows.Select(static r => r.Cast<object>().ToArray())));
    }

    static void Write(
        Terminal terminal, IAnsiConsole console, Answers total, IReadOnlyList<(string Class, Answers Answers)> byClass)
    {
        Table table = terminal.Table(["point", "sum", "± 95 %", "noise std", "approximation std",
            .. byClass.Select(static c => Markup.Escape(c.Class))]);
        for (int q = 0; q < Math.Min(ShownRows, total.Values.Length); q++)
            table.AddRow(
            [
                $"{q}", Show.Number(total.Values[q]), Show.Number(total.HalfWidth95[q]), Show.Number(total.NoiseStd[q]),
                Show.Number(total.ApproximationStd[q]), .. byClass.Select(c => Show.Number(c.Answers.Values[q])),
            ]);
        console.Write(table);
        if (total.Values.Length > ShownRows)
            console.MarkupLineInterpolated(
                $"[grey]{total.Values.Length - ShownRows} more: --out FILE.npy or --json gives all.[/]");
    }
}

/// <summary>Files that results are written to.</summary>
static class OutFile
{
    /// <summary>Writes by the ending of the path.</summary>
    public static void Write(string path, Action npy, Action csv)
    {
        switch (Path.GetExtension(path).ToUpperInvariant())
        {
            case ".NPY": npy(); break;
            case ".CSV": csv(); break;
            default: throw new InvalidFieldException("out", path, "must end in .npy or .csv");
        }
    }
}
