using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Everything a server can be told, one section per property: key "Section:Key" of the configuration is property Key of
/// the record Section here. <see cref="Configuration.Read"/> fills it and refuses what is not here.
/// </summary>
public sealed record ServerOptions
{
    public DataOptions Data { get; init; } = new();

    public GrpcOptions Grpc { get; init; } = new();

    public TlsOptions Tls { get; init; } = new();

    public SideOptions Side { get; init; } = new();

    public TelemetryOptions Telemetry { get; init; } = new();

    public EncryptionOptions Encryption { get; init; } = new();

    public SecurityOptions Security { get; init; } = new();

    public OpenIdConnectOptions OpenIdConnect { get; init; } = new();

    public EngineOptions Engine { get; init; } = new();

    public BuildOptions Build { get; init; } = new();

    public QueryOptions Query { get; init; } = new();

    public ReleaseCacheOptions ReleaseCache { get; init; } = new();

    public RetentionOptions Retention { get; init; } = new();

    public ShutdownOptions Shutdown { get; init; } = new();

    public LedgerOptions Ledger { get; init; } = new();

    public WitnessOptions Witness { get; init; } = new();

    public LimitsOptions Limits { get; init; } = new();

    public LogOptions Log { get; init; } = new();

    /// <summary>What timers take, rounded down: they count milliseconds in 32 bits.</summary>
    static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    /// <summary>
    /// Checks every value; throws <see cref="ConfigurationException"/> that names key, value and rule.
    /// </summary>
    public void Validate()
    {
        Require(Data.Directory.Length > 0, "Data:Directory", "", "must name a directory");
        SecurityRules.Check(this);
        if (Side.Listen.Length > 0) Configuration.Address("Side:Listen", Side.Listen);
        Require(Telemetry.OtlpEndpoint.Length == 0
            || (Uri.TryCreate(Telemetry.OtlpEndpoint, UriKind.Absolute, out Uri? endpoint) && endpoint.Scheme is "http" or "https"),
            "Telemetry:OtlpEndpoint", $"'{Telemetry.OtlpEndpoint}'", "must be an address such as http://127.0.0.1:4317");
        Require(Encryption.KeyFile.Length == 0 || Encryption.Key.Length == 0, "Encryption:KeyFile", Encryption.KeyFile,
            "must be unset where Encryption:Key is set");
        Require(Engine.Threads >= 0, "Engine:Threads", Engine.Threads, "must be 0 (all cores) or more");
        Require(Engine.BatchTimeout >= TimeSpan.FromSeconds(1), "Engine:BatchTimeout", Engine.BatchTimeout, "must be at least 1 second");
        RequireTimer("Engine:BatchTimeout", Engine.BatchTimeout);
        Require(Build.Concurrency >= 1, "Build:Concurrency", Build.Concurrency, "must be at least 1");
        Require(Build.CompletionQuantum >= TimeSpan.Zero, "Build:CompletionQuantum", Build.CompletionQuantum, "must not be negative");
        RequireTimer("Build:CompletionQuantum", Build.CompletionQuantum);
        Require(Query.Concurrency >= 0, "Query:Concurrency", Query.Concurrency, "must be 0 (all cores) or more");
        Require(Query.QueueLength >= 0, "Query:QueueLength", Query.QueueLength, "must not be negative");
        Require(Query.BatchPoints >= 1, "Query:BatchPoints", Query.BatchPoints, "must be at least 1");
        Require(Query.SimdBelowPoints >= 0, "Query:SimdBelowPoints", Query.SimdBelowPoints, "must not be negative");
        Require(ReleaseCache.Bytes >= 0, "ReleaseCache:Bytes", ReleaseCache.Bytes, "must not be negative");
        Require(Retention.Uploads > TimeSpan.Zero, "Retention:Uploads", Retention.Uploads, "must be above 0");
        Require(Retention.Operations > TimeSpan.Zero, "Retention:Operations", Retention.Operations, "must be above 0");
        Require(Retention.Jobs > TimeSpan.Zero, "Retention:Jobs", Retention.Jobs, "must be above 0");
        Require(Retention.RequestIds > TimeSpan.Zero, "Retention:RequestIds", Retention.RequestIds, "must be above 0");
        Require(Shutdown.Drain >= TimeSpan.Zero, "Shutdown:Drain", Shutdown.Drain, "must not be negative");
        RequireTimer("Shutdown:Drain", Shutdown.Drain);
        bool isPostgres = Ledger.Provider == LedgerProvider.Postgres;
        Require(isPostgres == Ledger.ConnectionString.Length > 0, "Ledger:Provider", Ledger.Provider,
            "Postgres needs Ledger:ConnectionString, and only Postgres takes one");
        Require(isPostgres || !Ledger.RequireSynchronousStandby, "Ledger:RequireSynchronousStandby", true, "is for Postgres");
        Require(Witness.Path.Length == 0 || Witness.ConnectionString.Length == 0, "Witness:Path", Witness.Path,
            "must be unset where Witness:ConnectionString is set");
        Require(Witness.Path.Length == 0 || Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(Witness.Path))), "Witness:Path",
            Witness.Path, "must lie in a directory that exists");
        Limits.Validate();
    }

    /// <summary>What of it concerns the data directory.</summary>
    public StorageOptions ToStorage(EncryptionKey? key) => new()
    {
        EncryptionKey = key,
        UploadRetention = Retention.Uploads,
        OperationRetention = Retention.Operations,
        JobRetention = Retention.Jobs,
        RequestIdRetention = Retention.RequestIds,
        Postgres = Ledger.Provider == LedgerProvider.Postgres
            ? new(Ledger.ConnectionString, Ledger.RequireSynchronousStandby, Security.AllowInsecure)
            : null,
        WitnessPath = Witness.Path.Length > 0 ? Witness.Path : null,
        WitnessConnectionString = Witness.ConnectionString.Length > 0 ? Witness.ConnectionString : null,
        AllowInsecureWitness = Security.AllowInsecure,
        MaxDatasets = Limits.Datasets,
        MaxReleasesPerDataset = Limits.Releases,
        MaxOpenUploadsPerDataset = Limits.Uploads,
        MaxRecords = Limits.Records,
    };

    internal static void RequireTimer(string key, TimeSpan value) => Require(value <= LongestTimer, key, value, "must be at most 49d");

    internal static void Require(bool holds, string key, object value, string rule)
    {
        if (!holds) throw new ConfigurationException(FormattableString.Invariant($"{key} is {value}: {rule}."));
    }
}

