using System.Collections.Concurrent;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>The accumulators of a one-pass dataset, empty, in the order of its definition.</summary>
public delegate IReadOnlyList<Accumulator> OpenAccumulators(DatasetRow dataset);

/// <summary>Uploads under way and their rows in the database.</summary>
sealed class Uploads(DataDirectory directory)
{
    const string Opening = "";

    readonly ConcurrentDictionary<(string DatasetUid, string UploadId), Lazy<IUploadFile>> _files = new();

    /// <summary>One commit of sums at a time, by the uid of the dataset; and one <see cref="Opening"/>.</summary>
    readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new();

    /// <summary>This server, as long as it runs, beside others that share the ledger.</summary>
    readonly byte[] _self = Guid.NewGuid().ToByteArray();

    internal async Task<Upload> OpenAsync(DatasetStore store, string id, string uploadId, OpenAccumulators? accumulators)
    {
        uploadId = Checked(uploadId);
        if (!directory.IsShared) return await TakeAsync(store, id, uploadId, accumulators).ConfigureAwait(false);
        // One after the other: what an earlier upload of this id left is deleted before rows of this one come.
        SemaphoreSlim gate = _gates.GetOrAdd(Opening, static _ => new(1));
        await gate.WaitAsync().ConfigureAwait(false);
        try
        {
            return await TakeAsync(store, id, uploadId, accumulators).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    async Task<Upload> TakeAsync(DatasetStore store, string id, string uploadId, OpenAccumulators? accumulators)
    {
        (DatasetRow dataset, UploadRow row, bool isNew) =
            await directory.Writer.SubmitAsync("upload", t => Begin(t, id, uploadId)).ConfigureAwait(false);
        if (row.Finished) return new(store, dataset, uploadId, null, 0);
        if (isNew && directory.IsShared)
        {
            // Another server may have discarded an upload of this id whose rows are still here.
            Forget(dataset.Uid, uploadId);
            directory.Durably("upload", () => UploadFile.Delete(directory.DatasetPath(dataset.Uid), uploadId));
        }
        IUploadFile file = File(dataset, uploadId, accumulators);
        if (file is OnePassFile folded && directory.IsShared && !folded.IsCurrent)
        {
            Forget(dataset.Uid, uploadId);
            file = File(dataset, uploadId, accumulators);
        }
        lock (file.Lock)
        {
            var upload = new Upload(store, dataset, uploadId, file, directory.Options.Clock.GetTimestamp());
            file.Holder = upload;
            return upload;
        }
    }

    internal UploadStatus Get(string id, string uploadId)
    {
        uploadId = Checked(uploadId);
        (DatasetRow dataset, UploadRow? row) = directory.Read(d =>
        {
            DatasetRow found = DatasetTable.GetActive(d, id).Row;
            return (found, UploadRow.Find(d, found.Uid, uploadId));
        });
        if (row is null) throw DatasetTable.NotFound($"datasets/{id}/uploads/{uploadId}");
        if (row.Finished) return new((ulong)row.BatchCount + 1, true, default);
        if (dataset.Definition.IsOnePass)
        {
            ulong last = directory.Read(d => CellTable.Find(d, dataset.Uid, uploadId))?.Sequence ?? 0;
            return new(last + 1, false, ExpireTime(row));
        }
        IUploadFile file = File(dataset, uploadId, null);
        lock (file.Lock) return new(file.DurableSequence + 1, false, ExpireTime(row));
    }

    internal async Task AbortAsync(string id, string uploadId)
    {
        uploadId = Checked(uploadId);
        DatasetRow dataset = directory.Read(d => DatasetTable.GetActive(d, id)).Row;
        await DiscardAsync(dataset.Uid, uploadId).ConfigureAwait(false);
    }

    /// <param name="file">What is committed; null to repeat the answer of an upload that is finished.</param>
    internal async Task<long> CommitAsync(DatasetRow dataset, string uploadId, long rows, long batches, IUploadFile? file)
    {
        if (file is not OnePassFile folded)
            return (await CommitAsync(dataset, uploadId, rows, batches, file?.Seal() ?? [], null).ConfigureAwait(false))!.Value;
        SemaphoreSlim gate = _gates.GetOrAdd(dataset.Uid, static _ => new(1));
        await gate.WaitAsync().ConfigureAwait(false);
        try
        {
            long? committed;
            do
            {
                List<SegmentRow> sums = [];
                directory.Durably("finish", () => sums = folded.Seal());
                committed = await CommitAsync(dataset, uploadId, rows, batches, sums, folded.SealedOnto).ConfigureAwait(false);
            }
            // Another server's upload came in between: the sums are made again, with it in them.
            while (committed is null);
            directory.Durably("finish", () => directory.DeleteCheckpoints(dataset.Uid, uploadId));
            await directory.Writer.SubmitAsync("supersede", t => CellTable.ForgetSuperseded(t.Database, dataset.Uid)).ConfigureAwait(false);
            return committed.Value;
        }
        finally
        {
            directory.Durably("finish", () => directory.DeleteUnusedSums(dataset.Uid));
            gate.Release();
        }
    }

    /// <summary>
    /// Guarantee: rows belong to the dataset from this one commit on, all of an upload or none, so that a retry cannot
    /// count a record twice.
    /// </summary>
    /// <param name="onto">Sums: generation that is in them. Null is returned, and nothing done, if it is no longer the last one.</param>
    Task<long?> CommitAsync(
        DatasetRow dataset, string uploadId, long rows, long batches, List<SegmentRow> segments, long? onto) =>
        directory.Replica.ShareAsync(dataset, segments, () => directory.Writer.SubmitAsync<long?>("finish", t =>
        {
            DatasetRow now = DatasetTable.GetByUid(t.Database, dataset.Uid).Row;
            if (now.State == DatasetState.Deleted) throw new StorageException(Reasons.DatasetDeleted, "The dataset is deleted.");
            UploadRow row = UploadRow.Find(t.Database, dataset.Uid, uploadId)
                ?? throw DatasetTable.NotFound($"{dataset.Name}/uploads/{uploadId}");
            if (row.Finished)
            {
                Upload.CheckCount("row_count", row.RowCount, rows);
                Upload.CheckCount("batch_count", row.BatchCount, batches);
                return row.RowCount;
            }
            if (!IsHeldHere(t.Database, dataset.Uid, uploadId)) throw Upload.TakenOver((ulong)batches);
            CheckRecords(now, rows);
            long commit = DatasetTable.LastCommit(t.Database, dataset.Uid);
            if (onto is { } last && last != commit) return null;
            foreach (SegmentRow segment in segments)
                t.Database.Execute(
                    """
                    INSERT INTO segments (segment_uid, dataset_uid, commit_no, file, row_count, bytes, encrypted, sha256)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                    """,
                    segment.Uid.ToByteArray(), dataset.Uid, ++commit, segment.File, segment.Rows, segment.Bytes,
                    segment.Encrypted ? 1 : 0, segment.Sha256);
            t.Database.Execute(
                "UPDATE uploads SET finished = 1, row_count = $1, batch_count = $2 WHERE dataset_uid = $3 AND upload_id = $4",
                rows, batches, dataset.Uid, uploadId);
            CellTable.Delete(t.Database, dataset.Uid, uploadId);
            return rows;
        }));

    /// <summary>
    /// Where servers share a ledger: lets the others see that an upload whose files are here goes on. A few times within
    /// the time after which it would be discarded.
    /// </summary>
    /// <param name="seen">Timestamp of the last call that wrote.</param>
    internal void Touch(DatasetRow dataset, string uploadId, ref long seen)
    {
        TimeProvider clock = directory.Options.Clock;
        if (!directory.IsShared || clock.GetElapsedTime(seen) < directory.Options.UploadRetention / 8) return;
        directory.Writer.SubmitAsync("touch", t => UploadRow.Touch(t, dataset.Uid, uploadId)).GetAwaiter().GetResult();
        seen = clock.GetTimestamp();
    }

    /// <summary>Whether no other server that shares the ledger has taken the upload over, finished or discarded it.</summary>
    internal bool IsHeldHere(DatasetRow dataset, string uploadId) => directory.Read(d => IsHeldHere(d, dataset.Uid, uploadId));

    bool IsHeldHere(DatabaseSession database, string datasetUid, string uploadId) => !directory.IsShared || database.Number(
        "SELECT COUNT(*) FROM uploads WHERE dataset_uid = $1 AND upload_id = $2 AND holder = $3", datasetUid, uploadId, _self) == 1;

    internal void Forget(string datasetUid, string uploadId)
    {
        if (_files.TryRemove((datasetUid, uploadId), out Lazy<IUploadFile>? file)) Close(file.Value);
    }

    internal void ForgetAll(string datasetUid)
    {
        foreach ((string Uid, string UploadId) key in _files.Keys.Where(k => k.DatasetUid == datasetUid)) Forget(key.Uid, key.UploadId);
    }

    internal void Close()
    {
        foreach ((string Uid, string UploadId) key in _files.Keys) Forget(key.Uid, key.UploadId);
    }

    internal void CheckSpace(DatasetRow dataset, long bytes) => directory.CheckSpace(directory.DatasetPath(dataset.Uid), bytes);

    internal async Task ExpireAsync()
    {
        DateTimeOffset now = directory.Options.Clock.GetUtcNow();
        (string, string)[] open = [.. _files.Keys];
        List<UploadRow> unfinished = directory.Read(UploadRow.Unfinished);
        // Another server may have finished or discarded what is open here: no stream of this one goes on with it.
        foreach ((string uid, string uploadId) in open.Except(unfinished.Select(static u => (u.DatasetUid, u.UploadId))))
            if (_files.TryGetValue((uid, uploadId), out Lazy<IUploadFile>? done) && done.Value.Holder is null) Forget(uid, uploadId);
        foreach (UploadRow row in unfinished)
        {
            bool isHeld = _files.TryGetValue((row.DatasetUid, row.UploadId), out Lazy<IUploadFile>? file) && file.Value.Holder is not null;
            if (!isHeld && ExpireTime(row) < now) await DiscardAsync(row.DatasetUid, row.UploadId).ConfigureAwait(false);
        }
    }

    async Task DiscardAsync(string datasetUid, string uploadId)
    {
        await directory.Writer.SubmitAsync("abort", t =>
        {
            UploadRow row = UploadRow.Find(t.Database, datasetUid, uploadId) ?? throw DatasetTable.NotFound($"uploads/{uploadId}");
            if (row.Finished) throw new StorageException(Reasons.UploadFinished, "The upload is finished and part of the dataset.");
            CellTable.Delete(t.Database, datasetUid, uploadId);
            return t.Database.Execute("DELETE FROM uploads WHERE dataset_uid = $1 AND upload_id = $2", datasetUid, uploadId);
        }).ConfigureAwait(false);
        Forget(datasetUid, uploadId);
        directory.Durably("abort", () => UploadFile.Delete(directory.DatasetPath(datasetUid), uploadId));
    }

    (DatasetRow, UploadRow, bool IsNew) Begin(Transaction t, string id, string uploadId)
    {
        DatasetRow dataset = DatasetTable.GetActive(t.Database, id).Row;
        if (dataset.Definition.Kind == DatasetKind.Imported)
            throw new InvalidFieldException("dataset", dataset.Name, "an imported dataset takes releases, not rows");
        KeyTable.Ensure(t.Database, dataset.Uid, directory.Options.EncryptionKey);
        if (UploadRow.Find(t.Database, dataset.Uid, uploadId) is { } present)
        {
            Hold();
            return (dataset, present, false);
        }
        DataDirectory.CheckLimit(
            "uploads", t.Database.Number("SELECT COUNT(*) FROM uploads WHERE dataset_uid = $1 AND finished = 0", dataset.Uid),
            directory.Options.MaxOpenUploadsPerDataset);
        t.Database.Execute(
            """
            INSERT INTO uploads (dataset_uid, upload_id, created_s, finished, row_count, batch_count, active_s)
              VALUES ($1, $2, $3, 0, 0, 0, $3)
            """,
            dataset.Uid, uploadId, t.Time);
        Hold();
        return (dataset, UploadRow.Find(t.Database, dataset.Uid, uploadId)!, true);

        // From its commit on no other server acknowledges rows of the upload, or finishes it.
        void Hold()
        {
            if (!directory.IsShared) return;
            UploadRow.Touch(t, dataset.Uid, uploadId);
            t.Database.Execute(
                "UPDATE uploads SET holder = $1 WHERE dataset_uid = $2 AND upload_id = $3 AND finished = 0", _self, dataset.Uid, uploadId);
        }
    }

    void CheckRecords(DatasetRow dataset, long rows)
    {
        long most = dataset.Definition.MaxRecords > 0 ? dataset.Definition.MaxRecords : directory.Options.MaxRecords;
        if (rows > most - dataset.RecordCount)
            throw BatchCheck.Refused(
                Reasons.LimitExceeded, "The upload goes beyond the declared number of records of the dataset.",
                ("limit", "records"), ("value", most));
    }

    IUploadFile File(DatasetRow dataset, string uploadId, OpenAccumulators? accumulators)
    {
        (string, string) key = (dataset.Uid, uploadId);
        try
        {
            return _files.GetOrAdd(key, _ => new(() => Open(dataset, uploadId, accumulators))).Value;
        }
        catch
        {
            // What could not be opened is tried again, and not the failure repeated.
            _files.TryRemove(key, out _);
            throw;
        }
    }

    IUploadFile Open(DatasetRow dataset, string uploadId, OpenAccumulators? accumulators)
    {
        string path = directory.DatasetPath(dataset.Uid);
        directory.Durably("upload", () => Disk.CreateDirectory(path));
        if (!dataset.Definition.IsOnePass)
            return new UploadFile(
                path, uploadId, RowShape.Of(dataset.Definition), directory.Options.SegmentBytes, directory.OpenKey(dataset.Uid));
        if (accumulators is null) throw new InvalidOperationException("a one-pass dataset needs its accumulators");
        return new OnePassFile(directory, dataset, uploadId, accumulators(dataset));
    }

    DateTimeOffset ExpireTime(UploadRow row)
    {
        string directoryPath = directory.DatasetPath(row.DatasetUid);
        DateTimeOffset last = row.ActiveTime > row.CreateTime ? row.ActiveTime : row.CreateTime;
        if (Directory.Exists(directoryPath))
            foreach (string path in Directory.GetFiles(directoryPath, UploadFile.FilePrefix(row.UploadId) + "*"))
                last = new[] { last, System.IO.File.GetLastWriteTimeUtc(path) }.Max();
        return last + directory.Options.UploadRetention;
    }

    static void Close(IUploadFile file)
    {
        lock (file.Lock)
        {
            file.Holder = null;
            file.Dispose();
        }
    }

    static string Checked(string uploadId) => Guid.TryParse(uploadId, out Guid id)
        ? id.ToString()
        : throw new InvalidFieldException("upload_id", uploadId, "must be a UUID");
}

/// <summary>An upload as stored.</summary>
/// <param name="ActiveTime">Where servers share a ledger: about when rows came last. Here the files tell.</param>
sealed record UploadRow(
    string DatasetUid, string UploadId, DateTimeOffset CreateTime, bool Finished, long RowCount, long BatchCount, DateTimeOffset ActiveTime)
{
    const string Select = "SELECT dataset_uid, upload_id, created_s, finished, row_count, batch_count, active_s FROM uploads";

    internal static int Touch(Transaction t, string datasetUid, string uploadId) => t.Database.Execute(
        "UPDATE uploads SET active_s = $1 WHERE dataset_uid = $2 AND upload_id = $3 AND finished = 0", t.Time, datasetUid, uploadId);

    internal static UploadRow? Find(DatabaseSession database, string datasetUid, string uploadId) =>
        database.First($"{Select} WHERE dataset_uid = $1 AND upload_id = $2", Read, datasetUid, uploadId);

    internal static List<UploadRow> Unfinished(DatabaseSession database) => database.Query($"{Select} WHERE finished = 0", Read);

    internal static List<UploadRow> All(DatabaseSession database) => database.Query(Select, Read);

    static UploadRow Read(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(2)), r.GetInt64(3) != 0, r.GetInt64(4), r.GetInt64(5),
        DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(6)));
}
