using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// A running server. Without keys whoever reaches the port is the owner; it then listens on loopback only, unless told
/// otherwise, loudly.
/// </summary>
public sealed class ServerHost : IAsyncDisposable
{
    /// <summary>How long queries may take to finish once the streams are closed.</summary>
    static readonly TimeSpan QueryGrace = TimeSpan.FromSeconds(20);

    readonly WebApplication _app;
    readonly Parts _parts;
    readonly Surroundings _surroundings;
    readonly ServerOptions _options;
    readonly Timer _expiry;
    int _disposed;

    ServerHost(WebApplication app, Parts parts, Surroundings surroundings, ServerOptions options, IPEndPoint endpoint)
    {
        (_app, _parts, _surroundings, _options, Endpoint) = (app, parts, surroundings, options, endpoint);
        _expiry = new Timer(_ => Expire(), null, TimeSpan.FromMinutes(1), TimeSpan.FromHours(1));
    }

    /// <summary>Version of the server, semantic versioning.</summary>
    public static string Version { get; } =
        typeof(ServerHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Where it listens, with the real port.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>The same as a client wants it: "https://127.0.0.1:7443".</summary>
    public Uri Address => new($"{(_parts.Entrance.Certificate is null ? "http" : "https")}://{Endpoint}");

    /// <summary>How callers are told apart and what protects their bytes, for whoever started the server.</summary>
    public string Protection => _parts.Entrance.Describe();

    /// <summary>The side port; null without one.</summary>
    public IPEndPoint? SideEndpoint => _surroundings.Side?.Endpoint;

    /// <summary>Opens the data directory, takes up interrupted builds, and serves.</summary>
    /// <param name="options">Checked here.</param>
    /// <param name="log">Where JSON lines go; null = nowhere.</param>
    /// <param name="cancellation">Stops the start, not the server.</param>
    /// <exception cref="ConfigurationException">An option is wrong (exit code 78).</exception>
    /// <exception cref="StorageException">
    /// The data directory is locked, behind or corrupt (<see cref="Storage.Reasons.ExitCode"/>).
    /// </exception>
    public static async Task<ServerHost> StartAsync(
        ServerOptions options, TextWriter? log = null, CancellationToken cancellation = default)
    {
        options.Validate();
        IPEndPoint listen = Configuration.Endpoint(options.Grpc.Listen);
        var json = new JsonLog(log, options.Log.Level);
        Surroundings surroundings = await Surroundings.OpenAsync(options);
        Parts? parts = null;
        WebApplication? app = null;
        try
        {
            parts = await Task.Run(() => Parts.Open(options, json, surroundings), cancellation);
            app = Build(options, listen, parts, surroundings, json);
            await app.StartAsync(cancellation);
        }
        catch (Exception failure)
        {
            if (app is not null) await app.DisposeAsync();
            if (parts is not null) await parts.DisposeAsync();
            await surroundings.DisposeAsync();
            if (failure is IOException)
                throw new ConfigurationException($"Grpc:Listen is '{options.Grpc.Listen}': the address is in use.");
            throw;
        }
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var endpoint = IPEndPoint.Parse(new Uri(address).Authority);
        surroundings.Show(parts.Directory, parts.Engines);
        Observe(surroundings, parts);
        json.Write(LogLevel.Information, "serving", ("endpoint", endpoint), ("engine", parts.Engines.First.Device),
            ("note", parts.Entrance.Describe()));
        WarnOfRowsInClear(parts, json);
        if (parts.Directory.CanRewriteLedger == true)
            json.Write(LogLevel.Warning, "role can rewrite the ledger",
                ("note", "Ledger:ConnectionString is of the tables' owner or a superuser; 'pk ledger role NAME' prepares a role that can not"));
        return new ServerHost(app, parts, surroundings, options, endpoint);
    }

    /// <summary>
    /// Says NOT_SERVING, closes streams after their last acknowledgement, lets queries finish, stops builds at their
    /// next batch (they stay reserved and go on at the next start), and gives the data directory back.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _surroundings.Drain.Announce();
        // On loopback, with nobody on a stream, there is no balancer that has to see it first.
        if (_parts.Slots.Open > 0 || !IPAddress.IsLoopback(Endpoint.Address)) await Task.Delay(_options.Shutdown.Drain);
        _surroundings.Drain.Begin();
        await _expiry.DisposeAsync();
        using (var grace = new CancellationTokenSource(QueryGrace)) await _app.StopAsync(grace.Token);
        await _app.DisposeAsync();
        await _parts.DisposeAsync();
        await _surroundings.DisposeAsync();
    }

