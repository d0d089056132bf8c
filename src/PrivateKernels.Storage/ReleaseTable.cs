using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>Rows of releases and operations in the database.</summary>
static class ReleaseTable
{
    const string Select =
        """
        SELECT r.row_id, r.dataset_id, r.dataset_uid, r.id, r.uid, r.spec, a.unit, v.units, r.mechanism, r.noise_scale,
          r.sensitivity, r.state, r.operation_uid, r.created_s, r.ready_s, r.sha256, r.size_bytes, b.epoch, b.seq, b.hash,
          p.epoch, p.seq, p.hash, r.version, h.ledger_id
        FROM releases r JOIN reservations v ON v.reservation_id = r.reservation_id
          JOIN accounts a ON a.account_id = v.account_id JOIN ledger b ON b.seq = v.reserve_seq
          LEFT JOIN ledger p ON p.seq = v.resolve_seq AND v.state = 2 JOIN ledger_head h ON h.id = 1

        """;

    internal static ReleaseRow? FindByName(DatabaseSession database, string datasetId, string id) =>
        // A failed one gives way to the one that took its name.
        database.First($"{Select} WHERE r.dataset_id = $1 AND r.id = $2 ORDER BY r.row_id DESC LIMIT 1", Read, datasetId, id);

    internal static ReleaseRow GetByReservation(DatabaseSession database, ReadOnlyMemory<byte> reservationId) =>
        database.First($"{Select} WHERE r.reservation_id = $1", Read, reservationId)
        ?? throw new StorageException(Reasons.LedgerCorrupt, "A reservation has no release.");

    /// <summary>Whether a name is in use or was: that of a failed build is free again.</summary>
    internal static bool IsTaken(DatabaseSession database, string datasetId, string id) =>
        database.Number("SELECT COUNT(*) FROM releases WHERE dataset_id = $1 AND id = $2 AND state <> 3", datasetId, id) > 0;

    /// <summary>The release of a reservation that is made now.</summary>
    internal static ReleaseRow Insert(
        Transaction t, ReserveRequest request, DatasetRow dataset, ReservationRow reservation, LedgerPosition at, string operationUid)
    {
        long row = t.Database.Number(
            """
            INSERT INTO releases (uid, dataset_id, dataset_uid, id, reservation_id, spec, mechanism, noise_scale, sensitivity, state,
              operation_uid, created_s, sha256, size_bytes, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12, 0, 1)
              RETURNING row_id
            """,
            reservation.ReleaseUid, dataset.Id, dataset.Uid, request.ReleaseId, reservation.Id, request.Spec, request.Mechanism,
            request.NoiseScale, request.Sensitivity, operationUid, t.Time, Array.Empty<byte>());
        return new(
            row, dataset.Id, dataset.Uid, request.ReleaseId, reservation.ReleaseUid!, request.Spec, request.Cost, request.Mechanism,
            request.NoiseScale, request.Sensitivity, ReleaseState.Building, operationUid, t.Second, null, ReadOnlyMemory<byte>.Empty, 0,
            at, null, 1);
    }

    /// <summary>An operation that begins now.</summary>
    internal static OperationRow InsertOperation(Transaction t, string uid, string datasetId, string target, string creator)
    {
        t.Database.Execute(
            """
            INSERT INTO operations (uid, dataset_id, target, creator, created_s, error_reason, error_message)
              VALUES ($1, $2, $3, $4, $5, '', '')
            """,
            uid, datasetId, target, creator, t.Time);
        return new(uid, datasetId, target, creator, t.Second, null, "", "");
    }

    internal static List<ReleaseRow> List(
        DatabaseSession database, string datasetUid, long? beforeRow, int count, IReadOnlyCollection<ReleaseState> states)
    {
        string wanted = string.Join(", ", states.Select(static s => (int)s));
        return database.Query(
            $"{Select} WHERE r.dataset_uid = $1 AND r.row_id < $2 AND r.state IN ({wanted}) ORDER BY r.row_id DESC LIMIT $3",
            Read, datasetUid, beforeRow ?? long.MaxValue, count);
    }

    internal static List<ReleaseRow> All(DatabaseSession database) => database.Query($"{Select} ORDER BY r.row_id", Read);

    internal static OperationRow? FindOperation(DatabaseSession database, string uid) =>
        database.First($"{SelectOperation} WHERE uid = $1", ReadOperation, uid);

    internal static List<OperationRow> ListOperations(
        DatabaseSession database, string? datasetId, ListPlace? after, int count) =>
        database.Query(
            $"""
            {SelectOperation} WHERE (created_s < $1 OR (created_s = $1 AND uid > $2))
            AND (CAST($3 AS TEXT) IS NULL OR dataset_id = $3) ORDER BY created_s DESC, uid LIMIT $4
            """,
            ReadOperation, after?.CreateSeconds ?? long.MaxValue, after?.Uid ?? "", datasetId, count);

    internal static void EndOperation(Transaction t, string uid, string errorReason, string errorMessage) =>
        t.Database.Execute(
            "UPDATE operations SET ended_s = $1, error_reason = $2, error_message = $3 WHERE uid = $4",
            t.Time, errorReason, errorMessage, uid);

    const string SelectOperation =
        "SELECT uid, dataset_id, target, creator, created_s, ended_s, error_reason, error_message FROM operations";

    static OperationRow ReadOperation(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), Time(r, 4)!.Value, Time(r, 5), r.GetString(6), r.GetString(7));

    static ReleaseRow Read(DbDataReader r)
    {
        var ledgerId = (byte[])r[24];
        LedgerPosition reservedAt = new(ledgerId, r.GetInt64(17), r.GetInt64(18), (byte[])r[19]);
        LedgerPosition? postedAt = r.IsDBNull(20) ? null : new(ledgerId, r.GetInt64(20), r.GetInt64(21), (byte[])r[22]);
        return new(
            r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), (byte[])r[5],
            new PrivacyCost((CostUnit)r.GetInt64(6), r.GetInt64(7)), (MechanismKind)r.GetInt64(8), r.GetDouble(9), r.GetDouble(10),
            (ReleaseState)r.GetInt64(11), r.GetString(12), Time(r, 13)!.Value, Time(r, 14), (byte[])r[15], r.GetInt64(16),
            reservedAt, postedAt, r.GetInt64(23));
    }

    internal static DateTimeOffset? Time(DbDataReader r, int column) =>
        r.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(column));
}
