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
        Description = "Address and port (default 127.0.0.1:7443); off loopback only with TLS and keys. Port 0 takes a free one.",
        HelpName = "ADDRESS:PORT",
    };

    static readonly Option<string?> Engine = new Option<string?>("--engine")
    {
        Description = "Where arithmetic runs; an engine named here is forced: its failure is the work's.",
    }.AcceptOnlyFromAmong("auto", "simd", "opencl", "cuda");

    static readonly Option<bool> Insecure = new("--insecure")
    {
        Description = "Let other machines in without TLS or without keys: whoever reaches the port may read everything.",
    };

    public static Command Create()
    {
        var command =
            new Command("serve", "Run the server. Every configuration key can be given as --Section:Key VALUE.")
        {
            DataDirectory, Listen, Engine, Insecure,
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
        if (session.Get(Insecure)) Add("Security:AllowInsecure", "true");
        ServerOptions options = Configuration.Read(arguments);
        // With --json the one document on standard output says where it listens; log lines are documents too.
        await using ServerHost host = await ServerHost.StartAsync(
            options, session.Terminal.IsJson ? null : Console.Out, cancellation);
        string directory = Path.GetFullPath(options.Data.Directory);
        session.Terminal.Write(new { Address = $"{host.Address}".TrimEnd('/'), Side = SideOf(host), Data = directory, ServerHost.Version },
            console =>
        {
            if (!session.Terminal.IsInteractive) return;
            console.MarkupLineInterpolated(
                $"[bold]PrivateKernels {ServerHost.Version}[/] on [green]{host.Address}[/], data in {directory}");
            console.MarkupLineInterpolated($"[yellow]{host.Protection}[/]. Ctrl-C stops it.");
        });
        var stopped = new TaskCompletionSource();
        await using (cancellation.Register(stopped.SetResult)) await stopped.Task;

        static string? SideOf(ServerHost host) => host.SideEndpoint is { } side ? $"http://{side}" : null;

        void Add(string key, string? value)
        {
            if (value is not null) arguments.AddRange([$"--{key}", value]);
        }
    }
}
