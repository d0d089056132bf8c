namespace PrivateKernels.Storage;

/// <summary>
/// One upload into a one-pass dataset: its rows are in the cells of its accumulators and nowhere else. What survives a crash
/// is the last checkpoint of the cells.
/// </summary>
/// <remarks>
/// Guarantee: a batch is in the cells once. The number of the last batch is inside the checkpoint that holds it, and an
/// accumulator that may have taken a batch by half is thrown away with the upload (<see cref="Append"/>).
/// </remarks>
sealed class OnePassFile : IUploadFile
{
    /// <summary>Checksums that are kept to tell a repeated batch from another one.</summary>
    const int KeptCrcs = 1024;
    const long LeastFlushBytes = 16 << 20;

    readonly DataDirectory _directory;
    readonly DatasetRow _dataset;
    readonly string _uploadId;
    readonly IReadOnlyList<Accumulator> _accumulators;
    readonly DataKey _key;
    readonly Queue<uint> _crcs = new();
    CheckpointRow? _checkpoint;
    bool _isBroken;

    /// <summary>Goes on from the last checkpoint, if there is one.</summary>
    internal OnePassFile(DataDirectory directory, DatasetRow dataset, string uploadId, IReadOnlyList<Accumulator> accumulators)
    {
        (_directory, _dataset, _uploadId, _accumulators) = (directory, dataset, uploadId, accumulators);
        _key = directory.OpenKey(dataset.Uid) ?? throw new StorageException(Reasons.FileCorrupt, "The data key of the dataset is missing.");
        _checkpoint = directory.Read(d => CellTable.Find(d, dataset.Uid, uploadId));
        if (_checkpoint is null) return;
        directory.Replica.HasCells(_checkpoint.Uid, PathOf(_checkpoint.File));
        CellState state = CellState.Read(CellFile.Read(PathOf(_checkpoint.File), _checkpoint.Uid, _key));
        (NextSequence, Rows) = (state.Sequence + 1, state.Rows);
        foreach (uint crc in state.Crcs) _crcs.Enqueue(crc);
        for (int i = 0; i < accumulators.Count; i++) state.Cells[i].CopyTo(accumulators[i].Cells, 0);
        DurableSequence = state.Sequence;
    }

    public Lock Lock { get; } = new();

    public Upload? Holder { get; set; }

    public ulong NextSequence { get; private set; } = 1;

    public ulong DurableSequence { get; private set; }

    /// <summary>Generation whose sums are in those that <see cref="Seal"/> made; 0 for none.</summary>
    internal long SealedOnto { get; private set; }

    /// <summary>Whether the checkpoint that counts is the one that this goes on from: another server may have gone on.</summary>
    internal bool IsCurrent => _directory.Read(d => CellTable.Find(d, _dataset.Uid, _uploadId))?.Uid == _checkpoint?.Uid;

    public long UnflushedBytes { get; private set; }

    /// <summary>A checkpoint writes all cells: a few times as much shall come in between.</summary>
    public long FlushBytes => Math.Max(LeastFlushBytes, 4 * sizeof(long) * _accumulators.Sum(static a => (long)a.Cells.Length));

    public long Rows { get; private set; }

    /// <summary>Of a batch that is further back than the kept checksums nothing can be said but that it is in the cells.</summary>
    public bool IsRepeat(ulong sequence, uint crc)
    {
        ulong back = NextSequence - 1 - sequence;
        return back >= (ulong)_crcs.Count || _crcs.ElementAt(_crcs.Count - 1 - (int)back) == crc;
    }

    public void Append(IngestBatch batch)
    {
        if (_isBroken) throw new InvalidOperationException("the accumulators of the upload are not in a known state");
        // Until the last accumulator has the batch, the cells are those of no sequence of batches.
        _isBroken = true;
        foreach (Accumulator accumulator in _accumulators) accumulator.Add(new(batch.Values, batch.Labels, batch.RowValues));
        _isBroken = false;
        NextSequence++;
        Rows += batch.Values.Length / _dataset.Definition.Domain.Dimension;
        UnflushedBytes += sizeof(float) * (long)batch.Values.Length;
        _crcs.Enqueue(batch.Crc32C);
        if (_crcs.Count > KeptCrcs) _crcs.Dequeue();
    }

    /// <summary>Writes a checkpoint beside the old one and swaps them by a row of the database.</summary>
    public void Sync()
    {
        if (_isBroken || DurableSequence == NextSequence - 1) return;
        var next = new CheckpointRow(_dataset.Uid, _uploadId, Guid.NewGuid(), NextSequence - 1);
        var state = new CellState(next.Sequence, Rows, [.. _crcs], [.. _accumulators.Select(static a => a.Cells)]);
        CellFile.Write(PathOf(next.File), next.Uid, _key, state.ToParts());
        _directory.Replica.ShareCells(next.Uid, PathOf(next.File));
        Failpoint.Hit("onepass.before_swap");
        _directory.Writer.SubmitAsync("swap", t =>
        {
            if (UploadRow.Find(t.Database, _dataset.Uid, _uploadId) is not { Finished: false })
                throw DatasetTable.NotFound($"{_dataset.Name}/uploads/{_uploadId}");
            return CellTable.Swap(t.Database, _checkpoint, next) ? true : throw Upload.TakenOver(DurableSequence);
        }).GetAwaiter().GetResult();
        Failpoint.Hit("onepass.after_swap");
        if (_checkpoint is not null) File.Delete(PathOf(_checkpoint.File));
        (_checkpoint, DurableSequence, UnflushedBytes) = (next, next.Sequence, 0);
    }

    /// <summary>
    /// Writes the sums of the dataset with this upload in them; they count once the caller has committed the row. One upload
    /// of a dataset at a time.
    /// </summary>
    public List<SegmentRow> Seal()
    {
        long[][] cells = [.. _accumulators.Select(static a => (long[])a.Cells.Clone())];
        SealedOnto = 0;
        if (LastSums() is { } last)
        {
            SealedOnto = last.Generation;
            long[][] before = CellState.Read(CellFile.Read(PathOf(last.Segment.File), last.Segment.Uid, _key)).Cells;
            for (int i = 0; i < cells.Length; i++)
                for (int j = 0; j < cells[i].Length; j++) cells[i][j] += before[i][j];
        }
        var uid = Guid.NewGuid();
        string name = CellTable.FileName(_uploadId, uid, "sum");
        (byte[] sha256, long bytes) = CellFile.Write(PathOf(name), uid, _key, new CellState(0, 0, [], cells).ToParts());
        foreach (long[] block in cells) Array.Clear(block);
        return [new(uid, name, Rows, bytes, Encrypted: true, sha256)];
    }

    /// <summary>
    /// The newest sums, their file here. Another server may commit newer ones and drop these at any moment: then the look
    /// is taken again.
    /// </summary>
    (SegmentRow Segment, long Generation)? LastSums()
    {
        while (true)
        {
            (SegmentRow Segment, long Generation)? last = _directory.Read(d => CellTable.Last(d, _dataset.Uid));
            if (last is not { } found || _directory.Replica.HasCells(found.Segment.Uid, PathOf(found.Segment.File))) return last;
            // If it is still the newest, its reader says what is wrong.
            if (_directory.Read(d => CellTable.Last(d, _dataset.Uid))?.Generation == found.Generation) return last;
        }
    }

    public void Dispose()
    {
        foreach (Accumulator accumulator in _accumulators) Array.Clear(accumulator.Cells);
        _key.Dispose();
    }

    string PathOf(string file) => Path.Combine(_directory.DatasetPath(_dataset.Uid), file);
}