public sealed record DataOptions
{
    /// <summary>Datasets, releases, ledger and lock; made if missing. Local disk only.</summary>
    public string Directory { get; init; } = "./pk-data";
}

public sealed record GrpcOptions
{
    /// <summary>Address and port for gRPC (HTTP/2); off loopback only with TLS and credentials. Port 0 takes a free one.</summary>
    public string Listen { get; init; } = "127.0.0.1:7443";

    /// <summary>Whether the server describes its protos to whoever asks.</summary>
    public bool Reflection { get; init; }
}

/// <summary>The key that rows at rest are encrypted with; neither set: they are stored in the clear.</summary>
public sealed record EncryptionOptions
{
    /// <summary>File of 32 bytes, or of their base64.</summary>
    public string KeyFile { get; init; } = "";

    /// <summary>Base64 of 32 bytes; from the environment only (PK_Encryption__Key).</summary>
    [EnvironmentOnly]
    public string Key { get; init; } = "";

    /// <summary>The key, or null if none is configured; <see cref="ConfigurationException"/> if it cannot be read.</summary>
    public EncryptionKey? Open()
    {
        try
        {
            return KeyFile.Length > 0 ? EncryptionKey.FromFile(KeyFile, "Encryption:KeyFile")
                : Key.Length > 0 ? EncryptionKey.Parse(Key, "Encryption:Key")
                : null;
        }
        catch (InvalidFieldException wrong)
        {
            throw new ConfigurationException($"{wrong.Field} {wrong.Rule}.");
        }
    }

    /// <summary>Without the key: options are printed.</summary>
    public override string ToString() => $"{nameof(EncryptionOptions)} {{ KeyFile = {KeyFile} }}";
}

/// <summary>A secret: files and command lines are seen by others, so it is taken from the environment alone.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class EnvironmentOnlyAttribute : Attribute;

public sealed record SideOptions
{
    /// <summary>
    /// Address and port for /livez, /readyz and /metrics (HTTP/1); port 0 takes a free one; empty = none, which is the
    /// default of an embedded server. Shows nothing private, so it may be an address that others reach.
    /// </summary>
    public string Listen { get; init; } = "";
}

