using System.Text.Json;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>'pk release combine' and 'pk mmd' on releases that a real server built.</summary>
public sealed class CliAlgebraTests : IAsyncLifetime
{
    /// <summary>Nobody listens there: what works with it works without a server.</summary>
    static readonly string[] Nowhere = ["--server", "http://127.0.0.1:1", "--json"];

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-algebra-");
    ServerHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await ServerHost.StartAsync(new()
        {
            Data = new() { Directory = At("server") },
            Grpc = new() { Listen = "127.0.0.1:0" },
            Engine = new() { Threads = 1 },
            Build = new() { CompletionQuantum = TimeSpan.Zero },
            Shutdown = new() { Drain = TimeSpan.Zero },
        });
        WriteRows(At("low.csv"), 400, 1, 0);
        WriteRows(At("low-too.csv"), 400, 2, 0);
        WriteRows(At("high.csv"), 300, 3, 0.5);
        foreach (string name in (string[])["low", "high"])
        {
            await OkAsync("dataset", "create", name, "--dimension", "2", "--budget-epsilon", "40", "--budget-delta", "1e-5",
                "--lower", "0", "--upper", "1", "--max-records", "1000");
            await OkAsync("dataset", "import", name, At($"{name}.csv"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Downloaded_releases_combine_without_a_server_and_the_file_answers_and_combines_again()
    {
        await ReleaseAsync("low", "one", 5);
        await ReleaseAsync("high", "one", 5);
        await ReleaseAsync("high", "other-seed", 6);
        JsonElement added =
            await LocallyAsync("release", "combine", "add", At("low-one"), At("high-one"), "--out", At("both"));
        Assert.Equal([1, 1], added.GetProperty("parents").EnumerateArray().Select(static p => p.GetProperty("sign").GetInt32()));
        string sha256 = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(At("low-one"))));
        Assert.Equal(sha256, added.GetProperty("parents")[0].GetProperty("sha256").GetString());

        JsonElement[] low = await AnswersAsync("low-one"), high = await AnswersAsync("high-one"), both = await AnswersAsync("both");
        for (int q = 0; q < both.Length; q++)
        {
            Assert.Equal(Value(low[q]) + Value(high[q]), Value(both[q]), 1e-6);
            Assert.Equal(Math.Sqrt(2) * Value(low[q], "noise_std"), Value(both[q], "noise_std"), 1e-6);
        }

        await OkAsync("release", "create", "high", "two", "--function", "gaussian", "--bandwidth", "0.5", "--epsilon", "5",
            "--features", "256", "--seed", "5");
        await OkAsync("release", "combine", "subtract", At("both"), "high/two", "--out", At("rest"));
        Assert.Equal(Value(low[0]), Value((await AnswersAsync("rest"))[0]), 6 * Value((await AnswersAsync("rest"))[0], "noise_std"));

        JsonElement refusal = await RefusedAsync("release", "combine", "add", At("low-one"), At("high-other-seed"), "--out", At("no"));
        Assert.Equal("MAP_MISMATCH", refusal.GetProperty("reason").GetString());
        Assert.Equal("seed is 5 and 6", refusal.GetProperty("details").GetProperty("difference_1").GetString());
        refusal = await RefusedAsync("release", "combine", "add", At("both"), At("low-one"), "--out", At("no"));
        Assert.Equal("SHARED_RELEASE", refusal.GetProperty("reason").GetString());
        refusal = await RefusedAsync("release", "combine", "merge", At("low-one"), At("high-one"), "--out", At("no"));
        Assert.Equal("NOT_PER_CLASS", refusal.GetProperty("reason").GetString());
        Assert.False(File.Exists(At("no")));
    }

    [Fact]
    public async Task Synthetic_points_are_scored_from_a_file_and_the_closer_ones_score_lower()
    {
        await ReleaseAsync("low", "one", 5);
        await ReleaseAsync("high", "one", 5);
        JsonElement found = await LocallyAsync("mmd", "--release", At("low-one"), "--records", "400",
            "--points", At("low-too.csv"), At("high.csv"), "--with", At("high-one"), "--with-records", "300");
        JsonElement[] scores = [.. found.GetProperty("scores").EnumerateArray()];
        Assert.Equal([At("low-too.csv"), At("high.csv"), At("high-one")], scores.Select(static s => s.GetProperty("against").GetString()));
        double near = Value(scores[0], "squared_mmd"), far = Value(scores[1], "squared_mmd"), released = Value(scores[2], "squared_mmd");
        double noise = Value(scores[1], "squared_mmd_noise_std");
        Assert.InRange(near, -6 * Value(scores[0], "squared_mmd_noise_std"), 0.1 * far);
        Assert.Equal(far, released, 8 * (noise + Value(scores[2], "squared_mmd_noise_std")));
        Assert.Equal(Math.Sqrt(far), Value(scores[1], "mmd"));
        Assert.True(far > 10 * noise);
        JsonElement online = await OkAsync("mmd", "--release", "low/one", "--records", "400", "--points", At("high.csv"));
        Assert.Equal(far, Value(online.GetProperty("scores")[0], "squared_mmd"));

        JsonElement refusal = await RefusedAsync(64, "mmd", "--release", At("low-one"), "--points", At("high.csv"));
        Assert.Equal("records", refusal.GetProperty("details").GetProperty("field").GetString());
        refusal = await RefusedAsync(64, "mmd", "--release", At("low-one"));
        Assert.Equal("BAD_COMMAND_LINE", refusal.GetProperty("reason").GetString());
    }

    static CancellationToken Now => TestContext.Current.CancellationToken;

    string At(string name) => Path.Combine(_folder.FullName, name);

    static double Value(JsonElement element, string name = "value") => element.GetProperty(name).GetDouble();

    /// <summary>Points of the square [shift, shift + 0.5], from a small fixed generator.</summary>
    static void WriteRows(string path, int count, uint state, double shift)
    {
        double Next() => shift + 0.5 * (state = unchecked(state * 1664525 + 1013904223)) / 4294967296.0;
        CsvFile.Write(path, ["a", "b"], Enumerable.Range(0, count).Select(_ => new object[] { Next(), Next() }));
    }

    /// <summary>Builds a release and downloads it to DATASET-ID; the digits of a seed end ids that name one.</summary>
    async Task ReleaseAsync(string dataset, string id, int seed)
    {
        await OkAsync("release", "create", dataset, id, "--function", "gaussian", "--bandwidth", "0.5", "--epsilon", "10",
            "--features", "256", "--seed", $"{seed}", "--method", "fourier");
        await OkAsync("release", "download", $"{dataset}/{id}", At($"{dataset}-{id}"));
    }

    async Task<JsonElement[]> AnswersAsync(string file)
    {
        NpyFile.Write<float>(At("queries.npy"), [0.1f, 0.2f, 0.8f, 0.9f], 2);
        JsonElement document = await RunAsync(0, ["query", "--offline", At(file), At("queries.npy"), .. Nowhere]);
        return [.. document.GetProperty("answers").EnumerateArray()];
    }

    Task<JsonElement> OkAsync(params string[] arguments) => RunAsync(0, [.. arguments, "--server", $"{_host.Address}", "--json"]);

    static Task<JsonElement> LocallyAsync(params string[] arguments) => RunAsync(0, [.. arguments, .. Nowhere]);

    static Task<JsonElement> RefusedAsync(params string[] arguments) => RunAsync(1, [.. arguments, .. Nowhere]);

    static Task<JsonElement> RefusedAsync(int exitCode, params string[] arguments) => RunAsync(exitCode, [.. arguments, .. Nowhere]);

    static async Task<JsonElement> RunAsync(int exitCode, string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        Assert.True(exitCode == await CommandLine.RunAsync(arguments, output, error, Now), $"{error}");
        return JsonDocument.Parse(exitCode == 0 ? $"{output}" : $"{error}").RootElement;
    }
}
