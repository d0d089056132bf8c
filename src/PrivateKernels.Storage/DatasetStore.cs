namespace PrivateKernels.Storage;

/// <summary>Datasets and their accounts: create, read, change, delete; uploads.</summary>
public sealed class DatasetStore
{
    const int MaxPopulationLength = 256;

    readonly DataDirectory _directory;
    readonly Uploads _uploads;

    internal DatasetStore(DataDirectory directory) => (_directory, _uploads) = (directory, new Uploads(directory));

    /// <summary>
    /// Creates a dataset, and opens or joins its account. <paramref name="reply"/> makes the bytes of the reply, which are
    /// stored with the effect and returned to every repetition of the call. DATASET_EXISTS, ACCOUNT_MISMATCH.
    /// </summary>
    public Task<byte[]> CreateAsync(Call call, NewDataset dataset, Func<DatasetRow, AccountRow?, byte[]> reply)
    {
        ResourceId.Check("dataset_id", dataset.Id);
        if (dataset.Population.Length > MaxPopulationLength)
            throw new InvalidFieldException("dataset.population", dataset.Population.Length, $"must have at most {MaxPopulationLength} characters");
        return _directory.Writer.SubmitAsync("create", t =>
        {
            if (t.FindReply(call) is { } earlier) return earlier;
            if (dataset.Definition.IsOnePass && _directory.Options.EncryptionKey is null)
                throw new StorageException(
                    Reasons.EncryptionRequired, "One pass keeps exact cells on disk: configure an encryption key (Encryption:KeyFile).");
            if (DatasetTable.Find(t.Database, dataset.Id) is { Row.State: DatasetState.Active } present)
                throw BatchCheck.Refused(Reasons.DatasetExists, "The dataset exists.", ("resource", present.Row.Name));
            DataDirectory.CheckLimit(
                "datasets", t.Database.Number("SELECT COUNT(*) FROM datasets WHERE state = 1"), _directory.Options.MaxDatasets);
            Account? account = dataset.Definition.Kind == DatasetKind.Private ? OpenOrJoin(t, dataset) : NoAccount(dataset);
            DatasetRow row = DatasetTable.Create(t, dataset, account);
            if (row.Definition.Kind != DatasetKind.Imported) KeyTable.Ensure(t.Database, row.Uid, _directory.Options.EncryptionKey);
            return t.KeepReply(call, reply(row, account?.Row));
        }, call.ValidateOnly);
    }

    /// <summary>The newest dataset of this id, deleted or not; RESOURCE_NOT_FOUND if there never was one.</summary>
    public DatasetRow Get(string id) => _directory.Read(d => DatasetTable.Get(d, id).Row);

    /// <summary>
    /// Datasets in name order after a cursor (the id and row of the last one seen; null to begin). With
    /// <paramref name="showDeleted"/> an id that was created again appears once for each of its lives.
    /// </summary>
    public IReadOnlyList<DatasetRow> List((string Id, long Row)? after, int count, bool showDeleted) =>
        [.. _directory.Read(d => DatasetTable.List(d, after, count, showDeleted)).Select(static s => s.Row)];

    /// <summary>Changes the texts that are not null. An empty <paramref name="etag"/> fits every version.</summary>
    public Task<byte[]> UpdateAsync(
        Call call, string id, string etag, string? displayName, string? description, Func<DatasetRow, byte[]> reply) =>
        _directory.Writer.SubmitAsync("update", t =>
        {
            if (t.FindReply(call) is { } earlier) return earlier;
            DatasetRow row = DatasetTable.GetActive(t.Database, id).Row;
            DatasetTable.CheckEtag(etag, row.Etag);
            t.Database.Execute(
                "UPDATE datasets SET display_name = $1, description = $2, version = version + 1 WHERE uid = $3",
                displayName ?? row.DisplayName, description ?? row.Description, row.Uid);
            return t.KeepReply(call, reply(DatasetTable.GetByUid(t.Database, row.Uid).Row));
        }, call.ValidateOnly);

