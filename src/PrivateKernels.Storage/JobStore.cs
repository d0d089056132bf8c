namespace PrivateKernels.Storage;

/// <summary>Classification jobs and their predictions. All of it is post-processing of a release: nothing here is private.</summary>
public sealed class JobStore
{
    readonly DataDirectory _directory;

    internal JobStore(DataDirectory directory) => _directory = directory;

    /// <summary>
    /// Records a job and its operation. <paramref name="reply"/> makes the bytes of the reply, which every repetition of
    /// the call gets. JOB_EXISTS, NOT_PUBLIC, DATASET_DELETED, LIMIT_EXCEEDED.
    /// </summary>
    /// <returns>The reply, and the job if it is new: then it is to be run.</returns>
    public Task<(byte[] Reply, JobRow? Created)> CreateAsync(Call call, NewJob job, Func<JobRow, OperationRow, byte[]> reply)
    {
        ResourceId.Check("classification_job_id", job.Id);
        return _directory.Writer.SubmitAsync("job", t =>
        {
            if (t.FindReply(call) is { } earlier) return (earlier, (JobRow?)null);
            DatasetTable.GetActive(t.Database, job.Release.DatasetId);
            DatasetRow query = DatasetTable.GetActive(t.Database, job.QueryId).Row;
            if (query.Definition.Kind != DatasetKind.Public) throw DatasetStore.NotPublic();
            if (JobTable.FindByName(t.Database, job.Release.DatasetId, job.Id) is { } present)
                throw BatchCheck.Refused(Reasons.JobExists, "The job exists.", ("resource", present.Name));
            JobRow row = JobTable.Create(t, job, query);
            if (_directory.IsShared && !call.ValidateOnly) Claim(row);
            return (t.KeepReply(call, reply(row, ReleaseTable.FindOperation(t.Database, row.OperationUid)!)), row);
        }, call.ValidateOnly);
    }

    /// <summary>What <see cref="CreateAsync"/> replied to an earlier call with this id, or null; REQUEST_ID_REUSED.</summary>
    public byte[]? FindReply(Call call) => _directory.Read(d => Transaction.FindReply(d, call));

    /// <summary>RESOURCE_NOT_FOUND if there is none.</summary>
    public JobRow Get(string datasetId, string id) => Find(datasetId, id) ?? throw NotFound(datasetId, id);

    public JobRow? Find(string datasetId, string id) => _directory.Read(d => JobTable.FindByName(d, datasetId, id));

    /// <summary>Jobs of a dataset, newest first, after a place (null to begin).</summary>
    public IReadOnlyList<JobRow> List(string datasetId, ListPlace? after, int count) =>
        _directory.Read(d => JobTable.List(d, DatasetTable.Get(d, datasetId).Row.Uid, after, count));

    /// <summary>
    /// Jobs that have not ended, oldest first: after a restart they go on. Where servers share a ledger, each has its own.
    /// </summary>
    public IReadOnlyList<JobRow> ListUnfinished() =>
        [.. _directory.Read(JobTable.All).Where(job => job.State == JobState.Queued && IsHere(job))];

    /// <summary>
    /// Where servers share a ledger: a sign of life for the jobs that are here, and those of a server that is gone, which
    /// begin here anew. To be called with <see cref="DataDirectory.KeepBuildsAsync"/>. Nothing otherwise.
    /// </summary>
    public async Task<IReadOnlyList<JobRow>> KeepAsync()
    {
        if (!_directory.IsShared) return [];
        long now = _directory.Options.Clock.GetUtcNow().ToUnixTimeSeconds(), lease = _directory.JobLeaseSeconds;
        string[] mine = [.. _directory.Read(d => JobTable.Due(d, now + lease / 2)).Where(IsHere).Select(static job => job.Uid)];
        if (mine.Length == 0 && _directory.Read(d => JobTable.Due(d, now)).Count == 0) return [];
        List<JobRow> taken = await _directory.Writer.SubmitAsync("jobleases", t =>
        {
            // Own ones first: a server that was only slow keeps its jobs.
            foreach (string uid in mine) JobTable.Renew(t, uid);
            List<JobRow> gone = JobTable.Due(t.Database, t.Time.ToUnixTimeSeconds());
            foreach (JobRow job in gone) JobTable.Renew(t, job.Uid);
            return gone;
        }).ConfigureAwait(false);
        taken.ForEach(Claim);
        return taken;
    }

