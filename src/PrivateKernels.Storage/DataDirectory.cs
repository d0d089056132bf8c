namespace PrivateKernels.Storage;

/// <summary>
/// A data directory, held by one process: datasets as segment files, the ledger and the catalog in SQLite, releases as files.
/// </summary>
public sealed class DataDirectory : IDisposable
{
    /// <summary>
    /// Takes the lock, opens and verifies the ledger against itself, its witness and its releases, and finishes what a
    /// crash left undone. Throws <see cref="StorageException"/> with DIRECTORY_LOCKED, LEDGER_BEHIND or LEDGER_CORRUPT.
    /// </summary>
    public static DataDirectory Open(string path, StorageOptions options) => throw new NotSupportedException();

    public DatasetStore Datasets => throw new NotSupportedException();

    public Ledger Ledger => throw new NotSupportedException();

    public ReleaseStore Releases => throw new NotSupportedException();

    public OperationStore Operations => throw new NotSupportedException();

    /// <summary>
    /// Builds that a crash or a shutdown interrupted, each with its next attempt. Empty when asked again: there is one
    /// right to build for each.
    /// </summary>
    public IReadOnlyList<Build> TakeInterruptedBuilds() => throw new NotSupportedException();

    /// <summary>Whether the writer has turned within <paramref name="time"/>: a live process.</summary>
    public bool IsTurning(TimeSpan time) => throw new NotSupportedException();

    /// <summary>Discards expired uploads, request ids and ended operations. To be called every hour or so.</summary>
    public Task ExpireAsync() => throw new NotSupportedException();

    /// <summary>Waits for the writer, checkpoints the write-ahead log, and gives the lock back.</summary>
    public void Dispose() => throw new NotSupportedException();
}
