using System.Security.Cryptography;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>
/// The durable account of what was disclosed: reserve, build, save, post. The only issuer of <see cref="Receipt"/>.
/// </summary>
/// <remarks>
/// Guarantee: a receipt exists only after its RESERVE entry is on disk and in the witness; the sum of posted and held
/// units never exceeds the limit; and each reservation lets one draw of noise be read, because POST needs the current attempt.
/// </remarks>
public sealed class Ledger
{
    readonly DataDirectory _directory;
    readonly byte[] _macKey;

    internal Ledger(DataDirectory directory, byte[] macKey) => (_directory, _macKey) = (directory, macKey);

    /// <summary>Last entry that is durable and witnessed.</summary>
    public LedgerPosition Head => _directory.Replica.Head;

    /// <summary>
    /// Holds the price and gives the right to build. A repeated request gets the same release and operation, and no
    /// second right. BUDGET_EXHAUSTED if the price is above what remains; BUDGET_KIND_MISMATCH, RELEASE_EXISTS,
    /// REQUEST_ID_REUSED, DATASET_DELETED; STORAGE_FULL where there is no room for the file, since a build that cannot save what
    /// it drew ends the process.
    /// </summary>
    public async Task<Reservation> ReserveAsync(ReserveRequest request)
    {
        ResourceId.Check("release_id", request.ReleaseId);
        if (request.Cost.Units < 1) throw new InvalidFieldException("cost.units", request.Cost.Units, "must be at least 1");
        (ReservationRow reservation, DatasetRow? newFor, Reservation result) = await _directory.Writer.SubmitAsync(
            "reserve", t => Reserve(t, request), request.Call.ValidateOnly).ConfigureAwait(false);
        return newFor is not null && !request.Call.ValidateOnly
            ? result with
            {
                Build = _directory.Replica.Begin(new(_directory, reservation, result.Release, newFor, result.Operation, request.Fingerprint)),
            }
            : result;
    }

    /// <summary>Turns the hold into a spend and makes the saved release READY.</summary>
    public async Task<ReleaseRow> PostAsync(Build build, SavedRelease saved)
    {
        ReleaseRow release = await _directory.Replica.PostAsync(build.ReservationId, build.Attempt, saved).ConfigureAwait(false);
        _directory.Replica.End(build);
        _directory.Durably("post", () => _directory.Publish(build.ReservationId, build.Attempt, release.Uid));
        return release;
    }

    /// <summary>
    /// Returns the hold of a build that has not entered RELEASING; its release becomes FAILED with this error.
    /// Throws <see cref="InvalidOperationException"/> once noise may exist.
    /// </summary>
    public async Task VoidAsync(Build build, string errorReason, string errorMessage)
    {
        if (!build.TryCancel()) throw new InvalidOperationException("noise may have been drawn: the hold is not returned");
        await _directory.Writer.SubmitAsync(
            "void", t => ReservationTable.Void(t, build.ReservationId, build.Attempt, errorReason, errorMessage)).ConfigureAwait(false);
        _directory.Replica.End(build);
    }

    /// <summary>
    /// The next attempt of a build that failed after RELEASING in this process: what it drew is deleted unread, and the
    /// old attempt can no longer post.
    /// </summary>
    public async Task<Build> RestartAsync(Build build)
    {
        _directory.Durably("restart", () => Disk.Delete(_directory.PendingPath(build.ReservationId, build.Attempt)));
        ReservationRow reservation = await _directory.Writer.SubmitAsync(
            "claim", t => ReservationTable.Claim(t, build.ReservationId, build.Attempt)).ConfigureAwait(false);
        return _directory.Replica.NewBuild(reservation, build.Receipt.Fingerprint);
    }

    /// <summary>Entries after a sequence number, oldest first; of the account of one dataset, or of all if null.</summary>
    public IReadOnlyList<LedgerRow> ListEntries(string? datasetId, long afterSequence, int count) => _directory.Read(d =>
    {
        long? account = datasetId is null ? null : DatasetTable.Get(d, datasetId).AccountId ?? 0;
        // Entries beyond the witnessed head were not acknowledged yet.
        return LedgerEntries.Read(d, Head.LedgerId, account, afterSequence, Head.Sequence, count);
    });

    /// <summary>
    /// The account of a dataset as DpEvents in JSON (<see cref="PrivacyEvents"/>), with the certified head it stands for.
    /// ACCOUNT_MISMATCH for a dataset without an account.
    /// </summary>
    public (string Json, LedgerCertificate Head) ExportEvents(string datasetId) => _directory.Read(d =>
    {
        LedgerPosition head = Head;
        long id = DatasetTable.Get(d, datasetId).AccountId
            ?? throw AccountTable.NoAccount();
        List<LedgerRow> entries = LedgerEntries.Read(d, head.LedgerId, id, 0, head.Sequence, int.MaxValue);
        LedgerCertificate certificate = Certify(head);
        return (PrivacyEvents.ToJson(AccountTable.Get(d, id).Row, entries, certificate), certificate);
    });

