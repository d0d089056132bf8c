namespace PrivateKernels.Storage;

/// <summary>Reasons that storage gives in <see cref="StorageException.Reason"/>, with their metadata keys.</summary>
public static class Reasons
{
    /// <summary>Metadata: resource.</summary>
    public const string ResourceNotFound = "RESOURCE_NOT_FOUND";

    /// <summary>Metadata: resource.</summary>
    public const string DatasetExists = "DATASET_EXISTS";

    /// <summary>Metadata: resource.</summary>
    public const string ReleaseExists = "RELEASE_EXISTS";

    /// <summary>Metadata: resource.</summary>
    public const string JobExists = "JOB_EXISTS";

    public const string RequestIdReused = "REQUEST_ID_REUSED";

    /// <summary>Metadata: limit, spent, reserved, requested, remaining (units), unit.</summary>
    public const string BudgetExhausted = "BUDGET_EXHAUSTED";

    /// <summary>Metadata: allowed.</summary>
    public const string BudgetKindMismatch = "BUDGET_KIND_MISMATCH";

    /// <summary>Metadata: field (adjacency, limit, population).</summary>
    public const string AccountMismatch = "ACCOUNT_MISMATCH";

    /// <summary>Metadata: used, requested (units).</summary>
    public const string LimitBelowUsed = "LIMIT_BELOW_USED";

    /// <summary>Metadata: etag.</summary>
    public const string EtagMismatch = "ETAG_MISMATCH";

    public const string DatasetDeleted = "DATASET_DELETED";

    /// <summary>Rows of a dataset that is not public are asked for.</summary>
    public const string NotPublic = "NOT_PUBLIC";

    public const string DatasetHasReleases = "DATASET_HAS_RELEASES";

    /// <summary>Metadata: operation.</summary>
    public const string ReleaseNotReady = "RELEASE_NOT_READY";

    /// <summary>Metadata: operation.</summary>
    public const string JobNotReady = "JOB_NOT_READY";

    /// <summary>The end of work that was asked to stop.</summary>
    public const string Cancelled = "CANCELLED";

    /// <summary>Metadata: limit, value.</summary>
    public const string LimitExceeded = "LIMIT_EXCEEDED";

    /// <summary>Metadata: expected, actual.</summary>
    public const string DimensionMismatch = "DIMENSION_MISMATCH";

    /// <summary>Metadata: row, column.</summary>
    public const string NonFiniteValue = "NON_FINITE_VALUE";

    /// <summary>Metadata: row, bound, and column where the bound is one of a coordinate.</summary>
    public const string OutOfDomain = "OUT_OF_DOMAIN";

    /// <summary>Metadata: row, classes.</summary>
    public const string LabelOutOfRange = "LABEL_OUT_OF_RANGE";

    /// <summary>Metadata: column, expected.</summary>
    public const string ColumnMismatch = "COLUMN_MISMATCH";

    /// <summary>Metadata: sequence.</summary>
    public const string ChecksumMismatch = "CHECKSUM_MISMATCH";

    /// <summary>Metadata: field, expected, received (the owner's own figures).</summary>
    public const string RowCountMismatch = "ROW_COUNT_MISMATCH";

    /// <summary>Metadata: sequence.</summary>
    public const string SequenceConflict = "SEQUENCE_CONFLICT";

    /// <summary>Metadata: next_sequence.</summary>
    public const string SequenceGap = "SEQUENCE_GAP";

    public const string UploadTakenOver = "UPLOAD_TAKEN_OVER";
    public const string UploadFinished = "UPLOAD_FINISHED";

    /// <summary>The queue of the ledger is full; retry later.</summary>
    public const string Overloaded = "OVERLOADED";

    public const string StorageFull = "STORAGE_FULL";

    /// <summary>Metadata: release, or upload.</summary>
    public const string FileCorrupt = "FILE_CORRUPT";

    /// <summary>The ledger stopped after an error, or is closing.</summary>
    public const string LedgerNotServing = "LEDGER_NOT_SERVING";

    /// <summary>The ledger is behind its witness or its releases. Metadata: ledger, witness. Exit code 76.</summary>
    public const string LedgerBehind = "LEDGER_BEHIND";

    /// <summary>The ledger does not agree with itself. Exit code 76.</summary>
    public const string LedgerCorrupt = "LEDGER_CORRUPT";

    /// <summary>A one-pass dataset while no encryption key is configured.</summary>
    public const string EncryptionRequired = "ENCRYPTION_REQUIRED";

    /// <summary>A release file that this ledger did not post. Metadata: ledger_id.</summary>
    public const string ReleaseUnknownToLedger = "RELEASE_UNKNOWN_TO_LEDGER";

    /// <summary>
    /// The configured key does not open the datasets, or none is configured: at a start exit code 78; later, another server has
    /// replaced the key.
    /// </summary>
    public const string EncryptionKeyWrong = "ENCRYPTION_KEY_WRONG";

    /// <summary>Another process has the data directory. Exit code 75.</summary>
    public const string DirectoryLocked = "DIRECTORY_LOCKED";

    /// <summary>The exit code of a process whose start fails for <paramref name="reason"/>, or null.</summary>
    public static int? ExitCode(string reason) => reason switch
    {
        DirectoryLocked => 75,
        LedgerBehind or LedgerCorrupt => 76,
        EncryptionKeyWrong => 78,
        _ => null,
    };
}
