using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>
/// pk mmd: how far public points (synthetic data, say) or another release are from the private rows of a release, as the
/// distance of their kernel means. Needs no server for files; costs nothing.
/// </summary>
static class MmdCommand
{
    static readonly Option<string> Release = new("--release")
    {
        Description = "A release of a kernel: downloaded, combined, or on the server.",
        HelpName = ReleaseSource.Form,
        Required = true,
    };

    static readonly Option<string[]> PointFiles = new("--points")
    {
        Description = "Public points to score; several files are compared in one table.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    static readonly Option<string?> Other = new("--with")
    {
        Description = "Another release of the same map to compare with.",
        HelpName = ReleaseSource.Form,
    };

    static readonly Option<string?> Class = new("--class")
    {
        Description = "One class of a per-class release (default: all records).",
        HelpName = "NAME",
    };

    static readonly Option<double?> Records = new("--records")
    {
        Description = "Records of the release, if their number is public (default: its noisy count).",
        HelpName = "N",
    };

    static readonly Option<double?> OtherRecords = new("--with-records")
    {
        Description = "The same for the other release.",
        HelpName = "N",
    };

    public static Command Create()
    {
        var command = new Command("mmd", "Score public points against a release: maximum mean discrepancy, free.")
        {
            Release, PointFiles, Other, Class, Records, OtherRecords, CommonOptions.Server,
        };
        command.Validators.Add(static result =>
        {
            if (result.GetValue(PointFiles) is not { Length: > 0 } && result.GetValue(Other) is null)
                result.AddError("Give --points or --with.");
        });
        return command.Runs(RunAsync);
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        string source = session.Get(Release)!;
        using OfflineRelease release = await ReleaseSource.OpenAsync(session, source, cancellation);
        KernelMean mean = release.Mean(session.Get(Class), session.Get(Records));
        var scores = new List<Score>();
        foreach (string file in session.Get(PointFiles) ?? [])
        {
            KernelMean points = release.MeanOf(await RowFile.ReadAllAsync(file, cancellation));
            scores.Add(new(file, points.Records, mean.Discrepancy(points)));
        }
        if (session.Get(Other) is { } other)
        {
            using OfflineRelease second = await ReleaseSource.OpenAsync(session, other, cancellation);
            KernelMean theirs = second.Mean(session.Get(Class), session.Get(OtherRecords));
            scores.Add(new(other, theirs.Records, mean.Discrepancy(theirs)));
        }
        Write(session.Terminal, source, mean.Records, scores);
    }

    static void Write(Terminal terminal, string source, double records, List<Score> scores)
    {
        var document = new
        {
            Release = source,
            Records = records,
            Scores = scores.Select(static s => new
            {
                s.Against,
                s.Records,
                Mmd = s.Found.Distance,
                SquaredMmd = s.Found.Squared,
                SquaredMmdNoiseStd = s.Found.SquaredNoiseStd,
                s.Found.InnerProduct,
                s.Found.SamplingFloor,
            }),
        };
        terminal.Write(document, console =>
        {
            Table table = terminal.Table("against", "records", "MMD", "MMD²", "noise std of MMD²", "floor of MMD²", "mean kernel");
            foreach (Score s in scores)
                table.AddRow(
                    terminal.Cell(s.Against), Show.Number(s.Records), Show.Number(s.Found.Distance),
                    Show.Number(s.Found.Squared), Show.Number(s.Found.SquaredNoiseStd), Show.Number(s.Found.SamplingFloor),
                    Show.Number(s.Found.InnerProduct));
            console.Write(table);
            console.MarkupLine("[grey]MMD² is free of bias and may be negative; MMD is its root, 0 there. Samples of one "
                + "distribution show about the floor.[/]");
        });
    }

    sealed record Score(string Against, double Records, MeanDiscrepancy Found);
}