    /// <summary>Forgets a job and its predictions. Whoever runs it stops it first.</summary>
    public async Task<byte[]> DeleteAsync(Call call, string datasetId, string id, byte[] reply)
    {
        string? uid = null;
        byte[] bytes = await _directory.Writer.SubmitAsync("unjob", t =>
        {
            if (t.FindReply(call) is { } earlier) return earlier;
            JobRow job = JobTable.FindByName(t.Database, datasetId, id) ?? throw NotFound(datasetId, id);
            JobTable.Delete(t, job);
            uid = job.Uid;
            return t.KeepReply(call, reply);
        }, call.ValidateOnly).ConfigureAwait(false);
        if (uid is not null && !call.ValidateOnly) DeleteFile(uid);
        return bytes;
    }

    /// <summary>
    /// Ends a job that is under way; nothing happens to one that has ended or is gone. Where servers share a ledger, its
    /// predictions are put where every server finds them.
    /// </summary>
    public async Task EndAsync(JobRow job, JobState state, JobCounts counts, string reason = "", string message = "")
    {
        if (state == JobState.Succeeded)
            await _directory.Replica.ShareAsync("release_chunks", job.Uid, _directory.PredictionPath(job.Uid)).ConfigureAwait(false);
        await _directory.Writer.SubmitAsync("jobend", t =>
        {
            bool ended = JobTable.End(t, job.Uid, state, counts, reason, message);
            // It was deleted meanwhile.
            if (t.Dialect.IsShared && JobTable.FindByUid(t.Database, job.Uid) is null)
                t.Database.Execute("DELETE FROM release_chunks WHERE uid = $1", job.Uid);
            return ended;
        }).ConfigureAwait(false);
    }

    /// <summary>The dataset whose rows are classified; DATASET_DELETED once it is.</summary>
    public DatasetRow Query(JobRow job) =>
        _directory.Read(d => DatasetTable.GetByUid(d, job.QueryUid)).Row is { State: DatasetState.Active } query
            ? query
            : throw new StorageException(Reasons.DatasetDeleted, "The query dataset is deleted.");

    /// <summary>Number of rows that take part.</summary>
    public long CountRows(JobRow job) =>
        _directory.Read(d => DatasetTable.Segments(d, job.QueryUid, job.Mark)).Sum(static s => s.Rows);

    /// <summary>
    /// The rows that take part, in order, in memory that is used again for the next batch; DATASET_DELETED, FILE_CORRUPT.
    /// </summary>
    public IEnumerable<Records> ReadRows(JobRow job)
    {
        List<SegmentRow> segments = _directory.Read(d => DatasetTable.Segments(d, job.QueryUid, job.Mark));
        return _directory.ReadRows(Query(job), segments, static _ => { });
    }

    /// <summary>Opens the predictions of a job for the one that runs it.</summary>
    public PredictionWriter OpenWriter(JobRow job) => new(_directory, job);

    /// <summary>
    /// Predictions of a job that has succeeded (JOB_NOT_READY otherwise), from a row on, in order. FILE_CORRUPT.
    /// </summary>
    public IEnumerable<PredictionBlock> Read(JobRow job, long firstRow)
    {
        if (job.State != JobState.Succeeded)
            throw new StorageException(
                Reasons.JobNotReady, "The job has no predictions; see its operation.",
                new Dictionary<string, string> { ["operation"] = $"operations/{job.OperationUid}" });
        return ReadBlocks(job, firstRow);
    }

