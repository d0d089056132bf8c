using System.Security.Cryptography;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.V1;

namespace PrivateKernels.Tests;

public sealed class ImportTests : IAsyncLifetime
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-import-");
    TestServer _server = null!;
    PrivateKernelsClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        await _server.Datasets.CreateDatasetAsync(TestServer.NewDataset("people"));
        await _server.IngestAsync("people", TestServer.Pattern(100, 4), 4);
        await _server.BuildAsync(TestServer.NewRelease("people", "r", 0.4));
        await _client.Release("people", "r").DownloadAsync(At("r.pkr"), null, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    byte[] Bytes => File.ReadAllBytes(At("r.pkr"));

    V1.LedgerPosition Certificate => CertificateFile.Read(CertificateFile.Beside(At("r.pkr")));

    [Fact]
    public async Task A_lost_or_damaged_file_goes_back_to_its_place_byte_for_byte_and_no_budget_changes()
    {
        string before = await _server.LedgerAsync("people");
        string file = Directory.GetFiles(At("data/releases")).Single();
        foreach (Action damage in (Action[])[() => File.Delete(file), () => File.WriteAllBytes(file, Bytes[..^9])])
        {
            await RestartAsync();
            damage();
            Assert.Equal("FILE_CORRUPT", (await Failure.OfAsync(() => QueryAsync("people"))).Reason);
            V1.Release restored = await _client.Dataset("people").ImportReleaseAsync("r", Bytes);
            Assert.False(restored.Imported);
            Assert.Equal(Bytes, File.ReadAllBytes(file));
            await QueryAsync("people");
        }
        Assert.Equal(before, await _server.LedgerAsync("people"));
        foreach ((string parent, string id) in ((string, string)[])[("people", "other"), ("elsewhere", "r")])
        {
            if (parent == "elsewhere") await _server.Datasets.CreateDatasetAsync(TestServer.NewDataset(parent));
            var refused = await Assert.ThrowsAsync<PrivateKernelsException>(() => _client.Dataset(parent).ImportReleaseAsync(id, Bytes));
            Assert.Equal("INVALID_FIELD", refused.Reason);
        }
    }

    [Fact]
    public async Task A_release_of_another_server_goes_into_an_imported_dataset_only_and_answers_as_there()
    {
        await using TestServer other = await TestServer.StartAsync(null, At("other"));
        using var client = new PrivateKernelsClient($"{other.Host.Address}");
        await other.Datasets.CreateDatasetAsync(TestServer.NewDataset("people"));
        await other.Datasets.CreateDatasetAsync(Imported("guests"));
        var refused = await Assert.ThrowsAsync<PrivateKernelsException>(
            () => client.Dataset("people").ImportReleaseAsync("r", Bytes, Certificate));
        Assert.Equal("RELEASE_UNKNOWN_TO_LEDGER", refused.Reason);
        Assert.NotEmpty(refused.Metadata["ledger_id"]);

        var id = Guid.NewGuid();
        V1.Release release = await client.Dataset("guests").ImportReleaseAsync("r", Bytes, Certificate, null, id);
        Assert.Equal(release, await client.Dataset("guests").ImportReleaseAsync("r", Bytes, Certificate, null, id));
        Assert.True(release.Imported && release.State == V1.ReleaseState.Ready && release.PostedAt is null);
        V1.Release original = await _client.Release("people", "r").GetAsync();
        Assert.Equal((original.Sha256, original.Cost.Units), (release.Sha256, release.Cost.Units));
        Assert.Equal(original.Spec.Sketch.Features, release.Spec.Sketch.Features);
        Points points = new(TestServer.Pattern(5, 4), 4);
        Answers here = await _client.Release("people", "r").QueryAsync(points), there = await client.Release("guests", "r").QueryAsync(points);
        Assert.Equal(here.Values, there.Values);
        Assert.Equal(Bytes, await client.Release("guests", "r").DownloadAsync());
        await _server.BuildAsync(TestServer.NewRelease("people", "s", 0.1));
        byte[] second = await _client.Release("people", "s").DownloadAsync();
        Assert.Equal("RELEASE_EXISTS", await ReasonAsync(() => client.Dataset("guests").ImportReleaseAsync("r", second)));
        await other.Datasets.CreateDatasetAsync(Imported("flat", 3));
        Assert.Equal("DIMENSION_MISMATCH", await ReasonAsync(() => client.Dataset("flat").ImportReleaseAsync("r", Bytes)));

        V1.Release gone = await client.Release("guests", "r").DeleteAsync();
        Assert.Equal(V1.ReleaseState.Deleted, gone.State);
        Assert.Equal("RELEASE_EXISTS", await ReasonAsync(() => client.Dataset("guests").ImportReleaseAsync("r", Bytes)));
        await client.Dataset("guests").ImportReleaseAsync("s", second);
        Assert.Equal("DATASET_HAS_RELEASES", await ReasonAsync(() => client.Dataset("guests").DeleteAsync()));
        await client.Dataset("guests").DeleteAsync(force: true);
        Assert.Empty(Directory.GetFiles(At("other/releases")));
    }

    [Fact]
    public async Task Files_that_are_imported_at_once_take_so_much_memory_and_no_more()
    {
        await _server.Datasets.CreateDatasetAsync(Imported("guests"));
        using var first = _server.Releases.ImportRelease();
        using var second = _server.Releases.ImportRelease();
        foreach (var call in (AsyncClientStreamingCall<ImportReleaseRequest, ImportReleaseResponse>[])[first, second])
            await call.RequestStream.WriteAsync(Announced(600 << 20), TestContext.Current.CancellationToken);
        // One of the two has the room, and waits for its chunks.
        Task<ImportReleaseResponse> beyond = await Task.WhenAny(first.ResponseAsync, second.ResponseAsync);
        Failure refused = await Failure.OfAsync(() => beyond);
        Assert.Equal(("OVERLOADED", StatusCode.ResourceExhausted), (refused.Reason, refused.Code));
        // Small ones, and everything else, go on.
        await _client.Dataset("guests").ImportReleaseAsync("copy", Bytes);
        await QueryAsync("people");

        static ImportReleaseRequest Announced(long bytes) => new()
        {
            Start = new()
            {
                Parent = "datasets/guests",
                ReleaseId = "large",
                RequestId = $"{Guid.NewGuid()}",
                TotalBytes = bytes,
                Sha256 = ByteString.CopyFrom(new byte[32]),
            },
        };
    }

    [Fact]
    public async Task Imports_survive_a_restart_and_strays_do_not()
    {
        await _server.Datasets.CreateDatasetAsync(Imported("guests"));
        await _client.Dataset("guests").ImportReleaseAsync("copy", Bytes);
        File.WriteAllText(At($"data/releases/{Guid.NewGuid()}.imported"), "from before a crash");
        await RestartAsync();
        Assert.Equal(2, Directory.GetFiles(At("data/releases")).Length);
        Points points = new(TestServer.Pattern(2, 4), 4);
        Assert.Equal(
            (await _client.Release("people", "r").QueryAsync(points)).Values, (await _client.Release("guests", "copy").QueryAsync(points)).Values);
        ListReleasesResponse list = await _server.Releases.ListReleasesAsync(new ListReleasesRequest { Parent = "datasets/guests" });
        Assert.True(Assert.Single(list.Releases).Imported);
    }

    [Theory]
    [InlineData("no start", "INVALID_FIELD")]
    [InlineData("sha short", "INVALID_FIELD")]
    [InlineData("sha wrong", "CHECKSUM_MISMATCH")]
    [InlineData("crc", "CHECKSUM_MISMATCH")]
    [InlineData("flipped", "INVALID_FIELD")]
    [InlineData("short", "INVALID_FIELD")]
    [InlineData("long", "INVALID_FIELD")]
    [InlineData("claimed", "LIMIT_EXCEEDED")]
    [InlineData("no size", "INVALID_FIELD")]
    [InlineData("id", "INVALID_FIELD")]
    [InlineData("request id", "REQUEST_ID_MISSING")]
    [InlineData("nobody", "RESOURCE_NOT_FOUND")]
    [InlineData("forged position", "RELEASE_UNKNOWN_TO_LEDGER")]
    [InlineData("forged certificate", "RELEASE_UNKNOWN_TO_LEDGER")]
    [InlineData("altered under a certificate", "RELEASE_UNKNOWN_TO_LEDGER")]
    public async Task A_wrong_import_is_refused_and_changes_nothing(string what, string reason)
    {
        string before = await _server.LedgerAsync("people");
        byte[] file = what switch
        {
            "flipped" => [.. Bytes[..200], (byte)~Bytes[200], .. Bytes[201..]],
            "forged position" or "forged certificate" => Altered(92, 77),
            "altered under a certificate" => Altered(Bytes.Length - 40, 5),
            _ => Bytes,
        };
        var start = new ImportStart
        {
            Parent = what == "nobody" ? "datasets/nobody" : "datasets/people",
            ReleaseId = what == "id" ? "R!" : "r",
            Sha256 = ByteString.CopyFrom(SHA256.HashData(what == "sha wrong" ? [1] : file)),
            TotalBytes = what switch
            {
                "claimed" => long.MaxValue,
                "no size" => 0,
                "short" => file.Length + 1,
                "long" => file.Length - 1,
                _ => file.Length,
            },
            RequestId = what == "request id" ? "" : TestServer.NewId(),
            PostedAt = what.Contains("certificate", StringComparison.Ordinal) ? Certificate : null,
        };
        if (what == "sha short") start.Sha256 = ByteString.CopyFrom(1, 2);
        if (what == "forged certificate") start.PostedAt!.Sequence += 1000;
        uint crc = Crc32C.Compute(file) ^ (what == "crc" ? 1u : 0);
        var chunk = new ImportReleaseRequest { Chunk = new() { Data = ByteString.CopyFrom(file), Crc32C = crc } };
        Failure refused = await Failure.OfAsync(async () =>
        {
            using AsyncClientStreamingCall<ImportReleaseRequest, ImportReleaseResponse> call = _server.Releases.ImportRelease();
            try
            {
                if (what != "no start") await call.RequestStream.WriteAsync(new() { Start = start });
                await call.RequestStream.WriteAsync(chunk);
                await call.RequestStream.CompleteAsync();
            }
            catch (Exception e) when (e is RpcException or InvalidOperationException)
            {
                // The reply says why the call has ended.
            }
            await call.ResponseAsync;
        });
        Assert.Equal(reason, refused.Reason);
        Assert.Equal(before, await _server.LedgerAsync("people"));
        await QueryAsync("people");
    }

    [Fact]
    public async Task The_program_imports_a_downloaded_release()
    {
        await RunAsync("dataset", "create", "guests", "--imported", "--dimension", "4");
        JsonElement imported = await RunAsync("release", "import", "guests/r", At("r.pkr"));
        Assert.Equal(("guests/r", "ready"), (imported.GetProperty("release").GetString(), imported.GetProperty("state").GetString()));
        Assert.Equal("ready", (await RunAsync("release", "import", "people/r", At("r.pkr"))).GetProperty("state").GetString());
    }

    static CreateDatasetRequest Imported(string id, uint dimension = 4) => TestServer.NewDataset(id, r =>
    {
        (r.Dataset.Kind, r.Budget, r.Dataset.MaxRecords) = (V1.DatasetKind.Imported, null, 0);
        r.Dataset.Domain.Dimension = dimension;
    });

    static async Task<string> ReasonAsync(Func<Task> call) => (await Assert.ThrowsAsync<PrivateKernelsException>(call)).Reason;

    /// <summary>The file with one byte changed and a trailer that fits again.</summary>
    byte[] Altered(int offset, byte by)
    {
        byte[] file = Bytes;
        file[offset] += by;
        SHA256.HashData(file.AsSpan(0, file.Length - 32)).CopyTo(file, file.Length - 32);
        return file;
    }

    async Task QueryAsync(string dataset) => await _server.Queries.QueryAsync(new QueryRequest
    {
        Release = $"datasets/{dataset}/releases/r",
        Points = new V1.Points { Dimension = 4, Values = { TestServer.Pattern(1, 4) } },
    });

    async Task StartAsync()
    {
        _server = await TestServer.StartAsync(null, At("data"));
        _client = new($"{_server.Host.Address}");
    }

    async Task RestartAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        await StartAsync();
    }

    async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync(
            [.. arguments, "--server", $"{_server.Host.Address}", "--json"], output, error, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    string At(string name) => Path.Combine(_folder.FullName, name);
}
