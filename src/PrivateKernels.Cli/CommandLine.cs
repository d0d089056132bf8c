using System.CommandLine;
using System.CommandLine.Parsing;

namespace PrivateKernels.Cli;

/// <summary>The program `pk`: its commands, and how they end.</summary>
static class CommandLine
{
    /// <summary>Time for a server to drain after the first signal; the process ends at the latest then.</summary>
    static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Runs one command and returns its exit code: 0, or one of <see cref="Failure"/>.</summary>
    public static async Task<int> RunAsync(
        string[] args, TextWriter output, TextWriter error, CancellationToken cancellation = default)
    {
        ParseResult parse = CreateRoot().Parse(args);
        if (parse.Errors.Count > 0) return RefuseCommand(parse, args, output, error);
        var configuration = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = TerminationTimeout,
        };
        return await parse.InvokeAsync(configuration, cancellation);
    }

    static RootCommand CreateRoot() => new(
        "Differentially private sums of kernels and distances: built once, queried for ever.")
    {
        CommonOptions.Json,
        ServeCommand.Create(),
        InitCommand.Create(),
        KeyCommands.Create(),
        DemoCommand.Create(),
        DatasetCommands.Create(),
        ReleaseCommands.Create(),
        QueryCommand.Create(),
        ClassifyCommand.Create(),
        JobCommands.Create(),
        MmdCommand.Create(),
        LedgerCommand.Create(),
        LedgerFiles.CreateBackup(),
        LedgerFiles.CreateRestore(),
        FunctionsCommand.Create(),
        BandwidthCommand.Create(),
        EncryptionCommand.Create(),
        EnginesCommand.Create(),
        HealthCommand.Create(),
        AuditCommand.Create(),
    };

    static int RefuseCommand(ParseResult parse, string[] args, TextWriter output, TextWriter error)
    {
        string text = string.Join(" ", parse.Errors.Select(static e => e.Message.TrimEnd('.') + "."));
        string command = string.Join(" ", Ancestors(parse.CommandResult).Reverse().Select(static c => c.Command.Name));
        var failure = new Failure("BAD_COMMAND_LINE", $"{text} See '{command} --help'.", Failure.BadCommandLine);
        new Terminal(output, error, args.Contains("--json")).Write(failure);
        return failure.ExitCode;
    }

    static IEnumerable<CommandResult> Ancestors(CommandResult command)
    {
        for (SymbolResult? result = command; result is CommandResult c; result = c.Parent) yield return c;
    }
}
