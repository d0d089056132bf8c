using System.Diagnostics;
using System.Text.Json;
using PrivateKernels.Client;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>The operator of a ledger in PostgreSQL: role, look from outside, copy, restore. As `pk`, configured by variables.</summary>
public sealed class CliPostgresTests(PostgresServer postgres) : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-operator-");

    static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_ledger_is_prepared_for_a_role_read_without_a_server_copied_and_restored_without_gain()
    {
        string owner = postgres.NewSchema(), witness = postgres.NewSchema(), role = $"operated{Guid.NewGuid():N}";
        PostgresServer.Run(owner, $"CREATE ROLE {role} LOGIN");
        string served = owner.Replace("Username=pk", $"Username={role}", StringComparison.Ordinal);
        JsonElement granted = await OkAsync(owner, witness, "ledger", "role", role);
        Assert.Contains(
            granted.GetProperty("statements").EnumerateArray(),
            s => s.GetString()!.StartsWith("GRANT INSERT ON ", StringComparison.Ordinal)
                && s.GetString()!.EndsWith($".ledger TO {role}", StringComparison.Ordinal));
        Assert.Equal("INVALID_FIELD", (await FailAsync(64, owner, witness, "ledger", "role", "pk")).GetProperty("reason").GetString());

        string events, entries;
        var log = new StringWriter();
        await using (ServerHost host = await StartAsync(served, witness, log))
        {
            using var client = new PrivateKernelsClient($"{host.Address}");
            await client.CreateDatasetAsync("people", new() { Domain = new(2, maxNorm: 2), Budget = new(5, 1e-5) }, Now);
            await client.Dataset("people").IngestAsync(new float[] { 0.1f, 0.2f, 0.8f, 0.9f }, 2, null, null, Now);
            await client.Dataset("people").CreateReleaseAsync("r", new() { Function = "l2_squared", Mu = 0.5 }, null, null, Now);
            events = (await client.Dataset("people").ExportEventsAsync(Now)).EventsJson;
            using var http = new HttpClient();
            string ready = await http.GetStringAsync(new Uri($"http://{host.SideEndpoint}/readyz"), Now);
            Assert.Equal("reads and appends", JsonDocument.Parse(ready).RootElement.GetProperty("ledger_role").GetString());
            Assert.Equal("DIRECTORY_LOCKED", (await FailAsync(75, served, witness, "restore")).GetProperty("reason").GetString());
            await OkAsync(served, witness, "backup", At("copy"));
        }
        Assert.DoesNotContain("role can rewrite", log.ToString(), StringComparison.Ordinal);
        JsonElement verified = await OkAsync(served, witness, "ledger", "verify");
        Assert.Equal((4, true), (verified.GetProperty("entries").GetInt32(), verified.GetProperty("witnessed").GetBoolean()));
        Assert.False(verified.GetProperty("can_rewrite").GetBoolean());
        Assert.Equal(events, (await OkAsync(served, witness, "ledger", "export", "people", "--offline")).GetRawText());
        entries = (await OkAsync(served, witness, "ledger", "show", "people", "--offline")).GetProperty("entries").GetRawText();
        Assert.Contains(verified.GetProperty("hash").GetString()!, entries, StringComparison.Ordinal);

        // The copy in another database: sealed there; and whole, but as another ledger than the one that goes on.
        string elsewhere = postgres.NewSchema();
        Assert.Equal(
            "LEDGER_BEHIND",
            (await FailAsync(76, elsewhere, "", "restore", "--from", At("copy"), "--data", At("new"))).GetProperty("reason").GetString());
        Assert.True((await OkAsync(elsewhere, "", "ledger", "verify", "--data", At("new"))).GetProperty("sealed").GetBoolean());
        JsonElement restored = await OkAsync(elsewhere, "", "restore", "--accept-loss", "--data", At("new"));
        JsonElement account = Assert.Single(restored.GetProperty("accounts").EnumerateArray());
        Assert.Equal(account.GetProperty("limit_units").GetInt64(), account.GetProperty("spent_units").GetInt64());
        await using ServerHost late = await StartAsync(elsewhere, "", log);
        Assert.Contains("role can rewrite the ledger", log.ToString(), StringComparison.Ordinal);
    }

    Task<ServerHost> StartAsync(string ledger, string witness, TextWriter log) => ServerHost.StartAsync(
        new()
        {
            Data = new() { Directory = At(witness.Length > 0 ? "data" : "new") },
            Ledger = new() { Provider = LedgerProvider.Postgres, ConnectionString = ledger },
            Witness = new() { ConnectionString = witness },
            Grpc = new() { Listen = "127.0.0.1:0" },
            Side = new() { Listen = "127.0.0.1:0" },
            Engine = new() { Threads = 1, Prefer = EnginePreference.Simd },
            Build = new() { CompletionQuantum = TimeSpan.Zero },
            Shutdown = new() { Drain = TimeSpan.Zero },
        },
        log);

    string At(string name) => Path.Combine(_folder.FullName, name);

    async Task<JsonElement> OkAsync(string ledger, string witness, params string[] arguments)
    {
        (int exitCode, string output, string error) = await RunAsync(ledger, witness, arguments);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output).RootElement;
    }

    async Task<JsonElement> FailAsync(int exitCode, string ledger, string witness, params string[] arguments)
    {
        (int actual, string output, string error) = await RunAsync(ledger, witness, arguments);
        Assert.True(exitCode == actual, $"exit code {actual}: {error}{output}");
        return JsonDocument.Parse(error).RootElement;
    }

    /// <summary>In a process of its own: variables belong to a process, and other tests run in this one.</summary>
    async Task<(int ExitCode, string Output, string Error)> RunAsync(string ledger, string witness, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, "pk.dll"), .. arguments, "--json"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PK_Data__Directory"] = At("operator");
        start.Environment["PK_Ledger__Provider"] = "Postgres";
        start.Environment["PK_Ledger__ConnectionString"] = ledger;
        start.Environment["PK_Witness__ConnectionString"] = witness;
        start.Environment["DOTNET_TieredPGO"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(Now);
        string output = await process.StandardOutput.ReadToEndAsync(Now);
        await process.WaitForExitAsync(Now);
        return (process.ExitCode, output, await error);
    }
}