    /// <summary>
    /// Deletes rows and, with <paramref name="force"/>, releases (DATASET_HAS_RELEASES without). The account keeps its
    /// spend. A build under way refuses it (RELEASE_NOT_READY with its operation): cancel it or wait, then ask again.
    /// </summary>
    public async Task<byte[]> DeleteAsync(Call call, string id, string etag, bool force, Func<DatasetRow, byte[]> reply)
    {
        List<JobRow> jobs = [];
        (byte[] bytes, string? uid, List<ReleaseRow> releases) = await _directory.Writer.SubmitAsync("delete", t =>
        {
            if (t.FindReply(call) is { } earlier) return (earlier, null, []);
            StoredDataset dataset = DatasetTable.GetActive(t.Database, id);
            DatasetTable.CheckEtag(etag, dataset.Row.Etag);
            List<ReleaseRow> gone = RetireAll(t, dataset.Row, force);
            jobs = JobTable.OfDataset(t.Database, dataset.Row.Uid);
            foreach (JobRow job in jobs) JobTable.Delete(t, job);
            DatasetRow tombstone = DatasetTable.Bury(t, dataset);
            return (t.KeepReply(call, reply(tombstone)), (string?)tombstone.Uid, gone);
        }, call.ValidateOnly).ConfigureAwait(false);
        if (uid is null || call.ValidateOnly) return bytes;
        Failpoint.Hit("delete.after_tombstone");
        _uploads.ForgetAll(uid);
        _directory.Durably("delete", () =>
        {
            _directory.DeleteFiles(uid, releases);
            foreach (JobRow job in jobs) _directory.Jobs.DeleteFile(job.Uid);
        });
        _directory.ForgetDeletedPages();
        return bytes;
    }

    /// <summary>Opens or resumes an upload and takes it over from an earlier stream. LIMIT_EXCEEDED, DATASET_DELETED.</summary>
    /// <param name="id">Dataset.</param>
    /// <param name="uploadId">UUID text.</param>
    /// <param name="accumulators">Asked where rows are to be folded: for a one-pass dataset.</param>
    public Task<Upload> OpenUploadAsync(string id, string uploadId, OpenAccumulators? accumulators = null) =>
        _uploads.OpenAsync(this, id, uploadId, accumulators);

    /// <summary>Where an upload stands; RESOURCE_NOT_FOUND if it is unknown.</summary>
    public UploadStatus GetUpload(string id, string uploadId) => _uploads.Get(id, uploadId);

    /// <summary>Discards an upload that is not finished (UPLOAD_FINISHED otherwise).</summary>
    public Task AbortUploadAsync(string id, string uploadId) => _uploads.AbortAsync(id, uploadId);

    /// <summary>Terms of the account that a new dataset would join; null if it would open one.</summary>
    public AccountTerms? FindTerms(string id, string population) => _directory.Read(d =>
    {
        string earlier = DatasetTable.EarlierPopulation(d, id);
        string key = earlier.Length > 0 ? earlier : population.Length > 0 ? population : id;
        return AccountTable.Find(d, key)?.Row is { } row ? new AccountTerms(row.Unit, row.LimitUnits, row.DisplayDelta) : null;
    });

    /// <summary>The account that pays for a dataset; null for public and imported ones.</summary>
    public AccountRow? GetBudget(string id) => _directory.Read(d =>
        DatasetTable.Get(d, id).AccountId is { } account ? AccountTable.Get(d, account).Row : null);

    /// <summary>
    /// Limit less posted spends of the first active private datasets in name order, in units of the account. What is held
    /// for builds counts as left: a hold would tell when its build began.
    /// </summary>
    public IReadOnlyList<(string Id, long Units)> ListRemaining(int count) => _directory.Read(d => d.Query(
        """
        SELECT d.id, a.limit_units - a.spent_units FROM datasets d JOIN accounts a ON a.account_id = d.account_id
          WHERE d.state = 1 ORDER BY d.id LIMIT $1
        """,
        static r => (r.GetString(0), r.GetInt64(1)), count));

    /// <summary>Sets a new limit, in the account's unit, not below what is used (LIMIT_BELOW_USED, ACCOUNT_MISMATCH).</summary>
    public Task<byte[]> UpdateBudgetAsync(
        Call call, string id, AccountTerms terms, string reason, Func<AccountRow, byte[]> reply) =>
        _directory.Writer.SubmitAsync("limit", t =>
        {
            if (t.FindReply(call) is { } earlier) return earlier;
            if (DatasetTable.GetActive(t.Database, id).AccountId is not { } accountId)
                throw AccountTable.Mismatch("population", "the dataset is not private and has no account");
            Account account = AccountTable.SetLimit(t, AccountTable.Get(t.Database, accountId), terms, reason);
            return t.KeepReply(call, reply(account.Row));
        }, call.ValidateOnly);

