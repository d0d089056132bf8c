using System.CommandLine;
using System.Text.Json;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk health: asks the side port of a server whether it is ready. The health check of the container.</summary>
static class HealthCommand
{
    /// <summary>Probes are asked every few seconds: one that hangs has failed.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    static readonly Option<string?> Side = new("--side")
    {
        Description = "Side port of the server (default: Side:Listen of the configuration, else 127.0.0.1:7081).",
        HelpName = "ADDRESS:PORT",
    };

    public static Command Create() =>
        new Command("health", "Ask a server whether it is ready; exit code 0 if so.") { Side }.Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        string listen = session.Get(Side) ?? Configuration.Read([]).Side.Listen;
        // A server that listens everywhere listens here.
        string endpoint = listen.Replace("0.0.0.0:", "127.0.0.1:", StringComparison.Ordinal).Replace("[::]:", "[::1]:", StringComparison.Ordinal);
        if (!Uri.TryCreate($"http://{endpoint}/readyz", UriKind.Absolute, out Uri? address) || address.IsDefaultPort)
            throw new InvalidFieldException("side", listen, "must be address:port, such as 127.0.0.1:7081");
        JsonElement page;
        try
        {
            using var http = new HttpClient { Timeout = Patience };
            using HttpResponseMessage response = await http.GetAsync(address, cancellation);
            page = JsonDocument.Parse(await response.Content.ReadAsStringAsync(cancellation)).RootElement;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException { InnerException: TimeoutException })
        {
            throw new NotReadyException("UNREACHABLE", $"no server answers on {endpoint}.");
        }
        if (!page.GetProperty("ready").GetBoolean())
            throw new NotReadyException(
                "NOT_READY", string.Join(", ", page.GetProperty("checks").EnumerateObject().Select(static c => $"{c.Name}: {c.Value}")));
        session.Terminal.Write(page, console =>
        {
            Table table = session.Terminal.Table("check", "state");
            foreach (JsonProperty check in page.GetProperty("checks").EnumerateObject()) table.AddRow(check.Name, $"{check.Value}");
            table.AddRow("witness", $"{page.GetProperty("witness")}");
            foreach (JsonElement e in page.GetProperty("engines").EnumerateArray())
                table.AddRow(
                    "engine", Markup.Escape($"{e.GetProperty("kind")}, {e.GetProperty("device")}")
                        + (e.GetProperty("verified").GetBoolean() ? "" : ", failed its check")
                        + (e.GetProperty("in_use").GetBoolean() ? ", in use" : ""));
            console.Write(table);
        });
    }
}

/// <summary>The server is not ready, or is not there.</summary>
sealed class NotReadyException(string reason, string message) : Exception(message)
{
    public string Reason { get; } = reason;
}
