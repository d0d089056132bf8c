namespace PrivateKernels.Storage;

/// <summary>Datasets and their accounts: create, read, change, delete.</summary>
public sealed class DatasetStore
{
    /// <summary>
    /// Creates a dataset, and opens or joins its account. <paramref name="reply"/> makes the bytes of the reply, which are
    /// stored with the effect and returned to every repetition of the call.
    /// </summary>
    public Task<byte[]> CreateAsync(Call call, NewDataset dataset, Func<DatasetRow, AccountRow?, byte[]> reply) =>
        throw new NotSupportedException();

    /// <summary>The newest dataset of this id, deleted or not; RESOURCE_NOT_FOUND if there never was one.</summary>
    public DatasetRow Get(string id) => throw new NotSupportedException();

    /// <summary>
    /// Datasets in name order after a cursor (the id and row of the last one seen; null to begin). With
    /// <paramref name="showDeleted"/> an id that was created again appears once for each of its lives.
    /// </summary>
    public IReadOnlyList<DatasetRow> List((string Id, long Row)? after, int count, bool showDeleted) =>
        throw new NotSupportedException();

    /// <summary>Changes the texts that are not null. An empty <paramref name="etag"/> fits every version.</summary>
    public Task<byte[]> UpdateAsync(
        Call call, string id, string etag, string? displayName, string? description, Func<DatasetRow, byte[]> reply) =>
        throw new NotSupportedException();

    /// <summary>
    /// Deletes rows and, with <paramref name="force"/>, releases (DATASET_HAS_RELEASES without). The account keeps its
    /// spend. A build under way refuses it (RELEASE_NOT_READY with its operation): cancel it or wait, then ask again.
    /// </summary>
    public Task<byte[]> DeleteAsync(Call call, string id, string etag, bool force, Func<DatasetRow, byte[]> reply) =>
        throw new NotSupportedException();

    /// <summary>Opens or resumes an upload and takes it over from an earlier stream.</summary>
    public Task<Upload> OpenUploadAsync(string id, string uploadId) => throw new NotSupportedException();

    /// <summary>Where an upload stands; RESOURCE_NOT_FOUND if it is unknown.</summary>
    public UploadStatus GetUpload(string id, string uploadId) => throw new NotSupportedException();

    /// <summary>Discards an upload that is not finished (UPLOAD_FINISHED otherwise).</summary>
    public Task AbortUploadAsync(string id, string uploadId) => throw new NotSupportedException();

    /// <summary>The account that pays for a dataset; null for public and imported ones.</summary>
    public AccountRow? GetBudget(string id) => throw new NotSupportedException();

    /// <summary>Sets a new limit, in the account's unit, not below what is used (LIMIT_BELOW_USED).</summary>
    public Task<byte[]> UpdateBudgetAsync(
        Call call, string id, AccountTerms terms, string reason, Func<AccountRow, byte[]> reply) =>
        throw new NotSupportedException();

    /// <summary>Rows of a PUBLIC dataset, in order of upload, for use as query points.</summary>
    public IEnumerable<Records> ReadPublic(string id) => throw new NotSupportedException();
}