    static WebApplication Build(
        ServerOptions options, IPEndPoint listen, Parts parts, Surroundings surroundings, JsonLog log)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(log);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            Configure(kestrel, listen, parts.Entrance.Certificate, options.Limits));
        IServiceCollection services = builder.Services;
        services.AddRouting();
        services.AddGrpc(grpc =>
        {
            grpc.EnableDetailedErrors = false;
            grpc.MaxReceiveMessageSize = options.Limits.RequestBytes;
            grpc.MaxSendMessageSize = 4 << 20;
            // A compressed request may grow without bound on its way in: none is taken.
            grpc.CompressionProviders.Clear();
            grpc.Interceptors.Add<ErrorInterceptor>();
        });
        if (options.Grpc.Reflection) services.AddGrpcReflection();
        parts.Entrance.Tokens?.Add(services);
        Drain drain = surroundings.Drain;
        services.AddSingleton(new HealthService(surroundings.Readiness, drain));
        services.AddSingleton(new ErrorInterceptor(log, parts.Slots, parts.Entrance.Access, surroundings.Telemetry));
        // Rows come in small batches, one upload beside another: the processor is as fast on them as a device.
        var accumulators = new Accumulators(parts.Directory, parts.Engines.Processor, options.Limits);
        services.AddSingleton(new DatasetService(parts.Directory, options, parts.Builds, parts.Jobs, drain, accumulators));
        services.AddSingleton(new ReleaseService(
            parts.Directory, options, parts.Builds, parts.Cache, parts.Speed, drain, accumulators, parts.Planning));
        var jobs = new JobCalls(parts.Directory, options, parts.Cache, parts.Engines, parts.Jobs, drain);
        services.AddSingleton(new QueryService(
            parts.Directory, options, parts.Cache, parts.Engines, parts.Gate, jobs, drain, parts.Entrance.Access));
        services.AddSingleton(new OperationsService(parts.Directory, parts.Builds, parts.Jobs, options.Retention, drain));
        WebApplication app = builder.Build();
        FrameworkLimits.Use(app, options.Limits);
        parts.Entrance.Access.Use(app);
        app.MapGrpcService<DatasetService>();
        app.MapGrpcService<ReleaseService>();
        app.MapGrpcService<QueryService>();
        app.MapGrpcService<OperationsService>();
        app.MapGrpcService<HealthService>();
        if (options.Grpc.Reflection) app.MapGrpcReflectionService();
        return app;
    }

    static void Configure(
        KestrelServerOptions kestrel, IPEndPoint listen, ServerCertificate? certificate, LimitsOptions limits)
    {
        kestrel.AddServerHeader = false;
        kestrel.Listen(listen, endpoint =>
        {
            endpoint.Protocols = HttpProtocols.Http2;
            if (certificate is not null) endpoint.UseHttps(certificate.Handshake(limits.HeaderTimeout));
        });
        KestrelServerLimits l = kestrel.Limits;
        l.MaxConcurrentConnections = limits.Connections;
        l.MaxRequestHeadersTotalSize = limits.HeaderBytes;
        l.RequestHeadersTimeout = limits.HeaderTimeout;
        l.MaxRequestBodySize = null;
        l.Http2.MaxStreamsPerConnection = limits.StreamsPerConnection;
        l.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        l.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
        // Wide windows: an ingest stream shall not wait for the round trip of every 768 KiB.
        l.Http2.InitialStreamWindowSize = 8 << 20;
        l.Http2.InitialConnectionWindowSize = 16 << 20;
        l.Http2.MaxFrameSize = 1 << 20;
    }

    /// <summary>What monitoring may see of a server; rows, and whatever tells their number, are not among it.</summary>
    static void Observe(Surroundings surroundings, Parts parts)
    {
        Telemetry t = surroundings.Telemetry;
        DataDirectory directory = parts.Directory;
        t.Observe("ready", "1 while calls should come.", () => surroundings.Readiness.IsReady ? 1 : 0);
        t.Observe("disk_free_ratio", "Free part of the volume, rounded down to hundredths.", () => surroundings.Readiness.FreePart);
        t.Observe("ledger_sequence", "Last entry of the ledger.", () => directory.Ledger.Head.Sequence);
        t.Observe("witness_age_seconds", "Time since the witness was written.", () => Math.Floor(directory.WitnessAge.TotalSeconds));
        t.Observe("builds", "Builds that wait or run.", () => parts.Builds.Count);
        t.Observe("jobs", "Classification jobs that wait or run.", () => parts.Jobs.Count);
        t.Observe("query_batches", "Query batches that wait or run.", () => parts.Gate.Inside);
        t.Observe("streams", "Open streams.", () => parts.Slots.Open);
        t.Observe("release_cache_bytes", "Bytes of opened releases in memory.", () => parts.Cache.Bytes);
        t.Observe("budget_remaining_units", "Limit less posted spends of the first 1,000 datasets, in units of 2^-40.", "dataset",
            () => directory.Datasets.ListRemaining(1000).Select(static d => (d.Id, (double)d.Units)));
        string engine = parts.Engines.First.Device;
        t.Observe("engine_in_use", "1 for the engine in use.", "device", () => [(engine, 1)]);
    }

    static void WarnOfRowsInClear(Parts parts, JsonLog log)
    {
        IReadOnlyList<string> datasets = parts.Directory.DatasetsInClear();
        if (parts.Key is null)
            log.Write(LogLevel.Warning, "no encryption key", ("note", "rows are stored in the clear; set Encryption:KeyFile"));
        if (datasets.Count > 0)
            log.Write(LogLevel.Warning, "rows in the clear", ("datasets", string.Join(' ', datasets)),
                ("note", "they came while there was no encryption key; only rows that come with one are encrypted"));
    }

    async void Expire()
    {
        try
        {
            await _parts.Directory.ExpireAsync();
        }
        catch (Exception failure) when (failure is StorageException or IOException)
        {
            // It is closing, or busy, or a folder went as it was looked at: the next hour will do. What nobody awaits would end
            // the process.
        }
    }

    /// <summary>Everything behind the wire, in the order in which it opens.</summary>
    sealed record Parts(
        Engines Engines, EngineSpeed Speed, DataDirectory Directory, ReleaseCache Cache, BuildQueue Builds, JobQueue Jobs,
        QueryGate Gate, QueryGate Planning, StreamSlots Slots, EncryptionKey? Key, Entrance Entrance)
        : IAsyncDisposable
    {
        internal static Parts Open(ServerOptions options, JsonLog log, Surroundings surroundings)
        {
            EncryptionKey? key = options.Encryption.Open();
            var entrance = new Entrance(options, log, surroundings.Telemetry);
            Engines engines = Engines.Open(options.Engine, options.Query, log);
            DataDirectory directory;
            try
            {
                directory = DataDirectory.Open(options.Data.Directory, options.ToStorage(key));
            }
            catch (Exception failure)
            {
                entrance.Dispose();
                engines.Dispose();
                key?.Dispose();
                if (failure is InvalidFieldException wrong)
                    throw new ConfigurationException(
                        wrong.Field == "data.directory" ? $"Data:Directory is '{options.Data.Directory}': {wrong.Rule}." : wrong.Message);
                throw;
            }
            var cache = new ReleaseCache(directory.Releases, options.ReleaseCache.Bytes);
            int queries = options.Query.Concurrency > 0 ? options.Query.Concurrency : Environment.ProcessorCount;
            var gate = new QueryGate(queries, options.Query.QueueLength);
            // Analysts may ask for estimates, and a delta next to 0 takes a second each: half of the processors at most.
            var planning = new QueryGate(Math.Max(1, Environment.ProcessorCount / 2), options.Query.QueueLength);
            return new Parts(
                engines, EngineSpeed.Measure(engines.First), directory, cache,
                new BuildQueue(directory, engines, cache, options, log), new JobQueue(directory, engines, cache, gate, options.Limits, log),
                gate, planning, new StreamSlots(options.Limits.StreamsPerKey, options.Limits.Streams), key, entrance);
        }

        public async ValueTask DisposeAsync()
        {
            await Builds.DisposeAsync();
            await Jobs.DisposeAsync();
            Directory.Dispose();
            Gate.Dispose();
            Planning.Dispose();
            Entrance.Dispose();
            Engines.Dispose();
            Key?.Dispose();
        }
    }
}
