using System.Net;
using System.Text.Json;
using Google.LongRunning;
using Google.Rpc;
using Grpc.Core;
using Grpc.Health.V1;
using PrivateKernels.Cli;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Keys: who gets in, how often, and until when.</summary>
public sealed class AccessTests
{
    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Missing_unknown_wrong_and_expired_keys_get_the_same_reply_and_soon_none()
    {
        using var keys = new Keys();
        string good = keys.Add("good", Role.Owner, "*");
        string old = keys.Add("old", Role.Owner, "*", DateTimeOffset.UtcNow.AddSeconds(-1));
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        string[] wrong = [$"{good[..^1]}{(good[^1] == 'A' ? 'B' : 'A')}", good.Replace("good", "gone"), old, "pk_", "x y", good[3..]];
        Failure missing = await ListAsync(server, null);
        Assert.Equal((StatusCode.Unauthenticated, "CREDENTIALS_INVALID"), (missing.Code, missing.Reason));
        foreach (string key in wrong) Assert.Equal(missing.Told(), (await ListAsync(server, key)).Told());
        for (int i = 1 + wrong.Length; i < 10; i++) await ListAsync(server, wrong[0]);
        Failure many = await ListAsync(server, wrong[0]);
        Assert.Equal((StatusCode.ResourceExhausted, "RATE_LIMITED"), (many.Code, many.Reason));
        Assert.NotNull(many.Detail<RetryInfo>());
        // Beyond the limit a call leaves no line in the log: somebody without a key could fill the disk.
        int lines = Lines(server);
        for (int i = 0; i < 20; i++) Assert.Equal("RATE_LIMITED", (await ListAsync(server, wrong[0])).Reason);
        Assert.Equal(lines, Lines(server));
        await KeyHolder.Of(server.Channel, good).Datasets.ListDatasetsAsync(new ListDatasetsRequest());
        var health = new Health.HealthClient(server.Channel);
        lines = Lines(server);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest())).Status);
        await Assert.ThrowsAsync<RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = "none" }).ResponseAsync);
        await Assert.ThrowsAsync<RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = new('x', 5_000) }).ResponseAsync);
        Assert.Equal(lines, Lines(server));

        string log = server.Log.ToString();
        Assert.Contains("\"key\":\"good\"", log, StringComparison.Ordinal);
        foreach (string key in (string[])[good, old, .. wrong[..2]])
            Assert.DoesNotContain(key[^43..], log, StringComparison.Ordinal);
    }

    static int Lines(TestServer server) => server.Log.ToString().AsSpan().Count('\n');

    [Fact]
    public async Task A_key_that_loses_a_role_or_a_dataset_loses_its_open_streams_at_the_next_frame()
    {
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "people"), other = keys.Add("other", Role.Owner, "people");
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        await KeyHolder.Of(server.Channel, owner).Datasets.CreateDatasetAsync(NewDataset("people"));
        using var first = KeyHolder.Of(server.Channel, owner).Datasets.IngestPoints();
        using var second = KeyHolder.Of(server.Channel, other).Datasets.IngestPoints();
        foreach (var stream in (AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse>[])[first, second])
        {
            await stream.RequestStream.WriteAsync(Start("people", NewId()), Now);
            Assert.True(await stream.ResponseStream.MoveNext(Now));
        }
        KeyFile.Change(keys.Path, static all => all.Select(static k =>
            k.Id == "owner" ? k with { Role = Role.Analyst } : k with { Datasets = ["elsewhere"] }));
        for (int i = 0; i < 600 && await SeesAsync(); i++) await Task.Delay(100, Now);
        await first.RequestStream.WriteAsync(Batch(1, Pattern(2, 4), 4), Now);
        Assert.Equal("ROLE_REQUIRED", (await Failure.OfAsync(() => first.ResponseStream.MoveNext(Now))).Reason);
        await second.RequestStream.WriteAsync(Batch(1, Pattern(2, 4), 4), Now);
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(() => second.ResponseStream.MoveNext(Now))).Reason);

        async Task<bool> SeesAsync() =>
            (await KeyHolder.Of(server.Channel, other).Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets.Count > 0;
    }

    [Fact]
    public async Task A_revoked_key_is_refused_at_once_and_its_open_stream_at_the_next_frame()
    {
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "*"), analyst = keys.Add("analyst", Role.Analyst, "people");
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        KeyHolder holder = KeyHolder.Of(server.Channel, owner);
        await holder.Datasets.CreateDatasetAsync(NewDataset("people"));
        CreateReleaseResponse created = await holder.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.5));
        await holder.Operations.WaitOperationAsync(new WaitOperationRequest { Name = created.Operation.Name });
        using var stream = KeyHolder.Of(server.Channel, analyst).Queries.StreamQuery();
        var points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } };
        await stream.RequestStream.WriteAsync(
            new StreamQueryRequest { Release = created.Release.Name, Sequence = 1, Points = points }, Now);
        Assert.True(await stream.ResponseStream.MoveNext(Now));

        keys.Revoke("analyst");
        Failure refused = new(StatusCode.OK, "", new Dictionary<string, string>(), new());
        for (int i = 0; i < 600 && refused.Reason.Length == 0; i++)
        {
            await Task.Delay(100, Now);
            refused = await ListAsync(server, analyst);
        }
        Assert.Equal("CREDENTIALS_INVALID", refused.Reason);
        await stream.RequestStream.WriteAsync(new StreamQueryRequest { Sequence = 2, Points = points }, Now);
        Failure closed = await Failure.OfAsync(() => stream.ResponseStream.MoveNext(Now));
        Assert.Equal("CREDENTIALS_INVALID", closed.Reason);
        Assert.Equal("", (await ListAsync(server, owner)).Reason);
    }

    [Fact]
    public async Task A_keys_file_that_becomes_unreadable_changes_nothing_and_is_logged()
    {
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        await File.WriteAllTextAsync(keys.Path, "{ not json", Now);
        for (int i = 0; i < 600 && !server.Log.ToString().Contains("Security:KeysFile", StringComparison.Ordinal); i++)
            await Task.Delay(100, Now);
        Assert.Contains("Security:KeysFile", server.Log.ToString(), StringComparison.Ordinal);
        Assert.Equal("", (await ListAsync(server, owner)).Reason);
    }

    [Fact]
    public async Task A_key_may_make_so_many_calls_and_ask_for_so_many_points_and_others_do_not_suffer()
    {
        using var keys = new Keys();
        string busy = keys.Add("busy", Role.Owner, "*"), calm = keys.Add("calm", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => o with
        {
            Security = new() { KeysFile = keys.Path },
            Limits = new() { CallsPerSecond = 1, CallBurst = 20, QueryPointsPerSecond = 1 },
        });
        KeyHolder holder = KeyHolder.Of(server.Channel, calm);
        await holder.Datasets.CreateDatasetAsync(NewDataset("people"));
        CreateReleaseResponse created = await holder.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.5));
        await holder.Operations.WaitOperationAsync(new WaitOperationRequest { Name = created.Operation.Name });
        var query = new QueryRequest { Release = created.Release.Name, Points = new() { Dimension = 4 } };
        query.Points.Values.AddRange(Pattern(1000, 4));
        await holder.Queries.QueryAsync(query);
        Failure points = await Failure.OfAsync(holder.Queries.QueryAsync(query));
        Assert.Equal(("RATE_LIMITED", "Limits:QueryPointsPerSecond"), (points.Reason, points.Metadata["limit"]));

        Failure last = await ListAsync(server, busy);
        for (int i = 0; i < 100 && last.Reason.Length == 0; i++) last = await ListAsync(server, busy);
        Assert.Equal(("RATE_LIMITED", "Limits:CallsPerSecond"), (last.Reason, last.Metadata["limit"]));
        Assert.NotNull(last.Detail<RetryInfo>());
        Assert.Equal("", (await ListAsync(server, calm)).Reason);
    }

    [Fact]
    public void A_bucket_refills_with_time_and_owes_what_was_taken_beyond_a_burst()
    {
        var clock = new HandClock();
        var bucket = new RateBucket(perSecond: 10, burst: 20, clock);
        Assert.True(bucket.TryTake(15));
        Assert.False(bucket.TryTake(10));
        clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.True(bucket.TryTake(10));
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.True(bucket.TryTake(50));
        clock.Advance(TimeSpan.FromSeconds(3));
        Assert.False(bucket.TryTake(1));
        clock.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True(bucket.TryTake(1));
    }

    [Fact]
    public void Failed_attempts_are_counted_by_address_and_by_network_of_an_IPv6_address()
    {
        var clock = new HandClock();
        var attempts = new FailedAttempts(clock);
        IPAddress first = IPAddress.Parse("2001:db8::1"), neighbour = IPAddress.Parse("2001:db8::2"), far = IPAddress.Parse("2001:db8:0:1::1");
        for (int i = 0; i < FailedAttempts.PerMinute; i++) Assert.True(attempts.Count(first));
        Assert.False(attempts.Count(neighbour));
        Assert.True(attempts.Count(far));
        Assert.True(attempts.Count(null));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(attempts.Count(neighbour));
    }

    [Theory]
    [InlineData("""{ "keys": [ { "id": "A", "role": "owner", "datasets": ["*"], "sha256": "HASH" } ] }""", "id")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner, analyst", "datasets": ["*"], "sha256": "HASH" } ] }""", "role")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "none", "datasets": ["*"], "sha256": "HASH" } ] }""", "role")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner", "datasets": [], "sha256": "HASH" } ] }""", "datasets")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner", "datasets": ["A b"], "sha256": "HASH" } ] }""", "datasets")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner", "datasets": ["*"], "sha256": "12" } ] }""", "sha256")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner", "datasets": ["*"] } ] }""", "sha256")]
    [InlineData("""{ "keys": [ null ] }""", "object")]
    [InlineData("""{ "keys": [ { "id": "a", "role": "owner", "datasets": [null], "sha256": "HASH" } ] }""", "datasets")]
    [InlineData("""{ "keys": [ { "id": null, "role": "owner", "datasets": ["*"], "sha256": "HASH" } ] }""", "line 1")]
    [InlineData("""{ "keys": [ { "id": "a", "rolle": "owner", "datasets": ["*"], "sha256": "HASH" } ] }""", "line 1")]
    public void A_wrong_entry_of_the_keys_file_is_named(string text, string named)
    {
        string json = text.Replace("HASH", new string('0', 64), StringComparison.Ordinal);
        var wrong = Assert.Throws<ConfigurationException>(
            () => KeyFile.Parse("keys.json", System.Text.Encoding.UTF8.GetBytes(json)));
        Assert.Contains(named, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pk_creates_lists_uses_and_revokes_keys_and_the_file_holds_no_key()
    {
        using var keys = new Keys();
        JsonElement created = await OkAsync("key", "create", "lab", "--role", "owner", "--dataset", "*", "--expires", "90d", "--keys", keys.Path);
        string key = created.GetProperty("key").GetString()!;
        Assert.Matches("^pk_lab_[A-Za-z0-9_-]{43}$", key);
        Assert.DoesNotContain(key[^43..], await File.ReadAllTextAsync(keys.Path, Now), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(keys.Path));
        Assert.Equal(64, (await FailAsync("key", "create", "lab", "--role", "owner", "--dataset", "*", "--keys", keys.Path)).Code);

        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        string file = System.IO.Path.ChangeExtension(keys.Path, "key"), address = $"{server.Host.Address}";
        await File.WriteAllTextAsync(file, key + "\n", Now);
        Assert.Equal("CREDENTIALS_INVALID", (await FailAsync("dataset", "list", "--server", address)).Reason);
        Assert.Empty((await OkAsync("dataset", "list", "--server", address, "--key-file", file)).GetProperty("datasets").EnumerateArray());

        JsonElement entry = Assert.Single((await OkAsync("key", "list", "--keys", keys.Path)).GetProperty("keys").EnumerateArray());
        Assert.Equal(("lab", "owner"), (entry.GetProperty("id").GetString(), entry.GetProperty("role").GetString()));
        Assert.False(entry.TryGetProperty("key", out _));
        await OkAsync("key", "revoke", "lab", "--keys", keys.Path);
        Assert.Empty(KeyFile.Read(keys.Path).Keys);
        (int code, string reason) = await FailAsync("dataset", "list", "--server", "http://192.0.2.1:7443", "--key-file", file);
        Assert.Equal((64, "INVALID_FIELD"), (code, reason));
    }

    static async Task<Failure> ListAsync(TestServer server, string? key)
    {
        try
        {
            await KeyHolder.Of(server.Channel, key).Datasets.ListDatasetsAsync(new ListDatasetsRequest());
            return new(StatusCode.OK, "", new Dictionary<string, string>(), new());
        }
        catch (RpcException e)
        {
            return await Failure.OfAsync(() => Task.FromException(e));
        }
    }

    static async Task<JsonElement> OkAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync([.. arguments, "--json"], output, error, Now);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    static async Task<(int Code, string Reason)> FailAsync(params string[] arguments)
    {
        var error = new StringWriter();
        int exitCode = await CommandLine.RunAsync([.. arguments, "--json"], TextWriter.Null, error, Now);
        return (exitCode, JsonDocument.Parse(error.ToString()).RootElement.GetProperty("reason").GetString()!);
    }
}
