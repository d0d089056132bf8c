using System.Data.Common;

namespace PrivateKernels.Storage;

enum ReservationState
{
    Reserved = 1,
    Posted = 2,
    Void = 3,
    ChargedByRecover = 4,
}

/// <summary>A reservation as stored.</summary>
sealed record ReservationRow(
    ReadOnlyMemory<byte> Id, long AccountId, string Parent, string RequestId, ReadOnlyMemory<byte> RequestHash, long Units,
    ReservationState State, long SnapshotMark, ReadOnlyMemory<byte> SnapshotDigest, int Attempt, long ReserveSequence,
    long? ResolveSequence, string? ReleaseUid, ReadOnlyMemory<byte> ReleaseSha256);

/// <summary>The protocol of a spend: reserve, claim the next attempt, post, void. Each runs inside one transaction.</summary>
static class ReservationTable
{
    const string Select =
        """
        SELECT reservation_id, account_id, parent, request_id, request_hash, units, state, snapshot_mark, snapshot_digest, attempt,
          reserve_seq, resolve_seq, release_uid, release_sha256 FROM reservations

        """;

    internal static ReservationRow? FindByRequest(DatabaseSession database, string parent, string requestId) =>
        database.First($"{Select} WHERE parent = $1 AND request_id = $2", Read, parent, requestId);

    internal static ReservationRow? Find(DatabaseSession database, ReadOnlyMemory<byte> id) =>
        database.First($"{Select} WHERE reservation_id = $1", Read, id);

    internal static ReservationRow Get(DatabaseSession database, ReadOnlyMemory<byte> id) =>
        Find(database, id)
        ?? throw new InvalidOperationException("the reservation is not of this ledger");

    internal static ReservationRow GetByRelease(DatabaseSession database, string releaseUid) =>
        database.First($"{Select} WHERE release_uid = $1", Read, releaseUid)
        ?? throw new StorageException(Reasons.LedgerCorrupt, "A release has no reservation.");

    internal static List<ReservationRow> All(DatabaseSession database) =>
        database.Query($"{Select} ORDER BY reserve_seq", Read);

    /// <summary>All, in any order, one by one.</summary>
    internal static IEnumerable<ReservationRow> Stream(DatabaseSession database) => database.Stream(Select, Read);

    internal static List<ReservationRow> Open(DatabaseSession database) =>
        database.Query($"{Select} WHERE state = 1 ORDER BY reserve_seq", Read);

    /// <summary>
    /// Holds the price and records what it is for. The caller has checked idempotency. What it returns is what is stored.
    /// Guarantee: no cell of the release can overflow, whatever limits were in force when its records came (LIMIT_EXCEEDED).
    /// </summary>
    internal static (ReservationRow, Reservation) Reserve(
        Transaction t, ReserveRequest request, StoredDataset dataset, Account account, ReadOnlySpan<byte> macKey)
    {
        DatabaseSession database = t.Database;
        DatasetRow row = dataset.Row;
        if (row.RecordCount > request.MaxRecords)
            throw BatchCheck.Refused(
                Reasons.LimitExceeded,
                "The dataset holds more records than the cells of this sketch can; ask for another sketch, or for fewer features.",
                ("limit", "records"), ("value", request.MaxRecords));
        account = AccountTable.Hold(t, account, request.Cost.Units);
        byte[] id = Guid.NewGuid().ToByteArray();
        string releaseUid = Guid.NewGuid().ToString(), operationUid = Guid.NewGuid().ToString();
        (long mark, List<SegmentRow> segments) = DatasetTable.Snapshot(database, row.Uid);
        byte[] digest = HashChain.SnapshotDigest(macKey, id, segments);
        LedgerPosition at = t.Append(account, LedgerEntryKind.Reserve, request.Cost.Units, new()
        {
            Dataset = row.Id,
            DatasetUid = row.Uid,
            Release = request.ReleaseId,
            ReleaseUid = releaseUid,
            ReservationId = id,
            RequestId = request.Call.RequestId,
            RequestHash = request.Call.RequestHash,
            SnapshotDigest = digest,
            Fingerprint = request.Fingerprint,
            Mechanism = request.Mechanism,
            NoiseScale = request.NoiseScale,
            Sensitivity = request.Sensitivity,
        });
        database.Execute(
            """
            INSERT INTO reservations (reservation_id, account_id, parent, request_id, request_hash, units, state, snapshot_mark,
              snapshot_digest, attempt, reserve_seq, release_uid, lease_until_s)
              VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, 1, $9, $10, $11)
            """,
            id, account.Id, request.Call.Parent, request.Call.RequestId, request.Call.RequestHash, request.Cost.Units, mark, digest,
            at.Sequence, releaseUid, t.LeaseUntil);
        var reservation = new ReservationRow(
            id, account.Id, request.Call.Parent, request.Call.RequestId, request.Call.RequestHash, request.Cost.Units,
            ReservationState.Reserved, mark, digest, 1, at.Sequence, null, releaseUid, ReadOnlyMemory<byte>.Empty);
        ReleaseRow release = ReleaseTable.Insert(t, request, row, reservation, at, operationUid);
        OperationRow operation = ReleaseTable.InsertOperation(t, operationUid, row.Id, release.Name, request.Creator);
        return (reservation, new(release, operation, account.Row, null));
    }

