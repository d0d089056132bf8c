using System.Text.Json;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.Server;
using PrivateKernels.Storage;

namespace PrivateKernels.Tests;

/// <summary>The life of a ledger as its operator sees it: export, verify, back up, roll back, restore.</summary>
public sealed class CliLedgerTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-ledger-");

    static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_ledger_is_exported_verified_backed_up_and_restored_without_gain()
    {
        string data = At("data"), witness = At("volume");
        await using (ServerHost host = await StartAsync(data, witness))
        {
            await FillAsync(host);
            Assert.True(File.Exists(witness) && !File.Exists(Path.Combine(data, "witness")));
            JsonElement export = await OkAsync("ledger", "export", "people", "--server", $"{host.Address}");
            Assert.Equal("ADD_OR_REMOVE_ONE", export.GetProperty("neighboring_relation").GetString());
            JsonElement spend = Assert.Single(export.GetProperty("event").GetProperty("events").EnumerateArray());
            // mu = 1/2: the noise is twice the sensitivity, and no event tells more.
            Assert.InRange(spend.GetProperty("noise_multiplier").GetDouble(), 2, 2.001);
            await File.WriteAllTextAsync(At("export.json"), export.GetRawText(), Now);
            await OkAsync("release", "download", "people/r", At("r.pkr"), "--server", $"{host.Address}");
            await OkAsync("backup", At("copy"), "--data", data);
            JsonElement verified = await OkAsync(
                "ledger", "verify", At("r.pkr.certificate.json"), At("export.json"), "--data", data, "--witness", witness);
            Assert.Equal(4, verified.GetProperty("entries").GetInt64());
            Assert.All(verified.GetProperty("certificates").EnumerateArray(), static c =>
                Assert.Equal("genuine, and in the ledger", c.GetProperty("state").GetString()));
        }
        // A whole directory that was restored behind the server's back: the other volume gives it away.
        JsonElement sealedCopy = await FailAsync(1, "ledger", "verify", At("export.json.missing"), "--data", At("copy"));
        Assert.Equal("FILE_ERROR", sealedCopy.GetProperty("reason").GetString());
        Assert.True((await OkAsync("ledger", "verify", "--data", At("copy"))).GetProperty("sealed").GetBoolean());
        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => StartAsync(At("copy"), At("elsewhere")));
        Assert.Contains("sealed", refused.Message, StringComparison.Ordinal);
        File.Delete(At("elsewhere"));

        JsonElement behind = await FailAsync(76, "restore", "--data", At("copy"), "--witness", At("elsewhere"));
        Assert.Equal("LEDGER_BEHIND", behind.GetProperty("reason").GetString());
        JsonElement restored = await OkAsync(
            "restore", "--data", At("copy"), "--witness", At("elsewhere"), "--accept-loss", "--certificates",
            At("r.pkr.certificate.json"));
        Assert.Equal((true, 2), (restored.GetProperty("accepted_loss").GetBoolean(), restored.GetProperty("epoch").GetInt32()));
        await using ServerHost again = await StartAsync(At("copy"), At("elsewhere"));
        using var client = new PrivateKernelsClient($"{again.Address}");
        V1.Budget budget = await client.Dataset("people").GetBudgetAsync(Now);
        Assert.Equal((0, budget.LimitUnits), (budget.RemainingUnits, budget.SpentUnits));
        var exhausted = await Assert.ThrowsAsync<PrivateKernelsException>(
            () => client.Dataset("people").CreateReleaseAsync("s", Spec, null, null, Now));
        Assert.Equal("BUDGET_EXHAUSTED", exhausted.Reason);
        // Only the owner gives more, and the ledger says so.
        string[] limit = ["dataset", "budget", "people", "--reason", "the loss was nothing", "--server", $"{again.Address}", "--epsilon"];
        Assert.Equal("LIMIT_BELOW_USED", (await FailAsync(1, [.. limit, "4.9"])).GetProperty("reason").GetString());
        JsonElement tried = await OkAsync([.. limit, "6", "--validate-only"]);
        Assert.Equal(0, (await client.Dataset("people").GetBudgetAsync(Now)).RemainingUnits);
        JsonElement raised = await OkAsync([.. limit, "6"]);
        Assert.Equal(tried.GetRawText(), raised.GetRawText());
        Assert.Equal(1e-5, raised.GetProperty("limit").GetProperty("delta").GetDouble());
        await client.Dataset("people").CreateReleaseAsync("s", Spec, null, null, Now);
        JsonElement shown = await OkAsync("ledger", "show", "people", "--server", $"{again.Address}");
        Assert.Equal(
            ["open", "dataset", "reserve", "post", "recover", "limit", "reserve", "post"],
            shown.GetProperty("entries").EnumerateArray().Select(static e => e.GetProperty("kind").GetString()!));
        string Reason(string kind) => shown.GetProperty("entries").EnumerateArray()
            .Single(e => e.GetProperty("kind").GetString() == kind).GetProperty("reason").GetString()!;
        Assert.Equal("the loss was nothing", Reason("limit"));
        Assert.Contains("entries after 4 of epoch 1 may be lost", Reason("recover"), StringComparison.Ordinal);
        Assert.Equal("", Reason("open"));
        Assert.Equal(V1.ReleaseState.Ready, (await client.Release("people", "r").GetAsync(Now)).State);
    }

    [Fact]
    public async Task Without_a_server_the_ledger_itself_tells_the_same()
    {
        string data = At("data");
        string[] there = ["people", "--offline", "--data", data];
        string shown, exported;
        await using (ServerHost host = await StartAsync(data, ""))
        {
            await FillAsync(host);
            shown = (await OkAsync("ledger", "show", "people", "--server", $"{host.Address}")).GetRawText();
            exported = (await OkAsync("ledger", "export", "people", "--server", $"{host.Address}")).GetRawText();
            // Beside the server too.
            Assert.Equal(shown, (await OkAsync(["ledger", "show", .. there])).GetRawText());
        }
        Assert.Equal(shown, (await OkAsync(["ledger", "show", .. there])).GetRawText());
        Assert.Equal(exported, (await OkAsync(["ledger", "export", .. there])).GetRawText());
        Assert.Equal(
            "RESOURCE_NOT_FOUND", (await FailAsync(1, "ledger", "show", "others", "--offline", "--data", data)).GetProperty("reason").GetString());
        // What is shown was verified: a release that the ledger does not know is one that it lost.
        string releases = Path.Combine(data, "releases");
        File.Copy(Directory.GetFiles(releases).Single(), Path.Combine(releases, $"{Guid.NewGuid()}.pkr"));
        Assert.Equal("LEDGER_BEHIND", (await FailAsync(76, ["ledger", "show", .. there])).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_certificate_that_the_ledger_did_not_sign_is_refused()
    {
        string data = At("data");
        await using (ServerHost host = await StartAsync(data, ""))
        {
            await FillAsync(host);
            await OkAsync("ledger", "export", "people", "--out", At("export.json"), "--server", $"{host.Address}");
        }
        V1.LedgerPosition head = CertificateFile.Read(At("export.json"));
        head.Sequence++;
        CertificateFile.Write(At("forged.json"), head);
        JsonElement failure = await FailAsync(1, "ledger", "verify", At("forged.json"), "--data", data);
        Assert.Contains("not signed by this ledger", failure.GetProperty("message").GetString(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(At("other.json"), "[1]", Now);
        await FailAsync(1, "ledger", "verify", At("other.json"), "--data", data);
        await FailAsync(64, "ledger", "verify", "--data", At("nowhere"));
    }

    static ReleaseRequest Spec => new() { Function = "l2_squared", Mu = 0.5 };

    static Task<ServerHost> StartAsync(string data, string witness) => ServerHost.StartAsync(new()
    {
        Data = new() { Directory = data },
        Witness = new() { Path = witness },
        Grpc = new() { Listen = "127.0.0.1:0" },
        Engine = new() { Threads = 1, Prefer = EnginePreference.Simd },
        Build = new() { CompletionQuantum = TimeSpan.Zero },
        Shutdown = new() { Drain = TimeSpan.Zero },
    });

    static async Task FillAsync(ServerHost host)
    {
        using var client = new PrivateKernelsClient($"{host.Address}");
        await OkAsync(
            "dataset", "create", "people", "--dimension", "2", "--max-norm", "2", "--budget-epsilon", "5",
            "--budget-delta", "1e-5",
            "--server", $"{host.Address}");
        await client.Dataset("people").IngestAsync(new float[] { 0.1f, 0.2f, 0.8f, 0.9f }, 2, null, null, Now);
        await client.Dataset("people").CreateReleaseAsync("r", Spec, null, null, Now);
    }

    string At(string name) => Path.Combine(_folder.FullName, name);

    static async Task<JsonElement> OkAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync([.. arguments, "--json"], output, error, Now);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    static async Task<JsonElement> FailAsync(int exitCode, params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int actual = await CommandLine.RunAsync([.. arguments, "--json"], output, error, Now);
        Assert.True(exitCode == actual, $"exit code {actual}: {error}{output}");
        return JsonDocument.Parse(error.ToString()).RootElement;
    }
}
