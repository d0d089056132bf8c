using System.Net;
using System.Text.Json;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using PrivateKernels.Cli;
using PrivateKernels.Server;
using PrivateKernels.V1;
using Xunit.Sdk;
using static Grpc.Health.V1.HealthCheckResponse.Types;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class SideTests
{
    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_side_port_says_that_the_server_lives_is_ready_and_with_which_engines()
    {
        await using TestServer server = await StartAsync(WithSide);
        (HttpStatusCode live, _) = await GetAsync(server, "livez");
        Assert.Equal(HttpStatusCode.OK, live);
        (HttpStatusCode code, string body) = await GetAsync(server, "readyz");
        JsonElement page = JsonDocument.Parse(body).RootElement;
        Assert.Equal((HttpStatusCode.OK, true), (code, page.GetProperty("ready").GetBoolean()));
        Assert.Equal(
            ["ledger", "engine", "disk", "calls"], page.GetProperty("checks").EnumerateObject().Select(static c => c.Name));
        Assert.Equal("in the data directory", page.GetProperty("witness").GetString());
        JsonElement engine = page.GetProperty("engines").EnumerateArray().Single(static e => e.GetProperty("in_use").GetBoolean());
        Assert.True(engine.GetProperty("verified").GetBoolean());
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(server, "datasets")).Code);
        using var http = new HttpClient();
        using HttpResponseMessage posted = await http.PostAsync(
            new Uri($"http://{server.Host.SideEndpoint}/metrics"), new StringContent("x"), Now);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
        // Neither port speaks for the other.
        using HttpResponseMessage other = await http.GetAsync(new Uri($"http://{server.Host.Endpoint}/readyz"), Now);
        Assert.Equal(HttpStatusCode.BadRequest, other.StatusCode);
    }

    [Fact]
    public async Task Opened_releases_are_counted_with_the_maps_that_they_draw_and_the_last_one_stays()
    {
        // 8 bytes for each of 4096 x 64 entries: 2 MiB, where the file has 100 kB.
        const long Map = 8 * 4096 * 64;
        await using TestServer server = await StartAsync(static o => WithSide(o) with { ReleaseCache = new() { Bytes = Map / 2 } });
        await server.Datasets.CreateDatasetAsync(NewDataset("wide", static r => r.Dataset.Domain.Dimension = 64));
        foreach (string id in (string[])["first", "second"])
        {
            V1.Release release = await server.BuildAsync(NewRelease("wide", id, 0.1, static r =>
                (r.Spec.Sketch.Function.Name, r.Spec.Sketch.Features) = ("laplacian", 4096)));
            Assert.InRange(release.SizeBytes, 1, Map / 8);
            await server.Queries.QueryAsync(new() { Release = release.Name, Points = new() { Dimension = 64, Values = { new float[64] } } });
            string line = (await GetAsync(server, "metrics")).Body.Split('\n')
                .Single(static l => l.StartsWith("pk_release_cache_bytes", StringComparison.Ordinal) && !l.StartsWith('#'));
            Assert.InRange(double.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture), Map, 1.1 * Map);
        }
    }

    [Fact]
    public async Task Metrics_count_calls_points_and_budget_and_show_nothing_of_the_rows()
    {
        const int Rows = 7919;
        const float Canary = 0.271828f;
        await using TestServer server = await StartAsync(WithSide);
        await server.Datasets.CreateDatasetAsync(NewDataset("canary", static r =>
        {
            r.Dataset.Classes.Add(["secret-a", "secret-b"]);
            r.Dataset.MaxRecords = 10_000;
        }));
        float[] rows = [.. Enumerable.Repeat(Canary, 4 * Rows)];
        await server.IngestAsync("canary", rows, 4, [.. Enumerable.Range(0, Rows).Select(static i => i < 6007 ? 0u : 1u)]);
        V1.Release release = await server.BuildAsync(NewRelease("canary", "r", 0.5, static r => r.Spec.Sketch.PerClass = true));
        await server.Queries.QueryAsync(
            new QueryRequest { Release = release.Name, Points = new V1.Points { Dimension = 4, Values = { rows[..12] } } });
        await Failure.OfAsync(server.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/absent" }));
        (_, string metrics) = await GetAsync(server, "metrics");
        Assert.Contains("pk_requests_total{code=\"NotFound\",method=\"/privatekernels.v1.DatasetService/GetDataset\"} 1", metrics);
        Assert.Contains("pk_query_points_total 3", metrics);
        foreach (string line in metrics.Split('\n').Where(static l => l.StartsWith("# TYPE pk_", StringComparison.Ordinal)))
            Assert.Equal(line.Contains("_total ", StringComparison.Ordinal), line.EndsWith(" counter", StringComparison.Ordinal));
        Assert.Contains("pk_query_seconds_count{method=\"/privatekernels.v1.QueryService/Query\"} 1", metrics);
        long left = (await server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/canary/budget" })).Budget.RemainingUnits;
        Assert.Contains(FormattableString.Invariant($"pk_budget_remaining_units{{dataset=\"canary\"}} {left}"), metrics);
        Assert.Contains("pk_ledger_sequence 4", metrics);
        Assert.Contains("pk_ready 1", metrics);
        Assert.Contains("pk_engine_in_use{device=", metrics);
        // Only what reads releases is timed: ingest and builds would tell how many rows there are.
        Assert.DoesNotContain("pk_query_seconds_count{method=\"/privatekernels.v1.DatasetService", metrics);
        (_, string ready) = await GetAsync(server, "readyz");
        // Measured times may hold any digits.
        metrics = string.Join('\n', metrics.Split('\n').Where(static line => !line.Contains("_seconds", StringComparison.Ordinal)));
        foreach (string canary in (string[])["7919", "6007", "1912", "0.2718", "271828", "secret", $"{Rows * 16}", $"{Rows * 20}"])
            Assert.DoesNotContain(canary, metrics + ready, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_it_drains_the_server_says_so_everywhere_and_then_ends_its_streams()
    {
        TestServer server = await StartAsync(static o => WithSide(o) with { Shutdown = new() { Drain = TimeSpan.FromSeconds(3) } });
        await using (server)
        {
            var health = new Health.HealthClient(server.Channel);
            var told = new List<ServingStatus>();
            using AsyncServerStreamingCall<HealthCheckResponse> watch = health.Watch(
                new HealthCheckRequest { Service = "privatekernels.v1.QueryService" }, cancellationToken: Now);
            Assert.True(await watch.ResponseStream.MoveNext(Now));
            told.Add(watch.ResponseStream.Current.Status);
            Failure unknown = await Failure.OfAsync(health.CheckAsync(new HealthCheckRequest { Service = "none" }, cancellationToken: Now));
            Assert.Equal(StatusCode.NotFound, unknown.Code);
            Task end = server.Host.DisposeAsync().AsTask();
            Assert.True(await watch.ResponseStream.MoveNext(Now));
            told.Add(watch.ResponseStream.Current.Status);
            Assert.Equal([ServingStatus.Serving, ServingStatus.NotServing], told);
            Assert.Equal(ServingStatus.NotServing, (await health.CheckAsync(new HealthCheckRequest(), cancellationToken: Now)).Status);
            (HttpStatusCode code, string body) = await GetAsync(server, "readyz");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, code);
            Assert.Contains("draining", body, StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(server, "livez")).Code);
            // Calls are still answered.
            await server.Queries.GetServerInfoAsync(new GetServerInfoRequest(), cancellationToken: Now);
            Failure ended = await Failure.OfAsync(() => watch.ResponseStream.MoveNext(Now));
            Assert.Equal("SHUTTING_DOWN", ended.Reason);
            await end;
        }
    }

    [Fact]
    public async Task A_taken_side_port_is_a_configuration_error_and_an_embedded_server_has_none()
    {
        await using TestServer first = await StartAsync(WithSide);
        var refused = await Assert.ThrowsAsync<ConfigurationException>(() => StartAsync(
            o => o with { Side = new() { Listen = $"{first.Host.SideEndpoint}" } }));
        Assert.Contains("Side:Listen", refused.Message, StringComparison.Ordinal);
        await using TestServer second = await StartAsync();
        Assert.Null(second.Host.SideEndpoint);
    }

    [Fact]
    public async Task The_trace_of_a_caller_is_in_its_log_line_and_none_is_invented()
    {
        await using TestServer server = await StartAsync();
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest(), cancellationToken: Now);
        Assert.DoesNotContain("trace", server.Log.ToString(), StringComparison.Ordinal);
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        await server.Queries.GetServerInfoAsync(
            new GetServerInfoRequest(), new Metadata { { "traceparent", $"00-{Trace}-b7ad6b7169203331-01" } }, cancellationToken: Now);
        Assert.Contains($"\"trace\":\"{Trace}\"", server.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_and_traces_are_sent_to_a_collector_that_is_configured()
    {
        var received = new System.Collections.Concurrent.ConcurrentBag<string>();
        await using WebApplication collector = await CollectAsync(received);
        await using (TestServer server = await StartAsync(o => o with { Telemetry = new() { OtlpEndpoint = collector.Urls.First() } }))
            await server.Queries.GetServerInfoAsync(new GetServerInfoRequest(), cancellationToken: Now);
        // Exporters send what they have when the server ends.
        string all = string.Join('\n', received);
        Assert.Contains("MetricsService/Export", all, StringComparison.Ordinal);
        Assert.Contains("requests_total", all, StringComparison.Ordinal);
        Assert.Contains("TraceService/Export", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_health_command_is_the_probe_of_a_container()
    {
        await using TestServer server = await StartAsync(WithSide);
        (int ready, string table, _) = await RunAsync("health", "--side", $"{server.Host.SideEndpoint}");
        Assert.Equal(0, ready);
        Assert.Contains("| ledger ", table, StringComparison.Ordinal);
        Assert.Contains("in use", table, StringComparison.Ordinal);
        (int down, _, string error) = await RunAsync("health", "--side", "127.0.0.1:1", "--json");
        Assert.Equal(1, down);
        Assert.Contains("UNREACHABLE", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_ends_with_the_exit_code_that_says_why()
    {
        string directory = Directory.CreateTempSubdirectory("pk-exit-").FullName;
        try
        {
            using (ServerProcess process = await ServerProcess.StartAsync(directory))
            {
                (int locked, string second) = await ServerProcess.FailAsync(directory);
                Assert.Equal(75, locked);
                Assert.Contains("DIRECTORY_LOCKED", second, StringComparison.Ordinal);
                var datasets = new V1.DatasetService.DatasetServiceClient(process.Channel);
                await datasets.CreateDatasetAsync(NewDataset("people"), cancellationToken: Now);
                Assert.Equal(0, await process.TerminateAsync());
            }
            (int configuration, string wrong) = await ServerProcess.FailAsync(directory, "--Query:Queue", "3");
            Assert.Equal(78, configuration);
            Assert.Contains("Query:Queue", wrong, StringComparison.Ordinal);
            // The witness of a ledger that is gone.
            File.Delete(Path.Combine(directory, "pk.db"));
            (int behind, string lost) = await ServerProcess.FailAsync(directory);
            Assert.Equal(76, behind);
            Assert.Contains("LEDGER_BEHIND", lost, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task Neither_the_limits_of_the_system_nor_its_handlers_let_a_crash_write_memory_to_a_file()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Core dumps are turned off on Linux.");
        string directory = Directory.CreateTempSubdirectory("pk-core-").FullName;
        try
        {
            using ServerProcess process = await ServerProcess.StartAsync(directory);
            string limit = File.ReadLines($"/proc/{process.Id}/limits")
                .Single(static l => l.StartsWith("Max core file size", StringComparison.Ordinal));
            Assert.Equal(["0", "0", "bytes"], limit[18..].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
        CoreDumps.Forbid();
        Assert.False(CoreDumps.AreAllowed);
    }

    [Fact]
    public async Task What_must_not_stand_in_a_log_fails_the_test_also_where_the_server_is_a_process_of_its_own()
    {
        string directory = Directory.CreateTempSubdirectory("pk-said-").FullName;
        const string Coordinate = "0.841352";
        try
        {
            Canaries.Keep([0.841352f]);
            XunitException wrong = await Assert.ThrowsAnyAsync<XunitException>(
                () => ServerProcess.FailAsync(directory, $"--Query:{Coordinate}", "1"));
            Assert.Contains(Coordinate, wrong.Message, StringComparison.Ordinal);
            // The first lines of a log hold nothing that a test may choose but where the server listens.
            ServerProcess process = await ServerProcess.StartAsync(directory);
            Canaries.Keep(process.Address.Authority);
            wrong = Assert.ThrowsAny<XunitException>(process.Dispose);
            Assert.Contains(process.Address.Authority, wrong.Message, StringComparison.Ordinal);
            Canaries.Forget(process.Address.Authority);
        }
        finally
        {
            Canaries.Forget(Coordinate);
            Directory.Delete(directory, recursive: true);
        }
    }

    static ServerOptions WithSide(ServerOptions options) => options with { Side = new() { Listen = "127.0.0.1:0" } };

    static async Task<(HttpStatusCode Code, string Body)> GetAsync(TestServer server, string path)
    {
        using var http = new HttpClient();
        using HttpResponseMessage response = await http.GetAsync(new Uri($"http://{server.Host.SideEndpoint}/{path}"), Now);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Now));
    }

    static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync(arguments, output, error, Now);
        return (exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Takes whatever is sent by OTLP over gRPC, as text.</summary>
    static async Task<WebApplication> CollectAsync(System.Collections.Concurrent.ConcurrentBag<string> received)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel => kestrel.Listen(
            IPAddress.Loopback, 0, static l => l.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2));
        WebApplication app = builder.Build();
        app.Run(async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            received.Add(http.Request.Path + " " + System.Text.Encoding.Latin1.GetString(body.ToArray()));
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(new byte[5]);
            http.Response.AppendTrailer("grpc-status", "0");
        });
        await app.StartAsync();
        return app;
    }
}
