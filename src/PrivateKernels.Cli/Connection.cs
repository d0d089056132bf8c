using System.CommandLine;
using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>Where the server is and who asks: options of every command that calls one. The key is never typed.</summary>
static class Connection
{
    const string KeyVariable = "PK_KEY";

    static readonly Option<string?> KeyFile = new("--key-file")
    {
        Description = $"File that holds the key or token, and nothing else (default: the variable {KeyVariable}).",
        HelpName = "FILE",
    };

    static readonly Option<bool> Insecure = new("--insecure")
    {
        Description = "Send the key even where there is no TLS; whoever listens has it then.",
    };

    /// <summary>Gives a command that has <see cref="CommonOptions.Server"/> the other options too.</summary>
    public static void Complete(Command command)
    {
        if (!command.Options.Contains(CommonOptions.Server)) return;
        command.Options.Add(KeyFile);
        command.Options.Add(Insecure);
    }

    public static PrivateKernelsClient Open(ParseResult parse) => new(parse.GetValue(CommonOptions.Server)!, new ClientOptions
    {
        Key = parse.GetValue(KeyFile) is { } file ? File.ReadAllText(file).Trim() : Variable(KeyVariable),
        AllowInsecure = parse.GetValue(Insecure),
    });

    internal static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value.Trim() : null;
}
