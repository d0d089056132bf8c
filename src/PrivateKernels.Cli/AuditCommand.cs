using System.CommandLine;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk audit: does this installation keep the promises that its privacy proof rests on? Needs no server.</summary>
static class AuditCommand
{
    public static Command Create() => new Command(
        "audit", "Check this installation's privacy: arithmetic, sensitivities, noise, prices. Exits 1 if a check fails.")
        .Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        using var engine = new SimdEngine();
        IReadOnlyList<AuditResult> results = await session.Terminal.WaitAsync(
            "Playing neighbours and noise through the product ...",
            () => Task.Run(() => PrivacyAudit.Run(engine), cancellation));
        var document = new
        {
            Passed = results.All(static r => r.Passed),
            Engine = engine.Device,
            Checks = results.Select(static r => new { r.Check, r.Promise, r.Passed, r.Detail, r.Seconds }),
        };
        session.Terminal.Write(document, console =>
        {
            Table table = session.Terminal.Table("check", "passed", "time", "promise");
            foreach (AuditResult result in results)
                table.AddRow(
                    result.Check, result.Passed ? "[green]yes[/]" : "[red]NO[/]", Show.Seconds(result.Seconds),
                    Markup.Escape(result.Promise));
            console.Write(table);
            session.Terminal.Sentences(console, results.Select(static r => (r.Check, r.Detail)));
        });
        if (results.FirstOrDefault(static r => !r.Passed) is { } broken) throw new AuditFailedException(broken);
    }
}

/// <summary>A check of the audit failed: nothing should be released from this installation.</summary>
sealed class AuditFailedException(AuditResult result) : Exception(
    $"{result.Check}: {result.Detail}. Release nothing from this installation, and report it as SECURITY.md says.");