    /// <summary>Takes the next attempt; the holder of this one can neither post nor void any more.</summary>
    internal static ReservationRow Claim(Transaction t, ReadOnlyMemory<byte> id, int attempt) =>
        t.Database.Execute(
            "UPDATE reservations SET attempt = attempt + 1, lease_until_s = $3 WHERE reservation_id = $1 AND state = 1 AND attempt = $2",
            id, attempt, t.LeaseUntil) == 1
            ? Get(t.Database, id)
            : throw Lost();

    /// <summary>Takes the next attempt of every build whose server gave no sign of life for the time of its lease.</summary>
    internal static List<ReservationRow> ClaimExpired(Transaction t) =>
        t.Database.Query($"{Select} WHERE state = 1 AND lease_until_s < $1 ORDER BY reserve_seq", Read, t.Time)
            .ConvertAll(r => Claim(t, r.Id, r.Attempt));

    internal static bool HasExpired(DatabaseSession database, DateTimeOffset now) =>
        database.Number("SELECT COUNT(*) FROM reservations WHERE state = 1 AND lease_until_s < $1", now) > 0;

    /// <summary>A sign of life; false if the attempt is no longer the current one.</summary>
    internal static bool Renew(Transaction t, ReadOnlyMemory<byte> id, int attempt) => t.Database.Execute(
        "UPDATE reservations SET lease_until_s = $1 WHERE reservation_id = $2 AND state = 1 AND attempt = $3", t.LeaseUntil, id, attempt) == 1;

    /// <summary>Guarantee: succeeds for one attempt of a reservation, once; from its commit on that draw is the release.</summary>
    internal static ReleaseRow Post(Transaction t, ReadOnlyMemory<byte> id, int attempt, SavedRelease saved)
    {
        ReservationRow reservation = Get(t.Database, id);
        long sequence = t.Head.Sequence + 1;
        if (t.Database.Execute(
            "UPDATE reservations SET state = 2, resolve_seq = $1, release_sha256 = $2 WHERE reservation_id = $3 AND state = 1 AND attempt = $4",
            sequence, saved.Sha256, id, attempt) != 1)
            throw Lost();
        ReleaseRow release = ReleaseTable.GetByReservation(t.Database, id);
        Account account = AccountTable.Spend(t, reservation.AccountId, reservation.Units);
        t.Append(account, LedgerEntryKind.Post, reservation.Units, Resolved(release, id) with { ReleaseSha256 = saved.Sha256 });
        t.Database.Execute(
            "UPDATE releases SET state = 2, ready_s = $1, sha256 = $2, size_bytes = $3, version = version + 1 WHERE uid = $4",
            t.Time, saved.Sha256, saved.SizeBytes, release.Uid);
        ReleaseTable.EndOperation(t, release.OperationUid, "", "");
        return ReleaseTable.GetByReservation(t.Database, id);
    }

