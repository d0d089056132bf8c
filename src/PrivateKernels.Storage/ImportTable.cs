using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>Imported releases in the database: they have files and names, but neither reservation nor price here.</summary>
static class ImportTable
{
    const string Select =
        """
        SELECT row_id, dataset_id, dataset_uid, id, uid, spec, unit, units, mechanism, noise_scale, sensitivity, state, created_s,
          sha256, size_bytes, ledger_id, epoch, seq, hash, version FROM imports

        """;

    internal static ReleaseRow? FindByName(DatabaseSession database, string datasetId, string id) =>
        database.First($"{Select} WHERE dataset_id = $1 AND id = $2 ORDER BY row_id DESC LIMIT 1", Read, datasetId, id);

    internal static List<ReleaseRow> All(DatabaseSession database) => database.Query($"{Select} ORDER BY row_id", Read);

    internal static List<ReleaseRow> List(
        DatabaseSession database, string datasetUid, long? beforeRow, int count, IReadOnlyCollection<ReleaseState> states)
    {
        string wanted = string.Join(", ", states.Select(static s => (int)s));
        return database.Query(
            $"{Select} WHERE dataset_uid = $1 AND row_id < $2 AND state IN ({wanted}) ORDER BY row_id DESC LIMIT $3",
            Read, datasetUid, beforeRow ?? long.MaxValue, count);
    }

    internal static ReleaseRow Insert(Transaction t, DatasetRow dataset, ImportRequest request, string uid, byte[] sha256)
    {
        Release release = request.Release;
        LedgerPosition at = release.Provenance.ReservedAt;
        t.Database.Execute(
            """
            INSERT INTO imports (uid, dataset_id, dataset_uid, id, spec, unit, units, mechanism, noise_scale, sensitivity, state,
              created_s, sha256, size_bytes, ledger_id, epoch, seq, hash, version)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 2, $11, $12, $13, $14, $15, $16, $17, 1)
            """,
            uid, dataset.Id, dataset.Uid, request.ReleaseId, request.Spec, release.Provenance.Cost.Unit,
            release.Provenance.Cost.Units, release.Measurement.Strength.Mechanism, release.Measurement.Noise.Scale, request.Sensitivity,
            t.Time, sha256, request.File.Length, at.LedgerId, at.Epoch, at.Sequence, at.Hash);
        return FindByName(t.Database, dataset.Id, request.ReleaseId)!;
    }

    /// <summary>Its file is to be deleted; nothing was ever paid here.</summary>
    internal static ReleaseRow Retire(Transaction t, ReleaseRow release)
    {
        t.Database.Execute("UPDATE imports SET state = 4, version = version + 1 WHERE uid = $1", release.Uid);
        return FindByName(t.Database, release.DatasetId, release.Id)!;
    }

    static ReleaseRow Read(DbDataReader r)
    {
        DateTimeOffset time = ReleaseTable.Time(r, 12)!.Value;
        return new(
            r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), (byte[])r[5],
            new PrivacyCost((CostUnit)r.GetInt64(6), r.GetInt64(7)), (MechanismKind)r.GetInt64(8), r.GetDouble(9), r.GetDouble(10),
            (ReleaseState)r.GetInt64(11), "", time, time, (byte[])r[13], r.GetInt64(14),
            new((byte[])r[15], r.GetInt64(16), r.GetInt64(17), (byte[])r[18]), null, r.GetInt64(19))
        {
            Imported = true,
        };
    }
}