public sealed record TelemetryOptions
{
    /// <summary>Where metrics and traces are sent by OTLP over gRPC; empty = nowhere.</summary>
    public string OtlpEndpoint { get; init; } = "";
}

/// <summary>Which engine to take.</summary>
public enum EnginePreference
{
    /// <summary>The best that works on this machine.</summary>
    Auto,
    Cuda,
    OpenCL,
    Simd,
}

public sealed record EngineOptions
{
    /// <summary>
    /// Auto: the fastest engine that works here, and the processor where it fails. Any other: that engine alone if it works at
    /// start; where it fails later the build or the query fails with ENGINE_FAILED, and a build's hold is returned.
    /// </summary>
    public EnginePreference Prefer { get; init; }

    /// <summary>Threads of the SIMD engine; 0 = one per core.</summary>
    public int Threads { get; init; }

    /// <summary>Lets an OpenCL device that is a processor be chosen; for tests.</summary>
    public bool AllowCpuOpenCl { get; init; }

    /// <summary>A device batch that takes longer counts as failed.</summary>
    public TimeSpan BatchTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Called before every step on a device; no setting, tests make it throw.</summary>
    internal Action? BeforeDeviceStep { get; init; }
}

public sealed record BuildOptions
{
    /// <summary>Builds that run at once.</summary>
    public int Concurrency { get; init; } = 1;

    /// <summary>
    /// A release appears at a multiple of this after it was asked for, so that its time tells little of the data.
    /// </summary>
    public TimeSpan CompletionQuantum { get; init; } = TimeSpan.FromSeconds(1);
}

public sealed record QueryOptions
{
    /// <summary>Query batches computed at once; 0 = one per core.</summary>
    public int Concurrency { get; init; }

    /// <summary>Query batches that may wait for their turn; beyond: OVERLOADED.</summary>
    public int QueueLength { get; init; } = 256;

    /// <summary>Points that one run on a device answers at most, from callers that wait at the same time.</summary>
    public int BatchPoints { get; init; } = 1024;

    /// <summary>Fewer points than this go to the processor.</summary>
    public int SimdBelowPoints { get; init; } = 64;
}

public sealed record ReleaseCacheOptions
{
    /// <summary>Bytes of opened releases kept in memory.</summary>
    public long Bytes { get; init; } = 1L << 30;
}

public sealed record RetentionOptions
{
    /// <summary>Unfinished uploads are discarded after this.</summary>
    public TimeSpan Uploads { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Ended operations are forgotten after this.</summary>
    public TimeSpan Operations { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Classification jobs that have ended are forgotten after this, with their predictions.</summary>
    public TimeSpan Jobs { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Request ids of calls that spend nothing are forgotten after this.</summary>
    public TimeSpan RequestIds { get; init; } = TimeSpan.FromDays(30);
}

public sealed record ShutdownOptions
{
    /// <summary>Health says NOT_SERVING for so long before streams are closed.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>What holds the ledger.</summary>
public enum LedgerProvider
{
    /// <summary>A file in the data directory; one server.</summary>
    Sqlite,

    /// <summary>PostgreSQL; several servers may share it, each with a data directory of its own.</summary>
    Postgres,
}

public sealed record LedgerOptions
{
    public LedgerProvider Provider { get; init; }

    /// <summary>Postgres only. Off this machine SSL Mode=VerifyFull is demanded, unless Security:AllowInsecure is given.</summary>
    public string ConnectionString { get; init; } = "";

    /// <summary>Postgres only: neither start nor spend while no standby is synchronous.</summary>
    public bool RequireSynchronousStandby { get; init; }

    /// <summary>Without the connection string, which may hold a password: options are printed.</summary>
    public override string ToString() => $"{nameof(LedgerOptions)} {{ Provider = {Provider} }}";
}

public sealed record WitnessOptions
{
    /// <summary>
    /// File of the ledger's newest position; empty = "witness" in the data directory. On another volume it catches a
    /// data directory that was restored as a whole.
    /// </summary>
    public string Path { get; init; } = "";

    /// <summary>A PostgreSQL that holds the position instead of a file; several servers may share it.</summary>
    public string ConnectionString { get; init; } = "";

    /// <summary>Without the connection string, which may hold a password: options are printed.</summary>
    public override string ToString() => $"{nameof(WitnessOptions)} {{ Path = {Path} }}";
}

public sealed record LogOptions
{
    /// <summary>Least level written.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;
}