    /// <summary>Returns the hold. The caller knows that no noise of this attempt exists.</summary>
    internal static ReleaseRow Void(Transaction t, ReadOnlyMemory<byte> id, int attempt, string errorReason, string errorMessage)
    {
        ReservationRow reservation = Get(t.Database, id);
        long sequence = t.Head.Sequence + 1;
        if (t.Database.Execute(
            "UPDATE reservations SET state = 3, resolve_seq = $1 WHERE reservation_id = $2 AND state = 1 AND attempt = $3",
            sequence, id, attempt) != 1)
            throw Lost();
        ReleaseRow release = ReleaseTable.GetByReservation(t.Database, id);
        Account account = AccountTable.Return(t, reservation.AccountId, reservation.Units);
        t.Append(account, LedgerEntryKind.Void, reservation.Units, Resolved(release, id));
        t.Database.Execute("UPDATE releases SET state = 3, version = version + 1 WHERE uid = $1", release.Uid);
        ReleaseTable.EndOperation(t, release.OperationUid, errorReason, errorMessage);
        return ReleaseTable.GetByReservation(t.Database, id);
    }

    /// <summary>
    /// Guarantee: whatever the lost ledger let out of an account is within what this entry charges, the whole limit; its
    /// open reservations are charged with it and never built, and their names are not free again.
    /// </summary>
    internal static void Recover(Transaction t, Account account, string reason, ReadOnlyMemory<byte> certificates)
    {
        Account after = AccountTable.Exhaust(t, account.Id);
        LedgerPosition at = t.Append(after, LedgerEntryKind.Recover, after.Row.SpentUnits - account.Row.SpentUnits, new()
        {
            Reason = reason,
            Certificates = certificates,
        });
        foreach (ReservationRow open in Open(t.Database).Where(r => r.AccountId == account.Id))
        {
            t.Database.Execute(
                "UPDATE reservations SET state = 4, resolve_seq = $1 WHERE reservation_id = $2 AND state = 1", at.Sequence, open.Id);
            ReleaseRow release = ReleaseTable.GetByReservation(t.Database, open.Id);
            t.Database.Execute("UPDATE releases SET state = 4, version = version + 1 WHERE uid = $1", release.Uid);
            ReleaseTable.EndOperation(t, release.OperationUid, "RECOVERED", "The ledger was restored; the build was charged and given up.");
        }
    }

    /// <summary>Records that a release's file is gone; the spend stays.</summary>
    internal static ReleaseRow Retire(Transaction t, ReleaseRow release)
    {
        long accountId = t.Database.Number(
            "SELECT v.account_id FROM reservations v JOIN releases r ON r.reservation_id = v.reservation_id WHERE r.uid = $1",
            release.Uid);
        t.Append(AccountTable.Get(t.Database, accountId), LedgerEntryKind.Retire, 0, Named(release));
        t.Database.Execute("UPDATE releases SET state = 4, version = version + 1 WHERE uid = $1", release.Uid);
        return ReleaseTable.FindByName(t.Database, release.DatasetId, release.Id)!;
    }

    static LedgerEntryBody Named(ReleaseRow release) => new()
    {
        Dataset = release.DatasetId,
        DatasetUid = release.DatasetUid,
        Release = release.Id,
        ReleaseUid = release.Uid,
    };

    static LedgerEntryBody Resolved(ReleaseRow release, ReadOnlyMemory<byte> id) => Named(release) with
    {
        ReservationId = id,
        Mechanism = release.Mechanism,
        NoiseScale = release.NoiseScale,
        Sensitivity = release.Sensitivity,
    };

    static InvalidOperationException Lost() => new("another attempt of this build owns its reservation, or it is resolved");

    static ReservationRow Read(DbDataReader r) => new(
        (byte[])r[0], r.GetInt64(1), r.GetString(2), r.GetString(3), (byte[])r[4], r.GetInt64(5), (ReservationState)r.GetInt64(6),
        r.GetInt64(7), (byte[])r[8], (int)r.GetInt64(9), r.GetInt64(10), r.IsDBNull(11) ? null : r.GetInt64(11),
        r.IsDBNull(12) ? null : r.GetString(12), r.IsDBNull(13) ? ReadOnlyMemory<byte>.Empty : (byte[])r[13]);
}
