namespace PrivateKernels.Storage;

/// <summary>Long-running operations. Those of builds begin with RESERVE and end with POST or VOID.</summary>
public sealed class OperationStore
{
    readonly DataDirectory _directory;

    internal OperationStore(DataDirectory directory) => _directory = directory;

    /// <summary>RESOURCE_NOT_FOUND if it never was, was deleted, or has expired.</summary>
    public OperationRow Get(string uid) => _directory.Read(d => ReleaseTable.FindOperation(d, uid)) ?? throw NotFound(uid);

    /// <summary>Operations, newest first, after a place (null to begin); of one dataset, or of all.</summary>
    public IReadOnlyList<OperationRow> List(string? datasetId, ListPlace? after, int count) =>
        _directory.Read(d => ReleaseTable.ListOperations(d, datasetId, after, count));

    /// <summary>Forgets an operation that has ended; what it made stays. One that runs is refused (RELEASE_NOT_READY).</summary>
    public Task DeleteAsync(string uid) => _directory.Writer.SubmitAsync("forget", t =>
    {
        OperationRow operation = ReleaseTable.FindOperation(t.Database, uid) ?? throw NotFound(uid);
        if (!operation.Done)
            throw new StorageException(
                Reasons.ReleaseNotReady, "The operation is running; cancel it or wait for it.",
                new Dictionary<string, string> { ["operation"] = operation.Name });
        return t.Database.Execute("DELETE FROM operations WHERE uid = $1", uid);
    });

    static StorageException NotFound(string uid) => DatasetTable.NotFound($"operations/{uid}");
}
