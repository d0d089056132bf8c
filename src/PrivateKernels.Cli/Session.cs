using System.CommandLine;
using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>One run of a command: its options, its terminal, and a client where one is wanted.</summary>
sealed class Session(ParseResult parse) : IDisposable
{
    PrivateKernelsClient? _client;

    public Terminal Terminal { get; } = new(
        parse.InvocationConfiguration.Output, parse.InvocationConfiguration.Error, parse.GetValue(CommonOptions.Json));

    public PrivateKernelsClient Client => _client ??= Connection.Open(parse);

    /// <summary>What was typed that no option or argument took.</summary>
    public IReadOnlyList<string> Rest => parse.UnmatchedTokens;

    public T? Get<T>(Option<T> option) => parse.GetValue(option);

    public T Get<T>(Argument<T> argument) => parse.GetRequiredValue(argument);

    public DatasetHandle Dataset(Argument<string> argument) => Client.Dataset(Get(argument));

    public ReleaseHandle Release(Argument<string> argument)
    {
        (string dataset, string id) = ReleaseName.Parse(Get(argument));
        return Client.Release(dataset, id);
    }

    public void Dispose() => _client?.Dispose();
}

/// <summary>DATASET/ID, or the resource name datasets/DATASET/releases/ID.</summary>
static class ReleaseName
{
    public static (string Dataset, string Id) Parse(string name) =>
        TryParse(name) ?? throw new InvalidFieldException("release", name, "must be DATASET/ID");

    public static (string Dataset, string Id)? TryParse(string name) => name.Split('/') switch
    {
        [{ Length: > 0 } dataset, { Length: > 0 } id] => (dataset, id),
        ["datasets", { Length: > 0 } dataset, "releases", { Length: > 0 } id] => (dataset, id),
        _ => null,
    };

    /// <summary>The short form of a resource name.</summary>
    public static string Short(string name)
    {
        (string dataset, string id) = Parse(name);
        return $"{dataset}/{id}";
    }
}
