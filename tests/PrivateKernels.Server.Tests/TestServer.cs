using System.Runtime.InteropServices;
using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using PrivateKernels.Server;
using PrivateKernels.V1;

namespace PrivateKernels.Tests;

/// <summary>
/// A real server on a free loopback port over a temporary directory, with clients and the calls that tests share. Whatever a test
/// is about, at its end no coordinate that it sent may stand in the log, and no key.
/// </summary>
public sealed class TestServer : IAsyncDisposable
{
    readonly GrpcChannel _channel;
    readonly bool _ownsDirectory;

    TestServer(ServerHost host, string directory, StringWriter log, bool ownsDirectory)
    {
        (Host, Directory, Log, _ownsDirectory) = (host, directory, log, ownsDirectory);
        _channel = GrpcChannel.ForAddress(host.Address, new GrpcChannelOptions { MaxSendMessageSize = null });
        Datasets = new(_channel);
        Releases = new(_channel);
        Queries = new(_channel);
        Operations = new(_channel);
    }

    public ServerHost Host { get; }

    public string Directory { get; }

    public StringWriter Log { get; }

    public ChannelBase Channel => _channel;

    public V1.DatasetService.DatasetServiceClient Datasets { get; }

    public V1.ReleaseService.ReleaseServiceClient Releases { get; }

    public V1.QueryService.QueryServiceClient Queries { get; }

    public Operations.OperationsClient Operations { get; }

    /// <summary>Fast unless told otherwise: no quantum, no drain, one thread.</summary>
    public static ServerOptions Options(string directory) => new()
    {
        Data = new() { Directory = directory },
        Grpc = new() { Listen = "127.0.0.1:0", Reflection = true },
        Engine = new() { Threads = 1 },
        Build = new() { CompletionQuantum = TimeSpan.Zero },
        Shutdown = new() { Drain = TimeSpan.Zero },
    };

    public static async Task<TestServer> StartAsync(Func<ServerOptions, ServerOptions>? change = null, string? directory = null)
    {
        string at = directory ?? System.IO.Directory.CreateTempSubdirectory("pk-server-").FullName;
        ServerOptions options = Options(at);
        var log = new StringWriter();
        try
        {
            return new(await ServerHost.StartAsync(change?.Invoke(options) ?? options, log), at, log, directory is null);
        }
        catch
        {
            if (directory is null) System.IO.Directory.Delete(at, recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await Host.DisposeAsync();
        if (_ownsDirectory) System.IO.Directory.Delete(Directory, recursive: true);
        Canaries.AssertAbsent(Log.ToString());
    }

    public static string NewId() => Guid.NewGuid().ToString("D");

    /// <summary>A private dataset in the unit box with a Gaussian account, unless changed.</summary>
    public static CreateDatasetRequest NewDataset(string id, Action<CreateDatasetRequest>? change = null)
    {
        var request = new CreateDatasetRequest
        {
            DatasetId = id,
            Dataset = new Dataset
            {
                Domain = new V1.Domain { Dimension = 4, Lower = 0, Upper = 1, MaxNorm = 2 },
                MaxRecords = 1000,
            },
            Budget = new V1.PrivacyLoss { Epsilon = 1, Delta = 1e-5 },
            RequestId = NewId(),
        };
        change?.Invoke(request);
        return request;
    }

    public static CreateReleaseRequest NewRelease(string dataset, string id, double epsilon, Action<CreateReleaseRequest>? change = null)
    {
        var request = new CreateReleaseRequest
        {
            Parent = $"datasets/{dataset}",
            ReleaseId = id,
            Spec = new ReleaseSpec
            {
                Sketch = new SketchSpec { Function = new V1.PairFunction { Name = "gaussian", Bandwidth = 1 }, Features = 64 },
                Privacy = new PrivacySpec { Loss = new V1.PrivacyLoss { Epsilon = epsilon, Delta = 1e-5 } },
            },
            RequestId = NewId(),
        };
        change?.Invoke(request);
        return request;
    }

    public static IngestPointsRequest Start(string dataset, string uploadId) =>
        new() { Start = new IngestStart { Dataset = $"datasets/{dataset}", UploadId = uploadId } };

    public static IngestPointsRequest Batch(ulong sequence, float[] values, int dimension, uint[]? labels = null)
    {
        Canaries.Keep(values);
        var batch = new IngestBatch
        {
            Sequence = sequence,
            Points = new V1.Points { Dimension = (uint)dimension, Values = { values } },
            Labels = { labels ?? [] },
        };
        byte[] bytes = [.. MemoryMarshal.AsBytes<float>(values), .. MemoryMarshal.AsBytes<uint>(labels ?? [])];
        batch.Crc32C = Crc32C.Compute(bytes);
        return new() { Batch = batch };
    }

    public static IngestPointsRequest Finish(ulong rows, ulong batches) =>
        new() { Finish = new IngestFinish { RowCount = rows, BatchCount = batches } };

    /// <summary>Sends frames and returns every frame of the reply.</summary>
    public async Task<List<IngestPointsResponse>> SendAsync(params IngestPointsRequest[] frames)
    {
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = Datasets.IngestPoints();
        try
        {
            foreach (IngestPointsRequest frame in frames) await call.RequestStream.WriteAsync(frame);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // The server has ended the call already; reading says why.
        }
        List<IngestPointsResponse> replies = [];
        await foreach (IngestPointsResponse reply in call.ResponseStream.ReadAllAsync()) replies.Add(reply);
        return replies;
    }

    /// <summary>Uploads rows in one batch and commits them.</summary>
    public async Task IngestAsync(string dataset, float[] values, int dimension, uint[]? labels = null)
    {
        List<IngestPointsResponse> replies = await SendAsync(
            Start(dataset, NewId()), Batch(1, values, dimension, labels), Finish((ulong)(values.Length / dimension), 1));
        Assert.Equal((ulong)(values.Length / dimension), replies[^1].Finished.RowCount);
    }

    public async Task<V1.Release> BuildAsync(CreateReleaseRequest request)
    {
        CreateReleaseResponse created = await Releases.CreateReleaseAsync(request);
        V1.Release release = (await EndAsync(created.Operation)).Response.Unpack<V1.Release>();
        // The operation ends with the commit; the head that the ledger shows waits for the witness as well.
        var head = new ListLedgerEntriesRequest { PageSize = 1 };
        while ((await Datasets.ListLedgerEntriesAsync(head)).Head.Sequence < release.PostedAt.Sequence) await Task.Yield();
        return release;
    }

    public async Task<Operation> EndAsync(Operation operation)
    {
        for (int i = 0; !operation.Done && i < 100; i++)
            operation = await Operations.WaitOperationAsync(new WaitOperationRequest
            {
                Name = operation.Name,
                Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)),
            });
        Assert.True(operation.Done);
        return operation;
    }

