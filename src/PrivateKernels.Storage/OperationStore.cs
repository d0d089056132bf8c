namespace PrivateKernels.Storage;

/// <summary>Long-running operations. Those of builds begin with RESERVE and end with POST or VOID.</summary>
public sealed class OperationStore
{
    /// <summary>RESOURCE_NOT_FOUND if it never was, was deleted, or has expired.</summary>
    public OperationRow Get(string uid) => throw new NotSupportedException();

    /// <summary>Operations in the order of their uids after one (null to begin); of one dataset, or of all.</summary>
    public IReadOnlyList<OperationRow> List(string? datasetId, string? afterUid, int count) =>
        throw new NotSupportedException();

    /// <summary>Forgets an operation that has ended; what it made stays. One that runs is refused (RELEASE_NOT_READY).</summary>
    public Task DeleteAsync(string uid) => throw new NotSupportedException();
}
