using System.Security.Cryptography;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>A dataset with the key of its account in the database; null for one without.</summary>
sealed record StoredDataset(DatasetRow Row, long? AccountId);

/// <summary>Rows of datasets and segments in the database.</summary>
static class DatasetTable
{
    const string Select =
        """
        SELECT d.row_id, d.id, d.uid, d.definition, COALESCE(a.population, ''), d.display_name, d.description, d.state,
          d.created_s, d.version, (SELECT CAST(COALESCE(SUM(s.row_count), 0) AS BIGINT) FROM segments s WHERE s.dataset_uid = d.uid),
          (SELECT CAST(COALESCE(SUM(s.bytes), 0) AS BIGINT) FROM segments s WHERE s.dataset_uid = d.uid), d.account_id
        FROM datasets d LEFT JOIN accounts a ON a.account_id = d.account_id

        """;

    const string SegmentColumns = "segment_uid, file, row_count, bytes, encrypted, sha256";

    internal static StoredDataset? Find(DatabaseSession database, string id) =>
        database.First($"{Select} WHERE d.id = $1 ORDER BY d.row_id DESC LIMIT 1", Read, id);

    internal static StoredDataset Get(DatabaseSession database, string id) => Find(database, id) ?? throw NotFound($"datasets/{id}");

    internal static StoredDataset GetByUid(DatabaseSession database, string uid) =>
        database.First($"{Select} WHERE d.uid = $1", Read, uid) ?? throw NotFound("datasets");

    /// <summary>The dataset of this id if it is there and not deleted.</summary>
    internal static StoredDataset GetActive(DatabaseSession database, string id)
    {
        StoredDataset dataset = Get(database, id);
        return dataset.Row.State == DatasetState.Active
            ? dataset
            : throw new StorageException(Reasons.DatasetDeleted, "The dataset is deleted.");
    }

    internal static List<StoredDataset> All(DatabaseSession database) => database.Query($"{Select} ORDER BY d.row_id", Read);

    internal static HashSet<string> ActiveUids(DatabaseSession database) =>
        [.. database.Query("SELECT uid FROM datasets WHERE state = 1", static r => r.GetString(0))];

    internal static List<StoredDataset> List(DatabaseSession database, (string Id, long Row)? after, int count, bool showDeleted) =>
        database.Query(
            $"{Select} WHERE (d.id, d.row_id) > ($1, $2) AND ($3 = 1 OR d.state = 1) ORDER BY d.id, d.row_id LIMIT $4",
            Read, after?.Id ?? "", after?.Row ?? 0, showDeleted ? 1 : 0, count);

    internal static List<SegmentRow> Segments(DatabaseSession database, string uid, long mark = long.MaxValue) =>
        database.Query(
            $"SELECT {SegmentColumns} FROM segments WHERE dataset_uid = $1 AND commit_no <= $2 ORDER BY commit_no",
            ReadSegment, uid, mark);

    /// <summary>Number of the last commit, 0 for none, and all segments up to it.</summary>
    internal static (long Mark, List<SegmentRow> Segments) Snapshot(DatabaseSession database, string uid)
    {
        long mark = 0;
        List<SegmentRow> segments = database.Query(
            $"SELECT {SegmentColumns}, commit_no FROM segments WHERE dataset_uid = $1 ORDER BY commit_no",
            r =>
            {
                mark = r.GetInt64(6);
                return ReadSegment(r);
            },
            uid);
        return (mark, segments);
    }

    /// <summary>Names of the datasets that have rows in the clear.</summary>
    internal static List<string> InClear(DatabaseSession database) => database.Query(
        """
        SELECT DISTINCT d.id FROM datasets d JOIN segments s ON s.dataset_uid = d.uid
          WHERE d.state = 1 AND s.encrypted = 0 ORDER BY d.id
        """,
        static r => r.GetString(0));

    internal static long LastCommit(DatabaseSession database, string uid) =>
        database.Number("SELECT MAX(commit_no) FROM segments WHERE dataset_uid = $1", uid);

    internal static DatasetRow Create(Transaction t, NewDataset dataset, Account? account)
    {
        string uid = Guid.NewGuid().ToString();
        byte[] definition = dataset.Definition.ToBytes();
        t.Database.Execute(
            """
            INSERT INTO datasets (id, uid, account_id, definition, display_name, description, state, created_s, version)
              VALUES ($1, $2, $3, $4, $5, $6, 1, $7, 1)
            """,
            dataset.Id, uid, account?.Id, definition, dataset.DisplayName, dataset.Description, t.Time);
        if (account is not null)
            t.Append(account, LedgerEntryKind.Dataset, 0, new()
            {
                Dataset = dataset.Id,
                DatasetUid = uid,
                DefinitionSha256 = SHA256.HashData(definition),
            });
        return GetByUid(t.Database, uid).Row;
    }

    /// <summary>Marks a dataset as deleted and forgets its rows; the caller deletes their files afterwards.</summary>
    internal static DatasetRow Bury(Transaction t, StoredDataset dataset)
    {
        DatasetRow row = dataset.Row;
        t.Database.Execute("DELETE FROM segments WHERE dataset_uid = $1", row.Uid);
        t.Database.Execute("DELETE FROM uploads WHERE dataset_uid = $1", row.Uid);
        CellTable.Delete(t.Database, row.Uid, null);
        KeyTable.Delete(t.Database, row.Uid);
        t.Database.Execute("UPDATE datasets SET state = 2, version = version + 1 WHERE uid = $1", row.Uid);
        if (dataset.AccountId is { } account)
            t.Append(
                AccountTable.Get(t.Database, account), LedgerEntryKind.Tombstone, 0, new() { Dataset = row.Id, DatasetUid = row.Uid });
        return GetByUid(t.Database, row.Uid).Row;
    }

    /// <summary>The population that the last private dataset of this id paid from; empty if there was none.</summary>
    internal static string EarlierPopulation(DatabaseSession database, string id) => database.Text(
        """
        SELECT a.population FROM datasets d JOIN accounts a ON a.account_id = d.account_id WHERE d.id = $1
          ORDER BY d.row_id DESC LIMIT 1
        """,
        id);

    internal static StorageException NotFound(string resource) => new(
        Reasons.ResourceNotFound, "There is no such resource, or no grant for it.",
        new Dictionary<string, string> { ["resource"] = resource });

    internal static void CheckEtag(string asked, string current)
    {
        if (asked.Length > 0 && asked != current)
            throw new StorageException(
                Reasons.EtagMismatch, "The resource has changed since it was read; read it again and decide.",
                new Dictionary<string, string> { ["etag"] = current });
    }

    static SegmentRow ReadSegment(DbDataReader r) => new(
        new Guid((byte[])r[0]), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4) != 0, (byte[])r[5]);

    static StoredDataset Read(DbDataReader r) => new(
        new(
            r.GetInt64(0), r.GetString(1), r.GetString(2), DatasetDefinition.FromBytes((byte[])r[3]), r.GetString(4), r.GetString(5),
            r.GetString(6), (DatasetState)r.GetInt64(7), DateTimeOffset.FromUnixTimeSeconds(r.GetInt64(8)), r.GetInt64(9),
            r.GetInt64(10), r.GetInt64(11)),
        r.IsDBNull(12) ? null : r.GetInt64(12));
}
