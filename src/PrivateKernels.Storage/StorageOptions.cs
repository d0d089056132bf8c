namespace PrivateKernels.Storage;

/// <summary>
/// Ends the process because a durable step failed: 74 after an I/O error, 76 if the ledger can no longer be trusted.
/// Must not return in production; where it returns (tests), every later call is refused with LEDGER_NOT_SERVING.
/// </summary>
public delegate void FatalExit(int exitCode, string message, Exception? cause);

/// <summary>A ledger in PostgreSQL.</summary>
/// <param name="ConnectionString">Off this machine with SSL Mode=VerifyFull, unless <paramref name="AllowInsecure"/>.</param>
/// <param name="RequireSynchronousStandby">Neither start nor spend while no standby is synchronous.</param>
/// <param name="LeaseSeconds">
/// Another server takes a build over after this time without a sign of life, and a classification job after ten times that.
/// </param>
public sealed record PostgresOptions(
    string ConnectionString, bool RequireSynchronousStandby = false, bool AllowInsecure = false, long LeaseSeconds = 30)
{
    /// <summary>Without the connection string, which may hold a password.</summary>
    public override string ToString() => nameof(PostgresOptions);
}

/// <summary>What can be set about a data directory.</summary>
public sealed record StorageOptions
{
    /// <summary>File of the witness; null = "witness" in the data directory. Another volume catches restored directories.</summary>
    public string? WitnessPath { get; init; }

    /// <summary>Wraps the data keys of datasets; null = rows are stored in the clear. The caller disposes of it.</summary>
    public EncryptionKey? EncryptionKey { get; init; }

    /// <summary>A PostgreSQL that holds the ledger, shared by several servers; null = SQLite in the data directory.</summary>
    public PostgresOptions? Postgres { get; init; }

    /// <summary>A PostgreSQL that holds the witness, instead of the file; null = the file.</summary>
    public string? WitnessConnectionString { get; init; }

    /// <summary>Lets <see cref="WitnessConnectionString"/> go over an unverified connection.</summary>
    public bool AllowInsecureWitness { get; init; }

    /// <summary>Default: writes the message to standard error and leaves without running anything else.</summary>
    public FatalExit FatalExit { get; init; } = ProcessExit.Now;

    /// <summary>Clock of the times in rows and ledger entries. They inform; the order is the sequence.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Commands waiting for the writer; beyond it OVERLOADED.</summary>
    public int WriterQueue { get; init; } = 4096;

    /// <summary>Most commands in one transaction.</summary>
    public int GroupSize { get; init; } = 256;

    /// <summary>Unfinished uploads are discarded after this time without a batch.</summary>
    public TimeSpan UploadRetention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long the request ids of calls that spend nothing are kept.</summary>
    public TimeSpan RequestIdRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long ended operations are kept.</summary>
    public TimeSpan OperationRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long ended classification jobs are kept, with their predictions.</summary>
    public TimeSpan JobRetention { get; init; } = TimeSpan.FromDays(30);

    public int MaxDatasets { get; init; } = 10_000;

    public int MaxReleasesPerDataset { get; init; } = 10_000;

    public int MaxOpenUploadsPerDataset { get; init; } = 8;

    /// <summary>Bound on the records of a dataset that declares none.</summary>
    public long MaxRecords { get; init; } = 1L << 36;

    /// <summary>A segment file that has reached this size is followed by a new one.</summary>
    public long SegmentBytes { get; init; } = 256L << 20;

    /// <summary>Appending is refused with STORAGE_FULL when less than this is free on the volume.</summary>
    public long MinFreeBytes { get; init; } = 64L << 20;
}