    /// <summary>Rows of a PUBLIC dataset (NOT_PUBLIC otherwise), in order of upload, for use as query points.</summary>
    public IEnumerable<Records> ReadPublic(string id)
    {
        DatasetRow row = _directory.Read(d => DatasetTable.GetActive(d, id)).Row;
        if (row.Definition.Kind != DatasetKind.Public)
            throw NotPublic();
        return _directory.ReadRows(row, _directory.Read(d => DatasetTable.Segments(d, row.Uid)), static _ => { });
    }

    internal static StorageException NotPublic() => new(Reasons.NotPublic, "The rows of this dataset are not public.");

    internal Task ExpireUploadsAsync() => _uploads.ExpireAsync();

    internal void CloseUploads() => _uploads.Close();

    internal void Durably(string name, Action step) => _directory.Durably(name, step);

    internal void CheckSpace(DatasetRow dataset, long bytes) => _uploads.CheckSpace(dataset, bytes);

    internal Task<long> CommitAsync(DatasetRow dataset, string uploadId, long rows, long batches, IUploadFile? file) =>
        _uploads.CommitAsync(dataset, uploadId, rows, batches, file);

    internal bool IsHeldHere(DatasetRow dataset, string uploadId) => _uploads.IsHeldHere(dataset, uploadId);

    internal void Touch(DatasetRow dataset, string uploadId, ref long seen) => _uploads.Touch(dataset, uploadId, ref seen);

    internal void Forget(DatasetRow dataset, string uploadId) => _uploads.Forget(dataset.Uid, uploadId);

    /// <summary>
    /// Guarantee: an id that was created before pays from the account it had, whatever happened in between, so that
    /// deleting and creating again gives nobody fresh budget.
    /// </summary>
    static Account OpenOrJoin(Transaction t, NewDataset dataset)
    {
        string earlier = DatasetTable.EarlierPopulation(t.Database, dataset.Id);
        if (earlier.Length > 0 && dataset.Population.Length > 0 && dataset.Population != earlier)
            throw AccountTable.Mismatch("population", "an id that is created again keeps the population it had");
        string population = earlier.Length > 0 ? earlier : dataset.Population.Length > 0 ? dataset.Population : dataset.Id;
        if (AccountTable.Find(t.Database, population) is not { } account)
            return dataset.Terms is { } terms
                ? AccountTable.Open(t, population, terms, dataset.Definition.Adjacency)
                : throw new InvalidFieldException("budget", null, "must be set to open an account");
        AccountRow row = account.Row;
        if (row.Adjacency != dataset.Definition.Adjacency)
            throw AccountTable.Mismatch("adjacency", "all datasets of a population have the neighbouring relation of its account");
        if (dataset.Terms is { } asked && asked != new AccountTerms(row.Unit, row.LimitUnits, row.DisplayDelta))
            throw AccountTable.Mismatch("limit", "the account exists with another limit; leave the budget unset to join it");
        return account;
    }

    static Account? NoAccount(NewDataset dataset)
    {
        if (dataset.Terms is not null) throw new InvalidFieldException("budget", "set", "must be unset for a dataset that is not private");
        if (dataset.Population.Length > 0)
            throw new InvalidFieldException("dataset.population", dataset.Population, "must be empty for a dataset that is not private");
        return null;
    }

    static List<ReleaseRow> RetireAll(Transaction t, DatasetRow dataset, bool force)
    {
        ReleaseState[] living = [ReleaseState.Building, ReleaseState.Ready];
        List<ReleaseRow> releases =
        [
            .. ReleaseTable.List(t.Database, dataset.Uid, null, int.MaxValue, living),
            .. ImportTable.List(t.Database, dataset.Uid, null, int.MaxValue, living),
        ];
        if (releases.Find(static r => r.State == ReleaseState.Building) is { } building)
            throw BatchCheck.Refused(
                Reasons.ReleaseNotReady, "A release of the dataset is being built; cancel its operation or wait for it.",
                ("operation", $"operations/{building.OperationUid}"));
        if (releases.Count > 0 && !force)
            throw new StorageException(Reasons.DatasetHasReleases, "The dataset has releases; use force to delete them with it.");
        return releases.ConvertAll(r => r.Imported ? ImportTable.Retire(t, r) : ReservationTable.Retire(t, r));
    }
}