    /// <summary>Units spent, reserved and left, and the number of ledger entries: what a refused call must not change.</summary>
    public async Task<string> LedgerAsync(string dataset)
    {
        Budget budget = (await Datasets.GetBudgetAsync(new GetBudgetRequest { Name = $"datasets/{dataset}/budget" })).Budget;
        V1.LedgerPosition head = (await Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest())).Head;
        return $"{budget.SpentUnits} {budget.ReservedUnits} {budget.RemainingUnits} {head.Sequence} {head.Hash.ToBase64()}";
    }

    /// <summary>Points of a lattice-like pattern in the unit box, the same every time.</summary>
    public static float[] Pattern(int rows, int dimension)
    {
        var random = new PublicRandom(7);
        var values = new float[rows * dimension];
        for (int i = 0; i < values.Length; i++) values[i] = (float)random.NextUnit();
        return values;
    }
}

/// <summary>What a failed call says.</summary>
public sealed record Failure(StatusCode Code, string Reason, IReadOnlyDictionary<string, string> Metadata, Google.Rpc.Status Status)
{
    /// <summary>All that the caller was told, details included, with one name in it replaced by another of the same length.</summary>
    public string Told(string name = "", string byName = "")
    {
        Assert.Equal(name.Length, byName.Length);
        string bytes = System.Text.Encoding.Latin1.GetString(Google.Protobuf.MessageExtensions.ToByteArray(Status));
        return name.Length == 0 ? bytes : bytes.Replace(name, byName, StringComparison.Ordinal);
    }

    public T Detail<T>()
        where T : class, Google.Protobuf.IMessage<T>, new() =>
        Status.GetDetail<T>() ?? throw new InvalidOperationException($"{Reason} lacks {typeof(T).Name}");

    public static async Task<Failure> OfAsync(Func<Task> call)
    {
        RpcException thrown = await Assert.ThrowsAsync<RpcException>(call);
        Google.Rpc.Status status = thrown.GetRpcStatus() ?? new() { Code = (int)thrown.StatusCode, Message = thrown.Status.Detail };
        ErrorInfo info = status.GetDetail<ErrorInfo>() ?? new();
        if (info.Reason.Length > 0) Assert.Equal("privatekernels", info.Domain);
        return new(thrown.StatusCode, info.Reason, info.Metadata, status);
    }

    public static Task<Failure> OfAsync<T>(AsyncUnaryCall<T> call) => OfAsync(() => call.ResponseAsync);
}
