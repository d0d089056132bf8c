using System.CommandLine;

namespace PrivateKernels.Cli;

/// <summary>Options and arguments that several commands share.</summary>
static class CommonOptions
{
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Print exactly one JSON document, for scripts.",
        Recursive = true,
    };

    public static Option<string> Server { get; } = new("--server")
    {
        Description = "Address of the server (default: the variable PK_SERVER, or the standard port of this machine).",
        HelpName = "URL",
        DefaultValueFactory = static _ => Connection.Variable("PK_SERVER") ?? "http://127.0.0.1:7443",
    };

    /// <summary>Lets a command run with a session, turns what it throws into an exit code.</summary>
    public static Command Runs(this Command command, Func<Session, CancellationToken, Task> run)
    {
        Connection.Complete(command);
        command.SetAction(async (parse, cancellation) =>
        {
            using var session = new Session(parse);
            try
            {
                await run(session, cancellation);
                return 0;
            }
            catch (Exception e)
            {
                var failure = Failure.From(e);
                session.Terminal.Write(failure);
                return failure.ExitCode;
            }
        });
        return command;
    }
}
