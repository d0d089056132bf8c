using System.CommandLine;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk engines: where this machine can compute, best first; needs no server.</summary>
static class EnginesCommand
{
    public static Command Create() => new Command("engines", "List the engines of this machine, best first.").Runs(RunAsync);

    static Task RunAsync(Session session, CancellationToken cancellation)
    {
        IReadOnlyList<EngineDescription> engines = EngineDescription.Find();
        var document = new
        {
            Engines = engines.Select(static e => new
            {
                Kind = Show.Name(e.Kind),
                e.Device,
                Verified = e.IsVerified,
                e.RecordsPerSecond,
            }),
        };
        session.Terminal.Write(document, console =>
        {
            Table table = session.Terminal.Table("engine", "device", "verified", "records/s");
            foreach (EngineDescription engine in engines)
                table.AddRow(Show.Name(engine.Kind), Markup.Escape(engine.Device), engine.IsVerified ? "yes" : "no",
                    Show.Count((long)engine.RecordsPerSecond));
            console.Write(table);
        });
        return Task.CompletedTask;
    }
}
