using System.Runtime.InteropServices;

namespace PrivateKernels.Storage;

/// <summary>A batch of rows on its way in.</summary>
/// <param name="Sequence">1, 2, 3, ... without gaps.</param>
/// <param name="Dimension">Coordinates per row, as sent.</param>
/// <param name="Values">Coordinates in row order; changed in place where the dataset clamps.</param>
/// <param name="Labels">One per row for a dataset with classes, otherwise empty.</param>
/// <param name="RowValues">One per row for a dataset with values, otherwise empty; changed in place like Values.</param>
/// <param name="Crc32C">Of the little-endian bytes of values, then labels, then row values, as sent.</param>
public readonly record struct IngestBatch(
    ulong Sequence, int Dimension, Memory<float> Values, ReadOnlyMemory<uint> Labels, Memory<float> RowValues, uint Crc32C)
{
    /// <summary>The checksum of the rows as they are now.</summary>
    internal uint ComputeCrc()
    {
        uint crc = PrivateKernels.Crc32C.Compute(MemoryMarshal.AsBytes(Values.Span));
        crc = PrivateKernels.Crc32C.Compute(MemoryMarshal.AsBytes(Labels.Span), crc);
        return PrivateKernels.Crc32C.Compute(MemoryMarshal.AsBytes(RowValues.Span), crc);
    }
}

/// <summary>Where an upload stands.</summary>
public readonly record struct UploadStatus(ulong NextSequence, bool Finished, DateTimeOffset ExpireTime);

/// <summary>One stream's hold of an upload. Methods may be called from any thread.</summary>
public sealed class Upload : IDisposable
{
    readonly DatasetStore _store;
    readonly IUploadFile? _file;
    long _touched;

    internal Upload(DatasetStore store, DatasetRow dataset, string id, IUploadFile? file, long opened)
    {
        (_store, Dataset, Id, _file, _touched) = (store, dataset, id, file, opened);
        NextSequence = file?.NextSequence ?? 0;
    }

    public DatasetRow Dataset { get; }

    public string Id { get; }

    /// <summary>First sequence number wanted, as it was when the upload was opened; 0 if it is finished.</summary>
    public ulong NextSequence { get; }

    /// <summary>Committed already; send nothing more.</summary>
    public bool Finished => _file is null;

    /// <summary>Whether enough was appended since the last <see cref="Flush"/> to make another worth its cost.</summary>
    public bool WantsFlush => _file is not null && _file.UnflushedBytes >= _file.FlushBytes;

    /// <summary>
    /// Checks and appends a batch; it survives a crash once <see cref="Flush"/> has returned. A batch that was accepted
    /// before is ignored if it is the same, and SEQUENCE_CONFLICT otherwise; one too early is SEQUENCE_GAP. The reasons
    /// for a bad batch name its first bad row; the upload stays where it was.
    /// </summary>
    public void Append(IngestBatch batch)
    {
        IUploadFile file = Held();
        lock (file.Lock)
        {
            CheckHold(file);
            if (batch.Sequence < 1) throw new InvalidFieldException("batch.sequence", batch.Sequence, "must be at least 1");
            if (batch.Sequence < file.NextSequence)
            {
                if (file.IsRepeat(batch.Sequence, batch.Crc32C)) return;
                throw BatchCheck.Refused(
                    Reasons.SequenceConflict, "Another batch with this sequence number was stored.", ("sequence", batch.Sequence));
            }
            if (batch.Sequence > file.NextSequence)
                throw BatchCheck.Refused(
                    Reasons.SequenceGap, "A batch is missing before this one.", ("next_sequence", file.NextSequence));
            BatchCheck.Apply(Dataset.Definition, batch);
            _store.CheckSpace(Dataset, (batch.Values.Length + batch.RowValues.Length) * 4L);
            try
            {
                _store.Durably("ingest", () => file.Append(batch));
            }
            catch when (Dataset.Definition.IsOnePass)
            {
                // The cells may hold the batch by half: the upload goes on from its last checkpoint.
                _store.Forget(Dataset, Id);
                throw;
            }
        }
    }

    /// <summary>Makes everything appended durable and returns the highest durable sequence number; 0 for none.</summary>
    public ulong Flush()
    {
        IUploadFile file = Held();
        lock (file.Lock)
        {
            CheckHold(file);
            Sync(file);
            if (!_store.IsHeldHere(Dataset, Id))
            {
                file.Holder = null;
                throw TakenOver(file.DurableSequence);
            }
            _store.Touch(Dataset, Id, ref _touched);
            return file.DurableSequence;
        }
    }

    /// <summary>
    /// Makes the upload part of the dataset, all of it or nothing, and returns its rows. May be repeated.
    /// ROW_COUNT_MISMATCH if the counts are not those received; LIMIT_EXCEEDED beyond the dataset's max_records.
    /// </summary>
    public async Task<long> FinishAsync(long rowCount, long batchCount)
    {
        if (_file is null) return await _store.CommitAsync(Dataset, Id, rowCount, batchCount, null).ConfigureAwait(false);
        lock (_file.Lock)
        {
            CheckHold(_file);
            CheckCount("row_count", _file.Rows, rowCount);
            CheckCount("batch_count", (long)_file.NextSequence - 1, batchCount);
            Sync(_file);
            // Nothing may be appended to what is being committed.
            _file.Holder = null;
        }
        bool committed = false;
        try
        {
            long rows = await _store.CommitAsync(Dataset, Id, rowCount, batchCount, _file).ConfigureAwait(false);
            committed = true;
            return rows;
        }
        finally
        {
            if (committed) _store.Forget(Dataset, Id);
            else Retake(_file);
        }
    }

    /// <summary>Lets go of the upload; it can be resumed.</summary>
    public void Dispose()
    {
        if (_file is null) return;
        lock (_file.Lock)
            if (_file.Holder == this) _file.Holder = null;
    }

    internal static void CheckCount(string field, long received, long expected)
    {
        if (received != expected)
            throw BatchCheck.Refused(
                Reasons.RowCountMismatch, "The upload does not hold what the finish says.",
                ("field", field), ("expected", expected), ("received", received));
    }

    void Retake(IUploadFile file)
    {
        lock (file.Lock) file.Holder ??= this;
    }

    void Sync(IUploadFile file) => _store.Durably("ingest", () =>
    {
        Failpoint.Hit("ingest.before_fsync");
        file.Sync();
        Failpoint.Hit("ingest.after_fsync");
    });

    IUploadFile Held() => _file ?? throw new StorageException(Reasons.UploadFinished, "The upload is finished; nothing can be added.");

    void CheckHold(IUploadFile file)
    {
        if (file.Holder != this) throw TakenOver(file.DurableSequence);
    }

    internal static StorageException TakenOver(ulong sequence) =>
        BatchCheck.Refused(Reasons.UploadTakenOver, "Another stream goes on with this upload.", ("sequence", sequence));
}
