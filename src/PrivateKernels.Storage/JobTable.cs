using System.Buffers.Binary;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>Rows of classification jobs in the database.</summary>
static class JobTable
{
    const string Select =
        """
        SELECT uid, dataset_id, dataset_uid, id, release_id, release_uid, query_id, query_uid, mark, score, excluded, creator,
          operation_uid, state, created_s, ended_s, row_count, labelled_count, correct_count FROM jobs

        """;

    internal static JobRow? FindByName(DatabaseSession database, string datasetId, string id) =>
        // A job of an earlier life of the dataset's id is gone with it.
        database.First($"{Select} WHERE dataset_id = $1 AND id = $2", Read, datasetId, id);

    internal static JobRow? FindByUid(DatabaseSession database, string uid) =>
        database.First($"{Select} WHERE uid = $1", Read, uid);

    internal static List<JobRow> List(DatabaseSession database, string datasetUid, ListPlace? after, int count) =>
        database.Query(
            $"""
            {Select} WHERE dataset_uid = $1 AND row_id < COALESCE((SELECT row_id FROM jobs WHERE uid = $2),
              (SELECT MAX(row_id) + 1 FROM jobs WHERE dataset_uid = $1 AND created_s <= $3)) ORDER BY row_id DESC LIMIT $4
            """,
            Read, datasetUid, after?.Uid ?? "", after?.CreateSeconds ?? long.MaxValue, count);

    internal static List<JobRow> All(DatabaseSession database) => database.Query($"{Select} ORDER BY row_id", Read);

    internal static List<JobRow> OfDataset(DatabaseSession database, string datasetUid) =>
        database.Query($"{Select} WHERE dataset_uid = $1 ORDER BY row_id", Read, datasetUid);

    internal static List<JobRow> EndedBefore(DatabaseSession database, DateTimeOffset time) =>
        database.Query($"{Select} WHERE ended_s < $1 ORDER BY row_id", Read, time);

    internal static JobRow Create(Transaction t, NewJob job, DatasetRow query)
    {
        string uid = Guid.NewGuid().ToString(), operationUid = Guid.NewGuid().ToString();
        ReleaseRow release = job.Release;
        t.Database.Execute(
            """
            INSERT INTO jobs (uid, dataset_id, dataset_uid, id, release_id, release_uid, query_id, query_uid, mark, score, excluded,
              creator, operation_uid, state, created_s, row_count, labelled_count, correct_count, lease_until_s)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, 0, 0, 0, $15)
            """,
            uid, release.DatasetId, release.DatasetUid, job.Id, release.Id, release.Uid, query.Id, query.Uid,
            DatasetTable.LastCommit(t.Database, query.Uid), (long)job.Score, Bytes(job.Excluded), job.Creator, operationUid, t.Time,
            t.JobLeaseUntil);
        JobRow row = FindByUid(t.Database, uid)!;
        ReleaseTable.InsertOperation(t, operationUid, row.DatasetId, row.Name, job.Creator);
        return row;
    }

    /// <summary>Jobs under way whose server gave no sign of life that reaches beyond a time.</summary>
    internal static List<JobRow> Due(DatabaseSession database, long seconds) =>
        database.Query($"{Select} WHERE state = 1 AND COALESCE(lease_until_s, 0) < $1 ORDER BY row_id", Read, seconds);

    /// <summary>A sign of life for a job that is under way.</summary>
    internal static void Renew(Transaction t, string uid) =>
        t.Database.Execute("UPDATE jobs SET lease_until_s = $1 WHERE uid = $2 AND state = 1", t.JobLeaseUntil, uid);

    /// <summary>Ends a job that is under way, with its operation; false if it has ended or is gone.</summary>
    internal static bool End(Transaction t, string uid, JobState state, JobCounts counts, string reason, string message)
    {
        if (FindByUid(t.Database, uid) is not { State: JobState.Queued } job) return false;
        t.Database.Execute(
            "UPDATE jobs SET state = $1, ended_s = $2, row_count = $3, labelled_count = $4, correct_count = $5 WHERE uid = $6",
            state, t.Time, counts.Rows, counts.Labelled, counts.Correct, uid);
        ReleaseTable.EndOperation(t, job.OperationUid, reason, message);
        return true;
    }

    /// <summary>Forgets a job with its operation.</summary>
    internal static void Delete(Transaction t, JobRow job)
    {
        t.Database.Execute("DELETE FROM jobs WHERE uid = $1", job.Uid);
        if (t.Dialect.IsShared) t.Database.Execute("DELETE FROM release_chunks WHERE uid = $1", job.Uid);
        t.Database.Execute("DELETE FROM operations WHERE uid = $1", job.OperationUid);
    }

    static byte[] Bytes(IReadOnlyList<int> classes)
    {
        var bytes = new byte[sizeof(int) * classes.Count];
        for (int i = 0; i < classes.Count; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(sizeof(int) * i), classes[i]);
        return bytes;
    }

    static int[] Classes(byte[] bytes)
    {
        var classes = new int[bytes.Length / sizeof(int)];
        for (int i = 0; i < classes.Length; i++) classes[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(sizeof(int) * i));
        return classes;
    }

    static JobRow Read(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetString(6),
        r.GetString(7), r.GetInt64(8), (int)r.GetInt64(9), Classes((byte[])r[10]), r.GetString(11), r.GetString(12),
        (JobState)r.GetInt64(13), ReleaseTable.Time(r, 14)!.Value, ReleaseTable.Time(r, 15),
        new(r.GetInt64(16), r.GetInt64(17), r.GetInt64(18)));
}
