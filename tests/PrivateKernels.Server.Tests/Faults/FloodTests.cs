using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Clients that stall, that ask for more than the server can do, and that take back what they asked.</summary>
public sealed class FloodTests
{
    static readonly TimeSpan Guard = TimeSpan.FromSeconds(1);

    /// <summary>Patience for what a guard of a second should end, on a machine that does much else.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stalled_connections_are_closed_each_with_its_reason_while_others_are_served()
    {
        int each = Scale.Of(20, 400);
        await using TestServer server = await StartAsync(o => o with
        {
            Limits = o.Limits with
            {
                HeaderTimeout = Guard,
                FirstFrame = Guard,
                StreamIdle = Guard,
                WriteTimeout = Guard,
                DefaultDeadline = Guard,
                StreamsPerKey = 2000,
                Streams = 2000,
                Connections = 10_000,
                Uploads = 2000,
            },
        });
        await FillAsync(server, features: 65_536);
        Task[] stalled =
        [
            .. Enumerable.Range(0, each).SelectMany(_ => (Task[])
                [
                    StallInHeadersAsync(server), StallInBodyAsync(server), StallBeforeFirstFrameAsync(server), StallInIngestAsync(server),
                    StallInReadingAsync(server),
                ]),
        ];
        var served = 0;
        Task all = Task.WhenAll(stalled);
        while (!all.IsCompleted)
        {
            await QueryAsync(server);
            served++;
        }
        await all;
        Assert.True(served > 0);
        string metrics = server.Log.ToString();
        Assert.Contains("STREAM_IDLE", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beyond_its_capacity_the_server_answers_or_says_that_it_is_overloaded_and_loses_no_acknowledgement()
    {
        const int Callers = 24;
        int calls = Scale.Of(30, 3_000);
        await using TestServer server = await StartAsync(static o => o with { Query = o.Query with { Concurrency = 1, QueueLength = 2 } });
        await FillAsync(server, features: 4096);
        int answered = 0, refused = 0;
        Task queries = Parallel.ForAsync(0, Callers, new ParallelOptions { MaxDegreeOfParallelism = Callers, CancellationToken = Now },
            async (_, stop) =>
            {
                for (int i = 0; i < calls; i++)
                    try
                    {
                        await QueryAsync(server);
                        Interlocked.Increment(ref answered);
                    }
                    catch (RpcException e)
                    {
                        Google.Rpc.Status status = e.GetRpcStatus()!;
                        Assert.Equal("OVERLOADED", status.GetDetail<Google.Rpc.ErrorInfo>()?.Reason);
                        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
                        Assert.Equal("Query:QueueLength", status.GetDetail<Google.Rpc.ErrorInfo>()?.Metadata["limit"]);
                        Assert.NotNull(status.GetDetail<Google.Rpc.RetryInfo>());
                        Interlocked.Increment(ref refused);
                    }
            });
        for (int upload = 0; upload < 10; upload++) await server.IngestAsync("people", Pattern(10, 4), 4);
        await queries;
        Assert.Equal(Callers * calls, answered + refused);
        Assert.InRange(answered, 1, Callers * calls);
        Assert.True(refused > 0);
        Assert.Equal(110, (await server.Datasets.GetDatasetAsync(
            new GetDatasetRequest { Name = "datasets/people" }, cancellationToken: Now)).Dataset.RecordCount);
    }

    [Fact]
    public async Task Calls_taken_back_at_once_leave_nothing_behind()
    {
        int resets = Scale.Of(10_000, 1_000_000);
        await using TestServer server = await StartAsync(o => o with { Side = new() { Listen = "127.0.0.1:0" } });
        await FillAsync(server, features: 256);
        byte[] body = RawCall.Frames([Google.Protobuf.MessageExtensions.ToByteArray(Query)]);
        using var raw = new RawCall(server.Host.Address);
        await Parallel.ForAsync(0, resets, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Now }, async (i, _) =>
        {
            using var cancel = new CancellationTokenSource();
            Task<HttpResponseMessage> call = raw.StartAsync(
                "/privatekernels.v1.QueryService/Query", new ByteArrayContent(body), cancel.Token);
            if (i % 2 == 0) await Task.Yield();
            await cancel.CancelAsync();
            try
            {
                (await call).Dispose();
            }
            catch (Exception e) when (e is OperationCanceledException or HttpRequestException)
            {
                // Taken back; or the server has had enough of this connection, and the next one begins.
            }
        });
        await QueryAsync(server);
        using var http = new HttpClient();
        string metrics = "";
        for (int i = 0; i < 500 && !metrics.Contains("pk_query_batches 0", StringComparison.Ordinal); i++)
        {
            if (i > 0) await Task.Delay(20, Now);
            metrics = await http.GetStringAsync(new Uri($"http://{server.Host.SideEndpoint}/metrics"), Now);
        }
        Assert.Contains("pk_query_batches 0", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("\"incident\"", server.Log.ToString(), StringComparison.Ordinal);
    }

    static QueryRequest Query { get; } = new()
    {
        Release = "datasets/people/releases/r",
        Points = new V1.Points { Dimension = 4, Values = { Pattern(64, 4) } },
    };

    static async Task FillAsync(TestServer server, uint features)
    {
        await server.Datasets.CreateDatasetAsync(NewDataset("people"), cancellationToken: Now);
        await server.IngestAsync("people", Pattern(10, 4), 4);
        await server.BuildAsync(NewRelease("people", "r", 0.5, r =>
        {
            r.Spec.Sketch.Features = features;
            r.Spec.Sketch.Function.Name = "laplacian";
        }));
    }

    static async Task QueryAsync(TestServer server) =>
        await server.Queries.QueryAsync(Query, deadline: DateTime.UtcNow + Patience, cancellationToken: Now);

    /// <summary>A HEADERS frame that never ends: the connection is closed.</summary>
    static async Task StallInHeadersAsync(TestServer server)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(server.Host.Endpoint, Now);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), Now);
        // SETTINGS, empty; HEADERS on stream 1 with one byte and without END_HEADERS.
        await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83 }, Now);
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer, Now).AsTask().WaitAsync(Patience, Now) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Closed the hard way.
        }
    }

    /// <summary>A unary message of which only a part comes: the deadline of the call ends it.</summary>
    static async Task StallInBodyAsync(TestServer server)
    {
        using var raw = new RawCall(server.Host.Address);
        using var content = new Stalled([0, 0, 0, 1, 0, 10, 3]);
        try
        {
            using HttpResponseMessage response = await raw.StartAsync(
                "/privatekernels.v1.QueryService/Query", content, Now).WaitAsync(Patience, Now);
            if (response.Headers.TryGetValues("grpc-status", out IEnumerable<string>? status)) Assert.Contains(status.First(), (string[])["1", "4"]);
        }
        catch (HttpRequestException)
        {
            // The stream was reset.
        }
    }

    static async Task StallBeforeFirstFrameAsync(TestServer server)
    {
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = server.Datasets.IngestPoints(cancellationToken: Now);
        Failure closed = await Failure.OfAsync(() => call.ResponseStream.MoveNext(Now).WaitAsync(Patience, Now));
        Assert.Equal(("STREAM_IDLE", "first frame"), (closed.Reason, closed.Metadata["guard"]));
    }

    static async Task StallInIngestAsync(TestServer server)
    {
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = server.Datasets.IngestPoints(cancellationToken: Now);
        await call.RequestStream.WriteAsync(Start("people", NewId()), Now);
        Assert.True(await call.ResponseStream.MoveNext(Now).WaitAsync(Patience, Now));
        Failure closed = await Failure.OfAsync(() => call.ResponseStream.MoveNext(Now).WaitAsync(Patience, Now));
        Assert.Equal(("STREAM_IDLE", "idle"), (closed.Reason, closed.Metadata["guard"]));
    }

    /// <summary>A download that nobody reads: its stream is broken off.</summary>
    static async Task StallInReadingAsync(TestServer server)
    {
        using AsyncServerStreamingCall<DownloadReleaseResponse> call = server.Releases.DownloadRelease(
            new DownloadReleaseRequest { Name = "datasets/people/releases/r" }, cancellationToken: Now);
        await call.ResponseHeadersAsync.WaitAsync(Patience, Now);
        await Task.Delay(3 * Guard, Now);
        try
        {
            await foreach (DownloadReleaseResponse _ in call.ResponseStream.ReadAllAsync(Now))
            {
            }
        }
        catch (RpcException e)
        {
            Assert.Contains(e.StatusCode, (StatusCode[])[StatusCode.Cancelled, StatusCode.Unavailable, StatusCode.Internal, StatusCode.Unknown]);
        }
    }

    /// <summary>Some bytes, and then nothing for as long as the call lasts.</summary>
    sealed class Stalled(byte[] start) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(start);
            await stream.FlushAsync();
            await Task.Delay(Patience);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
