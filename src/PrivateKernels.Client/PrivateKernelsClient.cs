using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace PrivateKernels.Client;

/// <summary>
/// Talks to one server. Safe for use from many threads; calls that may succeed a little later are retried with the same
/// request id, large requests are split by the limits that the server publishes.
/// </summary>
public sealed class PrivateKernelsClient : IDisposable
{
    /// <summary>Longest wait per call; the server caps it at as much.</summary>
    static readonly TimeSpan LongWait = TimeSpan.FromSeconds(50);
    static readonly TimeSpan ProgressWait = TimeSpan.FromSeconds(0.25);

    readonly GrpcChannel _channel;
    readonly Lock _lock = new();
    Task<V1.GetServerInfoResponse>? _server;

    /// <param name="address">Such as https://host:7443, or http://127.0.0.1:7443.</param>
    /// <param name="options">Deadlines and the like; null = the standard ones.</param>
    public PrivateKernelsClient(string address, ClientOptions? options = null)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
            throw new InvalidFieldException("server", address, "must be an address such as http://127.0.0.1:7443");
        options ??= new();
        if (options.Key is not null && uri is { Scheme: "http", IsLoopback: false } && !options.AllowInsecure)
            throw new InvalidFieldException("server", address, "must begin with https: the key would travel in clear");
        _channel = GrpcChannel.ForAddress(uri, new() { HttpHandler = Transport.Create(options), DisposeHttpClient = true });
        Caller = new(options);
        CallInvoker calls = options.Key is { } key ? _channel.Intercept(headers => WithKey(headers, key)) : _channel.CreateCallInvoker();
        Datasets = new(calls);
        Releases = new(calls);
        Queries = new(calls);
        Operations = new(calls);
    }

    internal Caller Caller { get; }

    internal V1.DatasetService.DatasetServiceClient Datasets { get; }

    internal V1.ReleaseService.ReleaseServiceClient Releases { get; }

    internal V1.QueryService.QueryServiceClient Queries { get; }

    internal Operations.OperationsClient Operations { get; }

    /// <summary>A dataset by its id; no call is made.</summary>
    public DatasetHandle Dataset(string id) => new(this, id);

    /// <summary>A release by the ids of its dataset and itself; no call is made.</summary>
    public ReleaseHandle Release(string dataset, string id) => new(this, dataset, id);

    /// <summary>A classification job by the ids of its dataset and itself; no call is made.</summary>
    public JobHandle Job(string dataset, string id) => new(this, dataset, id);

    /// <summary>Creates a dataset and opens, or joins, its account.</summary>
    /// <exception cref="PrivateKernelsException">DATASET_EXISTS, ACCOUNT_MISMATCH, INVALID_FIELD, ...</exception>
    public async Task<DatasetHandle> CreateDatasetAsync(
        string id, DatasetOptions options, CancellationToken cancellation = default)
    {
        var request = new V1.CreateDatasetRequest
        {
            DatasetId = id,
            Dataset = ClientWire.Describe(options),
            Budget = options.Budget is { } budget ? ClientWire.ToWire(budget) : null,
            RequestId = NewId(),
        };
        await Caller.CallAsync(Datasets.CreateDatasetAsync, request, cancellation);
        return Dataset(id);
    }

    /// <summary>All datasets in name order.</summary>
    public IAsyncEnumerable<V1.Dataset> ListDatasetsAsync(
        bool showDeleted = false, CancellationToken cancellation = default) =>
        Pages(async token =>
        {
            var request = new V1.ListDatasetsRequest { PageToken = token, PageSize = 1000, ShowDeleted = showDeleted };
            V1.ListDatasetsResponse page = await Caller.CallAsync(Datasets.ListDatasetsAsync, request, cancellation);
            return (page.Datasets, page.NextPageToken);
        });

    /// <summary>The pair functions of this server.</summary>
    public IAsyncEnumerable<V1.PairFunctionDescription> ListPairFunctionsAsync(
        CancellationToken cancellation = default) =>
        Pages(async token =>
        {
            var request = new V1.ListPairFunctionsRequest { PageToken = token };
            V1.ListPairFunctionsResponse page =
                await Caller.CallAsync(Queries.ListPairFunctionsAsync, request, cancellation);
            return (page.Functions, page.NextPageToken);
        });

    /// <summary>Version, engines and limits; asked for once.</summary>
    public async Task<V1.GetServerInfoResponse> GetServerAsync(CancellationToken cancellation = default)
    {
        Task<V1.GetServerInfoResponse> server;
        lock (_lock)
        {
            // A failure is not kept: the next call asks again.
            if (_server is null or { IsFaulted: true } or { IsCanceled: true })
                _server =
                    Caller.CallAsync(Queries.GetServerInfoAsync, new V1.GetServerInfoRequest(), CancellationToken.None);
            server = _server;
        }
        return await server.WaitAsync(cancellation);
    }

    public void Dispose() => _channel.Dispose();

    internal async Task<V1.ServerLimits> LimitsAsync(CancellationToken cancellation) =>
        (await GetServerAsync(cancellation)).Limits;

    static Metadata WithKey(Metadata headers, string key)
    {
        headers.Add("authorization", $"Bearer {key}");
        return headers;
    }

    /// <summary>Waits for the end of an operation; <paramref name="report"/> hears its metadata on the way and at the end.</summary>
    /// <exception cref="PrivateKernelsException">It failed.</exception>
    internal async Task<T> WaitAsync<T>(Operation operation, Action<Any>? report, CancellationToken cancellation)
        where T : IMessage, new()
    {
        while (!operation.Done)
        {
            report?.Invoke(operation.Metadata);
            TimeSpan timeout = report is null ? LongWait : ProgressWait;
            var wait = new WaitOperationRequest { Name = operation.Name, Timeout = Duration.FromTimeSpan(timeout) };
            operation = await Caller.CallAsync(Operations.WaitOperationAsync, wait, cancellation);
        }
        report?.Invoke(operation.Metadata);
        return operation.ResultCase == Operation.ResultOneofCase.Error
            ? throw PrivateKernelsException.From(operation.Error)
            : operation.Response.Unpack<T>();
    }

    internal static string NewId() => Guid.NewGuid().ToString("D");

    internal static async IAsyncEnumerable<T> Pages<T>(Func<string, Task<(RepeatedField<T> Items, string Next)>> read)
    {
        string token = "";
        do
        {
            (RepeatedField<T> items, token) = await read(token);
            foreach (T item in items) yield return item;
        }
        while (token.Length > 0);
    }
}
