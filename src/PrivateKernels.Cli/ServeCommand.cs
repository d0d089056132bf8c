using System.CommandLine;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk serve: runs the server until it is told to stop.</summary>
static class ServeCommand
{
    static readonly Option<string?> DataDirectory = new("--data")
    {
        Description = "Data directory; made if missing (default ./pk-data).",
        HelpName = "DIR",
    };

    static readonly Option<string?> Listen = new("--listen")
    {
        Description = "Loopback address and port (default 127.0.0.1:7443); port 0 takes a free one.",
        HelpName = "ADDRESS:PORT",
    };

    static readonly Option<string?> Engine = new Option<string?>("--engine")
    {
        Description = "Where arithmetic runs; an engine named here is forced: its failure is the work's.",
    }.AcceptOnlyFromAmong("auto", "simd", "opencl", "cuda");

    public static Command Create()
    {
        var command =
            new Command("serve", "Run the server. Every configuration key can be given as --Section:Key VALUE.")
        {
            DataDirectory, Listen, Engine,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        return command.Runs(RunAsync);
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        List<string> arguments = [.. session.Rest];
        Add("Data:Directory", session.Get(DataDirectory));
        Add("Grpc:Listen", session.Get(Listen));
        Add("Engine:Prefer", session.Get(Engine));
        ServerOptions options = Configuration.Read(arguments);
        // With --json the one document on standard output says where it listens; log lines are documents too.
        await using ServerHost host = await ServerHost.StartAsync(
            options, session.Terminal.IsJson ? null : Console.Out, cancellation);
        string directory = Path.GetFullPath(options.Data.Directory);
        session.Terminal.Write(new { Address = $"{host.Address}".TrimEnd('/'), Data = directory, ServerHost.Version },
            console =>
        {
            if (!session.Terminal.IsInteractive) return;
            console.MarkupLineInterpolated(
                $"[bold]PrivateKernels {ServerHost.Version}[/] on [green]{host.Address}[/], data in {directory}");
            console.MarkupLine("[yellow]Loopback only: there is no TLS and there are no keys.[/] Ctrl-C stops it.");
        });
        var stopped = new TaskCompletionSource();
        await using (cancellation.Register(stopped.SetResult)) await stopped.Task;

        void Add(string key, string? value)
        {
            if (value is not null) arguments.AddRange([$"--{key}", value]);
        }
    }
}
