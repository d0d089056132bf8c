namespace PrivateKernels.Storage;

/// <summary>
/// The right to build one release: a receipt, the rows of the snapshot, and the line between what can be given up and
/// what cannot.
/// </summary>
public sealed class Build
{
    const int Aggregating = 0, Releasing = 1, Cancelled = 2;

    readonly DataDirectory _directory;
    readonly ReservationRow _reservation;
    int _stage;
    long _rowsRead;
    long _rows = 1;

    internal Build(
        DataDirectory directory, ReservationRow reservation, ReleaseRow release, DatasetRow dataset, OperationRow operation,
        ReadOnlyMemory<byte> fingerprint)
    {
        (_directory, _reservation) = (directory, reservation);
        (Release, Dataset, Operation) = (release, dataset, operation);
        Receipt = new(reservation.Id, reservation.RequestHash, reservation.Attempt, release.ReservedAt, release.Cost, fingerprint);
    }

    /// <summary>What <see cref="Measurement.Invoke"/> demands; issued after the reservation was durable.</summary>
    public Receipt Receipt { get; }

    /// <summary>The release as it was when this attempt began, with the spec it is to be built from.</summary>
    public ReleaseRow Release { get; }

    public DatasetRow Dataset { get; }

    public OperationRow Operation { get; }

    /// <summary>Part of the snapshot that has been read, 0 to 1. Private but for quarters of it, and those for owners.</summary>
    public double Progress => Math.Min(1, (double)Volatile.Read(ref _rowsRead) / Volatile.Read(ref _rows));

    internal ReservationRow Reservation => _reservation;

    internal ReadOnlyMemory<byte> ReservationId => _reservation.Id;

    internal int Attempt => _reservation.Attempt;

    internal bool IsReleasing => Volatile.Read(ref _stage) == Releasing;

    /// <summary>
    /// The rows of the snapshot in batches of about 32 MiB whose memory is used again for the next one. Fails with
    /// FILE_CORRUPT, before noise is drawn, if a segment is not what was reserved.
    /// </summary>
    public IEnumerable<Records> Read()
    {
        List<SegmentRow> segments = Snapshot();
        Volatile.Write(ref _rowsRead, 0);
        Volatile.Write(ref _rows, Math.Max(1, segments.Sum(static s => s.Rows)));
        return _directory.ReadRows(Dataset, segments, rows => Interlocked.Add(ref _rowsRead, rows));
    }

    /// <summary>
    /// The sums of an accumulator of a one-pass dataset as they were when the budget was reserved: a copy, for
    /// <paramref name="measurement"/>. FILE_CORRUPT as for <see cref="Read"/>.
    /// </summary>
    public ExactCells ReadCells(string accumulator, Measurement measurement)
    {
        List<SegmentRow> generations = Snapshot();
        int index = Dataset.Definition.Accumulators.Select(static a => a.Id).ToList().IndexOf(accumulator);
        if (index < 0) throw new InvalidDataException("the dataset has no such accumulator");
        return generations.Count > 0 ? _directory.ReadCells(Dataset, generations[^1], index) : new(new long[measurement.CellCount]);
    }

    /// <summary>Guarantee: every attempt reads the same rows, those committed when the budget was reserved.</summary>
    List<SegmentRow> Snapshot()
    {
        List<SegmentRow> segments = _directory.Read(d => DatasetTable.Segments(d, Dataset.Uid, _reservation.SnapshotMark));
        if (!_directory.Ledger.IsSnapshotOf(_reservation, segments))
            throw _directory.Writer.Fail(76, "The segments of a reserved build are not those that were reserved.", null);
        Failpoint.Hit("build.aggregating");
        return segments;
    }

    /// <summary>
    /// For <see cref="Measurement.Invoke"/>: from here on the hold is not returned. Throws
    /// <see cref="OperationCanceledException"/> if <see cref="TryCancel"/> came first.
    /// </summary>
    public void EnterReleasing()
    {
        int before = Interlocked.CompareExchange(ref _stage, Releasing, Aggregating);
        if (before == Cancelled) throw new OperationCanceledException("the build was cancelled before noise was drawn");
        if (before == Releasing) throw new InvalidOperationException("the build has entered RELEASING already");
    }

    /// <summary>Stops the build at <see cref="EnterReleasing"/> and allows VOID; false if it is past that line.</summary>
    public bool TryCancel() => Interlocked.CompareExchange(ref _stage, Cancelled, Aggregating) != Releasing;
}