    /// <summary>Deletes the jobs that ended before a time, with their predictions.</summary>
    internal async Task ExpireAsync()
    {
        List<JobRow> gone = await _directory.Writer.SubmitAsync("jobexpire", t =>
        {
            List<JobRow> expired = JobTable.EndedBefore(t.Database, t.Time - _directory.Options.JobRetention);
            foreach (JobRow job in expired) JobTable.Delete(t, job);
            return expired;
        }).ConfigureAwait(false);
        foreach (JobRow job in gone) DeleteFile(job.Uid);
    }

    /// <summary>Deletes files of no job: of jobs that were deleted just before a crash.</summary>
    internal void DeleteStrayFiles()
    {
        HashSet<string> known = [.. _directory.Read(JobTable.All).Select(static job => job.Uid)];
        foreach (string path in Directory.GetFiles(_directory.PredictionsPath))
            if (!known.Contains(Path.GetFileNameWithoutExtension(path))) Disk.Delete(path);
    }

    bool IsHere(JobRow job) => !_directory.IsShared || File.Exists(_directory.PredictionPath(job.Uid));

    /// <summary>
    /// The file of predictions says which of the servers runs a job, and gives signs of life for it. Should one come back
    /// whose job was taken over, both come to the same bits.
    /// </summary>
    void Claim(JobRow job)
    {
        using PredictionWriter file = OpenWriter(job);
        file.Finish();
    }

    internal void DeleteFile(string uid) => Disk.Delete(_directory.PredictionPath(uid));

    IEnumerable<PredictionBlock> ReadBlocks(JobRow job, long firstRow)
    {
        string path = _directory.PredictionPath(job.Uid);
        _directory.Replica.Fetch("release_chunks", job.Uid, path, PredictionFile.SizeOf(job.Counts.Rows));
        using PredictionFile file = PredictionFile.Open(path, job.Uid) ?? throw Corrupt(job);
        for (long row = firstRow; row < job.Counts.Rows;)
        {
            PredictionBlock block = file.Read(row / PredictionFile.BlockRows) ?? throw Corrupt(job);
            int skipped = (int)(row % PredictionFile.BlockRows);
            if (block.Classes.Length <= skipped) throw Corrupt(job);
            yield return skipped == 0 ? block : new(block.Classes[skipped..], block.Margins[skipped..]);
            row += block.Classes.Length - skipped;
        }
    }

    static StorageException NotFound(string datasetId, string id) =>
        DatasetTable.NotFound($"datasets/{datasetId}/classificationJobs/{id}");

    static StorageException Corrupt(JobRow job) => new(
        Reasons.FileCorrupt, "The predictions of the job are missing or altered; delete it and run it again.",
        new Dictionary<string, string> { ["job"] = job.Name });
}

/// <summary>
/// Writes the predictions of a job block by block. What an earlier life of the server wrote is read instead of computed:
/// the same release and the same point give the same bits.
/// </summary>
public sealed class PredictionWriter : IDisposable
{
    /// <summary>Rows of a block, all but the last.</summary>
    public const int BlockRows = PredictionFile.BlockRows;

    readonly DataDirectory _directory;
    readonly PredictionFile _file;
    long _next;

    internal PredictionWriter(DataDirectory directory, JobRow job)
    {
        _directory = directory;
        _file = PredictionFile.OpenOrCreate(directory.PredictionPath(job.Uid), job.Uid);
    }

    /// <summary>The next block if it is there with so many rows; it then counts as written.</summary>
    public PredictionBlock? TryResume(int rows)
    {
        if (_file.Read(_next) is not { } block || block.Classes.Length != rows) return null;
        _next++;
        return block;
    }

    /// <summary>Writes the next block; STORAGE_FULL before the volume is.</summary>
    public void Write(PredictionBlock block)
    {
        _directory.CheckSpace(_directory.PredictionsPath, block.Classes.Length * 16L);
        _file.Write(_next++, block);
    }

    /// <summary>Makes everything durable.</summary>
    public void Finish()
    {
        _file.Sync();
        Disk.SyncDirectory(_directory.PredictionsPath);
    }

    public void Dispose() => _file.Dispose();
}
