namespace PrivateKernels.Storage;

/// <summary>A release file that is durable but not posted: nobody can read it yet.</summary>
public sealed record SavedRelease(ReadOnlyMemory<byte> Sha256, long SizeBytes);

/// <summary>Release files and their rows.</summary>
public sealed class ReleaseStore
{
    /// <summary>
    /// Writes a release where nobody reads it and makes it durable. <paramref name="write"/> must end the file with the
    /// SHA-256 of all bytes before, as <see cref="Release"/> does.
    /// </summary>
    public SavedRelease Save(Build build, Action<Stream> write) => throw new NotSupportedException();

    /// <summary>The release of this name, whatever its state; RESOURCE_NOT_FOUND if there is none.</summary>
    public ReleaseRow Get(string datasetId, string releaseId) => throw new NotSupportedException();

    /// <summary>Releases of a dataset, newest first, before a row (null to begin), in the states asked for.</summary>
    public IReadOnlyList<ReleaseRow> List(
        string datasetId, long? beforeRow, int count, IReadOnlyCollection<ReleaseState> states) =>
        throw new NotSupportedException();

    /// <summary>Opens the file of a READY release (RELEASE_NOT_READY, FILE_CORRUPT).</summary>
    public FileStream OpenFile(ReleaseRow release) => throw new NotSupportedException();

    /// <summary>Deletes the file and writes RETIRE. Nothing is refunded. An empty etag fits every version.</summary>
    public Task<byte[]> DeleteAsync(
        Call call, string datasetId, string releaseId, string etag, Func<ReleaseRow, byte[]> reply) =>
        throw new NotSupportedException();
}
