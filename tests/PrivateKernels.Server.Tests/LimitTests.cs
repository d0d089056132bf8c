using System.Net;
using System.Net.Sockets;
using Google.LongRunning;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>What the server bears from clients that mean it ill, each limit by itself.</summary>
public sealed class LimitTests
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bytes_that_messages_announce_count_before_they_come_and_are_given_back()
    {
        await using TestServer server = await StartAsync(static o => o with
        {
            Limits = new() { RequestBytes = 1 << 20, BatchBytes = 1 << 20, BytesInFlight = 1 << 20 },
        });
        using var client = new HttpClient();
        using var stall = new Stalled(700_000);
        Task<HttpResponseMessage> first = SendAsync(client, server, stall);
        await stall.Begun;
        // The announcement may still be on its way.
        string status = "";
        for (int i = 0; i < 300 && status != "8"; i++)
        {
            using var second = new Stalled(700_000);
            Task<HttpResponseMessage> reply = SendAsync(client, server, second);
            if (await Task.WhenAny(reply, Task.Delay(100, Now)) == reply)
                status = (await reply).Headers.TryGetValues("grpc-status", out var values) ? values.Single() : "";
            second.End();
            await EndedAsync(reply);
        }
        Assert.Equal("8", status);
        Assert.Contains("OVERLOADED", server.Log.ToString(), StringComparison.Ordinal);
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
        stall.End();
        await EndedAsync(first);
        var large = new QueryRequest { Release = "datasets/a/releases/b", Points = new() { Dimension = 4 } };
        large.Points.Values.AddRange(Pattern(50_000, 4));
        Failure freed = await Failure.OfAsync(server.Queries.QueryAsync(large));
        for (int i = 0; i < 100 && freed.Reason == "OVERLOADED"; i++)
        {
            await Task.Delay(100, Now);
            freed = await Failure.OfAsync(server.Queries.QueryAsync(large));
        }
        Assert.Equal("RESOURCE_NOT_FOUND", freed.Reason);
    }

    [Fact]
    public async Task Without_credentials_nothing_large_can_be_announced_and_one_key_leaves_room_for_others()
    {
        using var keys = new Keys();
        string greedy = keys.Add("greedy", Role.Owner, "*"), other = keys.Add("other", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => o with
        {
            Security = new() { KeysFile = keys.Path },
            Limits = new() { RequestBytes = 1 << 20, BatchBytes = 1 << 20, BytesInFlight = 2 << 20 },
        });
        using var client = new HttpClient();
        using var nobodys = new Stalled(100_000);
        Task<HttpResponseMessage> refused = SendAsync(client, server, nobodys, "grpc.health.v1.Health/Check");
        using (HttpResponseMessage reply = await refused.WaitAsync(Patience, Now))
            Assert.Equal(["8"], reply.Headers.GetValues("grpc-status"));
        nobodys.End();

        client.DefaultRequestHeaders.Authorization = new("Bearer", greedy);
        using var stall = new Stalled(700_000);
        Task<HttpResponseMessage> first = SendAsync(client, server, stall);
        await stall.Begun;
        for (int i = 0; i < 300 && !server.Log.ToString().Contains("OVERLOADED", StringComparison.Ordinal); i++)
        {
            // What the first announced may still be on its way.
            using var second = new Stalled(700_000);
            Task<HttpResponseMessage> reply = SendAsync(client, server, second);
            await Task.WhenAny(reply, Task.Delay(100, Now));
            second.End();
            await EndedAsync(reply);
        }
        Assert.Contains("OVERLOADED", server.Log.ToString(), StringComparison.Ordinal);
        var large = new QueryRequest { Release = "datasets/a/releases/b", Points = new() { Dimension = 4 } };
        large.Points.Values.AddRange(Pattern(50_000, 4));
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(KeyHolder.Of(server.Channel, other).Queries.QueryAsync(large))).Reason);
        stall.End();
        await EndedAsync(first);
    }

    [Fact]
    public void Bytes_in_flight_are_refused_beyond_the_limit_and_given_back_once()
    {
        var bytes = new BytesInFlight(100);
        IDisposable first = bytes.Take(60);
        Assert.Equal("OVERLOADED", Assert.Throws<Refusal>(() => bytes.Take(41)).Reason);
        using (bytes.Take(40)) Assert.Equal(100, bytes.Now);
        first.Dispose();
        first.Dispose();
        Assert.Equal(0, bytes.Now);

        var part = new BytesInFlight(60, bytes);
        using (bytes.Take(50))
        {
            Assert.Throws<Refusal>(() => part.Take(51));
            Assert.Equal((0, 50), (part.Now, bytes.Now));
            using (part.Take(50)) Assert.Equal((50, 100), (part.Now, bytes.Now));
        }
        Assert.Throws<Refusal>(() => part.Take(61));
        Assert.Equal((0, 0), (part.Now, bytes.Now));
    }

    [Fact]
    public async Task Headers_beyond_their_size_and_headers_that_never_end_close_the_connection()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = new() { HeaderTimeout = TimeSpan.FromSeconds(1) } });
        var many = new Metadata { { "x-large", new string('x', 40_000) } };
        await Assert.ThrowsAsync<RpcException>(() => server.Queries.GetServerInfoAsync(new GetServerInfoRequest(), many).ResponseAsync);

        using TcpClient slow = await ConnectAsync(server);
        // A frame of headers without its end: 3 bytes of length, type 1, no flags, stream 1.
        await slow.GetStream().WriteAsync(new byte[] { 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82 }, Now);
        await ClosedAsync(slow);
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
    }

    [Fact]
    public async Task Connections_beyond_the_limit_are_closed_at_once()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = new() { Connections = 3 } });
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
        using TcpClient second = await ConnectAsync(server), third = await ConnectAsync(server), fourth = await ConnectAsync(server);
        await ClosedAsync(fourth);
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
    }

    [Fact]
    public void A_unary_call_without_a_deadline_gets_one_and_a_longer_one_is_cut()
    {
        var limits = new LimitsOptions { DefaultDeadline = TimeSpan.FromSeconds(60), MaxDeadline = TimeSpan.FromMinutes(10) };
        Assert.Equal("60000m", FrameworkLimits.Bound("", limits));
        Assert.Equal("600000m", FrameworkLimits.Bound("1H", limits));
        Assert.Equal("600000m", FrameworkLimits.Bound("99999999M", limits));
        foreach (string within in (string[])["5S", "10M", "1n", "nonsense", "S"]) Assert.Equal(within, FrameworkLimits.Bound(within, limits));
    }

    [Fact]
    public async Task A_deadline_that_the_client_did_not_set_ends_a_call()
    {
        await using TestServer server = await StartAsync(static o => o with
        {
            Build = new() { CompletionQuantum = TimeSpan.FromHours(1) },
            Limits = new() { DefaultDeadline = TimeSpan.FromSeconds(1) },
        });
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        Operation build = (await server.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.5))).Operation;
        // Asked to wait for a minute; what it stands at comes before the server's own deadline, not after the minute.
        Task<Operation> wait = server.Operations.WaitOperationAsync(new WaitOperationRequest { Name = build.Name }).ResponseAsync;
        Assert.Equal(wait, await Task.WhenAny(wait, Task.Delay(TimeSpan.FromSeconds(45), Now)));
        Assert.False((await wait).Done);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_is_cut_off()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = new() { WriteTimeout = TimeSpan.FromSeconds(1) } });
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        V1.Release release = await server.BuildAsync(NewRelease("people", "r", 0.5, static r => r.Spec.Sketch.Features = 131072));
        using var handler = new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 };
        using var channel = GrpcChannel.ForAddress(server.Host.Address, new() { HttpHandler = handler });
        using var call = new V1.ReleaseService.ReleaseServiceClient(channel)
            .DownloadRelease(new DownloadReleaseRequest { Name = release.Name }, cancellationToken: Now);
        await call.ResponseHeadersAsync;
        for (int i = 0; i < 300 && !server.Log.ToString().Contains("DownloadRelease", StringComparison.Ordinal); i++)
            await Task.Delay(100, Now);
        Assert.Contains("DownloadRelease", server.Log.ToString(), StringComparison.Ordinal);
        long read = 0;
        await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(Now)) read += call.ResponseStream.Current.Data.Length;
        });
        Assert.True(read < release.SizeBytes);
    }

    [Fact]
    public async Task Streams_are_counted_by_key()
    {
        using var keys = new Keys();
        string greedy = keys.Add("greedy", Role.Owner, "*"), other = keys.Add("other", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => o with
        {
            Security = new() { KeysFile = keys.Path },
            Limits = new() { StreamsPerKey = 1 },
        });
        await KeyHolder.Of(server.Channel, other).Datasets.CreateDatasetAsync(NewDataset("people"), cancellationToken: Now);
        using var held = KeyHolder.Of(server.Channel, greedy).Datasets.IngestPoints(cancellationToken: Now);
        await held.RequestStream.WriteAsync(Start("people", NewId()), Now);
        Assert.True(await held.ResponseStream.MoveNext(Now));
        using var second = KeyHolder.Of(server.Channel, greedy).Datasets.IngestPoints(cancellationToken: Now);
        Failure refused = await Failure.OfAsync(() => second.ResponseStream.MoveNext(Now));
        Assert.Equal(("TOO_MANY_STREAMS", "Limits:StreamsPerKey"), (refused.Reason, refused.Metadata["limit"]));
        Assert.NotNull(refused.Detail<RetryInfo>());
        using var others = KeyHolder.Of(server.Channel, other).Datasets.IngestPoints(cancellationToken: Now);
        await others.RequestStream.WriteAsync(Start("people", NewId()), Now);
        Assert.True(await others.ResponseStream.MoveNext(Now));
    }

    [Fact]
    public async Task A_message_of_nested_groups_is_refused_and_harms_nothing()
    {
        await using TestServer server = await StartAsync();
        var bytes = new Marshaller<byte[]>(static b => b, static b => b);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "privatekernels.v1.QueryService", "GetServerInfo", bytes, bytes);
        // Starts of group 15, each inside the one before.
        using AsyncUnaryCall<byte[]> call = server.Channel.CreateCallInvoker()
            .AsyncUnaryCall(method, null, new(deadline: DateTime.UtcNow + Patience), [.. Enumerable.Repeat((byte)0x7B, 100_000)]);
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
    }

    static async Task<TcpClient> ConnectAsync(TestServer server)
    {
        var client = new TcpClient();
        await client.ConnectAsync(server.Host.Endpoint, Now);
        // HTTP/2: the preface, then settings of nothing.
        await client.GetStream().WriteAsync(
            (byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0], Now);
        return client;
    }

    /// <summary>Waits until the other side has closed the connection.</summary>
    static async Task ClosedAsync(TcpClient client)
    {
        var buffer = new byte[4096];
        try
        {
            while (await client.GetStream().ReadAsync(buffer, Now).AsTask().WaitAsync(Patience, Now) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Closed without a word.
        }
    }

    /// <summary>Waits for a call, however it ends.</summary>
    static async Task EndedAsync(Task<HttpResponseMessage> call)
    {
        try
        {
            (await call).Dispose();
        }
        catch (HttpRequestException)
        {
            // Cut off in the middle of its body.
        }
    }

    static Task<HttpResponseMessage> SendAsync(
        HttpClient client, TestServer server, HttpContent content, string method = "privatekernels.v1.QueryService/Query")
    {
        content.Headers.ContentType = new("application/grpc");
        return client.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, new Uri(server.Host.Address, method))
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = content,
            },
            HttpCompletionOption.ResponseHeadersRead, Now);
    }

    /// <summary>Announces a message, and sends a little of it every second until it is told to break off.</summary>
    sealed class Stalled(uint length) : HttpContent
    {
        readonly TaskCompletionSource _begun = new(), _ended = new();

        public Task Begun => _begun.Task;

        public void End() => _ended.TrySetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            byte[] prefix = [0, (byte)(length >> 24), (byte)(length >> 16), (byte)(length >> 8), (byte)length];
            await stream.WriteAsync(prefix, Now);
            await stream.FlushAsync(Now);
            _begun.TrySetResult();
            // Fast enough for the guard of the web server.
            while (!_ended.Task.IsCompleted)
            {
                await Task.WhenAny(_ended.Task, Task.Delay(500, Now));
                await stream.WriteAsync(new byte[1000], Now);
                await stream.FlushAsync(Now);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
