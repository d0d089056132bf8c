using System.Text.Json;
using PrivateKernels.Cli;
using PrivateKernels.Server;
using PrivateKernels.V1;

namespace PrivateKernels.Tests;

/// <summary>Keys from 'pk encryption' with a real server over an encrypted directory.</summary>
[Collection("environment")]
public sealed class CliEncryptionTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-encryption-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_server_starts_with_its_key_only_and_after_a_rotation_with_the_new_one_only()
    {
        string first = At("first.key"), second = At("second.key");
        foreach (string file in (string[])[first, second]) await RunAsync("encryption", "create", file);
        Assert.NotEqual(File.ReadAllText(first), File.ReadAllText(second));
        Assert.Equal("FILE_ERROR", (await FailAsync(1, "encryption", "create", first)).GetProperty("reason").GetString());
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(first));

        await using (TestServer server = await StartAsync(first))
        {
            await server.Datasets.CreateDatasetAsync(TestServer.NewDataset("people"));
            await server.IngestAsync("people", TestServer.Pattern(100, 4), 4);
            V1.Release release = await server.BuildAsync(TestServer.NewRelease("people", "r", 0.5));
            Assert.Equal(V1.ReleaseState.Ready, release.State);
            Assert.DoesNotContain("in the clear", server.Log.ToString(), StringComparison.Ordinal);
        }
        await RefusedAsync(second);
        await RefusedAsync("");

        JsonElement rotated = await RotateAsync(first, second);
        Assert.Equal(1, rotated.GetProperty("datasets").GetInt32());
        // Asked again, as after a crash that left the answer open: nothing is left to do.
        Assert.Equal(0, (await RotateAsync(first, second)).GetProperty("datasets").GetInt32());
        await RefusedAsync(first);
        await using TestServer after = await StartAsync(second);
        Assert.Equal(V1.ReleaseState.Ready, (await after.BuildAsync(TestServer.NewRelease("people", "s", 0.1))).State);
    }

    [Fact]
    public async Task A_server_without_a_key_says_that_rows_are_in_the_clear()
    {
        await using (TestServer server = await StartAsync(""))
        {
            await server.Datasets.CreateDatasetAsync(TestServer.NewDataset("open-book"));
            await server.IngestAsync("open-book", TestServer.Pattern(10, 4), 4);
            Assert.Contains("no encryption key", server.Log.ToString(), StringComparison.Ordinal);
        }
        string key = At("late.key");
        await RunAsync("encryption", "create", key);
        await using TestServer later = await StartAsync(key);
        Assert.Contains("\"rows in the clear\"", later.Log.ToString(), StringComparison.Ordinal);
        Assert.Contains("open-book", later.Log.ToString(), StringComparison.Ordinal);
    }

    Task<TestServer> StartAsync(string keyFile) => TestServer.StartAsync(
        o => o with { Encryption = new() { KeyFile = keyFile } }, At("data"));

    async Task RefusedAsync(string keyFile)
    {
        var refused = await Assert.ThrowsAsync<Storage.StorageException>(() => StartAsync(keyFile));
        Assert.Equal("ENCRYPTION_KEY_WRONG", refused.Reason);
        Assert.Contains("Encryption:KeyFile", refused.Message, StringComparison.Ordinal);
        Assert.Equal(ConfigurationException.ExitCode, Cli.Failure.From(refused).ExitCode);
    }

    Task<JsonElement> RotateAsync(string from, string to) =>
        RunAsync("encryption", "rotate", "--data", At("data"), "--Encryption:KeyFile", from, "--new-key-file", to);

    static async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync([.. arguments, "--json"], output, error, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    static async Task<JsonElement> FailAsync(int exitCode, params string[] arguments)
    {
        var error = new StringWriter();
        CancellationToken now = TestContext.Current.CancellationToken;
        Assert.Equal(exitCode, await CommandLine.RunAsync([.. arguments, "--json"], TextWriter.Null, error, now));
        return JsonDocument.Parse(error.ToString()).RootElement;
    }

    string At(string name) => Path.Combine(_folder.FullName, name);
}