    /// <summary>Signs a position as it leaves the server.</summary>
    public LedgerCertificate Certify(LedgerPosition position) => new(position, HashChain.Mac(_macKey, position));

    /// <summary>Whether these are the segments that a reservation was made for.</summary>
    internal bool IsSnapshotOf(ReservationRow reservation, IEnumerable<SegmentRow> segments) => CryptographicOperations.FixedTimeEquals(
        HashChain.SnapshotDigest(_macKey, reservation.Id.Span, segments), reservation.SnapshotDigest.Span);

    /// <summary>Whether this ledger signed it.</summary>
    public bool IsGenuine(LedgerCertificate certificate) =>
        CryptographicOperations.FixedTimeEquals(certificate.Mac.Span, HashChain.Mac(_macKey, certificate.Position));

    (ReservationRow, DatasetRow? NewFor, Reservation) Reserve(Transaction t, ReserveRequest request)
    {
        DatabaseSession database = t.Database;
        if (ReservationTable.FindByRequest(database, request.Call.Parent, request.Call.RequestId) is { } earlier)
            return earlier.RequestHash.Span.SequenceEqual(request.Call.RequestHash.Span)
                ? (earlier, null, Result(database, earlier))
                : throw Transaction.Reused();
        StoredDataset dataset = DatasetTable.GetActive(database, request.DatasetId);
        if (dataset.AccountId is not { } accountId)
            throw AccountTable.NoAccount();
        Account account = AccountTable.Get(database, accountId);
        if (account.Row.Unit != request.Cost.Unit)
            throw new StorageException(
                Reasons.BudgetKindMismatch, "The account does not count in the unit of this price; use another mechanism.",
                new Dictionary<string, string> { ["allowed"] = account.Row.Unit == CostUnit.Epsilon ? "laplace" : "gaussian,laplace" });
        if (ReleaseTable.IsTaken(database, request.DatasetId, request.ReleaseId))
            throw new StorageException(
                Reasons.ReleaseExists, "The release exists or existed; its name is not free again.",
                new Dictionary<string, string> { ["resource"] = $"{dataset.Row.Name}/releases/{request.ReleaseId}" });
        _directory.CheckSpace(_directory.ReleasesPath, request.FileBytes);
        // Counted in a column: counting rows would make every reservation dearer than the one before.
        if (database.Execute(
            "UPDATE datasets SET release_count = release_count + 1 WHERE uid = $1 AND release_count < $2",
            dataset.Row.Uid, _directory.Options.MaxReleasesPerDataset) != 1)
            throw DataDirectory.LimitReached("releases", _directory.Options.MaxReleasesPerDataset);
        (ReservationRow reservation, Reservation result) = ReservationTable.Reserve(t, request, dataset, account, _macKey);
        return (reservation, dataset.Row, result);
    }

    static Reservation Result(DatabaseSession database, ReservationRow reservation)
    {
        ReleaseRow release = ReleaseTable.GetByReservation(database, reservation.Id);
        OperationRow operation = ReleaseTable.FindOperation(database, release.OperationUid)
            ?? new(release.OperationUid, release.DatasetId, release.Name, "", release.CreateTime, release.CreateTime, "", "");
        return new(release, operation, AccountTable.Get(database, reservation.AccountId).Row, null);
    }
}

/// <summary>Entries of the ledger as the database has them.</summary>
static class LedgerEntries
{
    internal static List<LedgerRow> Read(
        DatabaseSession database, ReadOnlyMemory<byte> ledgerId, long? accountId, long after, long last, int count) =>
        database.Query(
            """
            SELECT seq, epoch, account_id, kind, units, at_s, body, previous_hash, hash FROM ledger
              WHERE seq > $1 AND seq <= $2 AND (CAST($3 AS BIGINT) IS NULL OR account_id = $3) ORDER BY seq LIMIT $4
            """,
            r => Row(r, ledgerId), after, last, accountId, count);

    static LedgerRow Row(DbDataReader r, ReadOnlyMemory<byte> ledgerId)
    {
        var (body, previous, hash) = ((byte[])r[6], (byte[])r[7], (byte[])r[8]);
        var kind = (LedgerEntryKind)r.GetInt64(3);
        byte[] canonical = HashChain.Canonical(
            ledgerId.Span, r.GetInt64(1), r.GetInt64(0), r.GetInt64(2), kind, r.GetInt64(4), r.GetInt64(5), body, previous);
        return new(
            new(ledgerId, r.GetInt64(1), r.GetInt64(0), hash), previous, kind, r.GetInt64(4),
            DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(5)), LedgerEntryBody.FromBytes(body), canonical)
        {
            AccountId = r.GetInt64(2),
        };
    }
}
