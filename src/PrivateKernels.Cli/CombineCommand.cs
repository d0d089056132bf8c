using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk release combine: add, subtract and merge releases of one map. Needs no server for files; costs nothing.</summary>
static class CombineCommand
{
    static readonly Argument<string[]> Several = new(ReleaseSource.Form)
    {
        Description = "Releases of disjoint data, built with the same function, features and seed.",
        Arity = new ArgumentArity(2, 1000),
    };

    static readonly Argument<string> First = new("FROM") { Description = $"The release taken from ({ReleaseSource.Form})." };

    static readonly Argument<string> Second = new("SUBTRAHEND")
    {
        Description = $"The release taken away ({ReleaseSource.Form}).",
    };

    static readonly Option<string> Out = new("--out")
    {
        Description = "File to make or replace; query it with 'pk query --offline'.",
        HelpName = "FILE",
        Required = true,
    };

    public static Command Create() => new("combine", "Combine releases of one map into a file. Spends nothing.")
    {
        new Command("add", "Sums over the records of all.") { Several, Out, CommonOptions.Server }
            .Runs((session, cancellation) =>
                RunAsync(session, session.Get(Several), static all => OfflineRelease.Add(all), cancellation)),
        new Command("subtract", "Sums over the records of the first less those of the second.")
            { First, Second, Out, CommonOptions.Server }
            .Runs((session, cancellation) => RunAsync(
                session, [session.Get(First), session.Get(Second)],
                static two => OfflineRelease.Subtract(two[0], two[1]), cancellation)),
        new Command("merge", "One per-class release with the classes of all.") { Several, Out, CommonOptions.Server }
            .Runs((session, cancellation) =>
                RunAsync(session, session.Get(Several), static all => OfflineRelease.Merge(all), cancellation)),
    };

    static async Task RunAsync(
        Session session, string[] sources, Func<IReadOnlyList<OfflineRelease>, OfflineRelease> combine,
        CancellationToken cancellation)
    {
        var releases = new List<OfflineRelease>();
        try
        {
            foreach (string source in sources) releases.Add(await ReleaseSource.OpenAsync(session, source, cancellation));
            using OfflineRelease combined = combine(releases);
            string file = session.Get(Out)!;
            combined.Save(file);
            Write(session.Terminal, combined, file);
        }
        finally
        {
            foreach (OfflineRelease release in releases) release.Dispose();
        }
    }

    static void Write(Terminal terminal, OfflineRelease combined, string file)
    {
        ReleasedSums release = combined.Release;
        (double Value, double NoiseStd)? count = release.Count();
        var document = new
        {
            File = file,
            Bytes = new FileInfo(file).Length,
            Function = release.Sketch.Function.Entry.Name,
            Classes = release.Classes,
            Count = count?.Value,
            CountNoiseStd = count?.NoiseStd,
            Parents = release.Parents.Select(static p => new
            {
                p.Sign,
                LedgerSequence = p.ReservedAt.Sequence,
                LedgerId = Convert.ToHexStringLower(p.ReservedAt.LedgerId.Span),
                Sha256 = Convert.ToHexStringLower(p.Sha256.Span),
            }),
        };
        terminal.Write(document, console =>
        {
            Table table = terminal.Table("sign", "ledger entry", "SHA-256 of the release");
            foreach (ReleaseParent parent in release.Parents)
                table.AddRow(parent.Sign > 0 ? "+" : "-", $"{parent.ReservedAt.Sequence}",
                    Convert.ToHexStringLower(parent.Sha256.Span));
            console.Write(table);
            if (count is { } n)
                console.MarkupLineInterpolated(
                    $"noisy count {Show.Number(n.Value)}, noise std {Show.Number(n.NoiseStd)}");
            console.MarkupLineInterpolated($"[green]{file}[/]: query it with 'pk query --offline {file} POINTS'.");
        });
    }
}
