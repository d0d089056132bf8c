namespace PrivateKernels.Storage;

/// <summary>A checkpoint of an upload: the file that counts.</summary>
sealed record CheckpointRow(string DatasetUid, string UploadId, Guid Uid, ulong Sequence)
{
    internal string File => CellTable.FileName(UploadId, Uid, "cells");
}

/// <summary>
/// Which files of cells count: of each upload under way its last checkpoint, of each dataset the sums of every generation
/// that is the last or that a build may still read. Generations are the segments of a one-pass dataset.
/// </summary>
static class CellTable
{
    internal static string FileName(string uploadId, Guid uid, string kind) => $"{uploadId}.{uid:N}.{kind}";

    internal static CheckpointRow? Find(DatabaseSession database, string datasetUid, string uploadId) => database.First(
        "SELECT uid, sequence FROM checkpoints WHERE dataset_uid = $1 AND upload_id = $2",
        r => new CheckpointRow(datasetUid, uploadId, new Guid((byte[])r[0]), (ulong)r.GetInt64(1)), datasetUid, uploadId);

    internal static List<CheckpointRow> Checkpoints(DatabaseSession database) => database.Query(
        "SELECT dataset_uid, upload_id, uid, sequence FROM checkpoints",
        static r => new CheckpointRow(r.GetString(0), r.GetString(1), new Guid((byte[])r[2]), (ulong)r.GetInt64(3)));

    /// <summary>
    /// From its commit on the new checkpoint counts and the old one does not; false if the one that counts is not
    /// <paramref name="old"/>, because another server goes on with the upload.
    /// </summary>
    internal static bool Swap(DatabaseSession database, CheckpointRow? old, CheckpointRow row) => old is null
        ? database.Execute(
            "INSERT INTO checkpoints (dataset_uid, upload_id, uid, sequence) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            row.DatasetUid, row.UploadId, row.Uid.ToByteArray(), (long)row.Sequence) == 1
        : database.Execute(
            "UPDATE checkpoints SET uid = $1, sequence = $2 WHERE dataset_uid = $3 AND upload_id = $4 AND uid = $5",
            row.Uid.ToByteArray(), (long)row.Sequence, row.DatasetUid, row.UploadId, old.Uid.ToByteArray()) == 1;

    internal static void Delete(DatabaseSession database, string datasetUid, string? uploadId) => database.Execute(
        "DELETE FROM checkpoints WHERE dataset_uid = $1 AND (CAST($2 AS TEXT) IS NULL OR upload_id = $2)", datasetUid, uploadId);

    /// <summary>
    /// The newest sums of a dataset, with the number of their generation; null before the first upload is finished. Read by one
    /// statement: between two another server may commit, and its generation would be taken for the one that these sums hold.
    /// </summary>
    internal static (SegmentRow Segment, long Generation)? Last(DatabaseSession database, string datasetUid) =>
        DatasetTable.Snapshot(database, datasetUid) is (var mark, [.., var last]) ? (last, mark) : null;

    /// <summary>Forgets the files of generations that no build reads any more.</summary>
    internal static int ForgetSuperseded(DatabaseSession database, string datasetUid) => database.Execute(
        """
        UPDATE segments SET file = '', bytes = 0 WHERE dataset_uid = $1 AND bytes > 0
          AND commit_no < (SELECT MAX(commit_no) FROM segments WHERE dataset_uid = $1)
          AND commit_no NOT IN (SELECT v.snapshot_mark FROM reservations v JOIN releases r ON r.reservation_id = v.reservation_id
            WHERE v.state = 1 AND r.dataset_uid = $1)
        """,
        datasetUid);

    /// <summary>Names of the files of cells that count.</summary>
    internal static HashSet<string> Files(DatabaseSession database, string datasetUid) =>
    [
        .. database.Query("SELECT file FROM segments WHERE dataset_uid = $1 AND bytes > 0", static r => r.GetString(0), datasetUid),
        .. database.Query(
            "SELECT upload_id, uid FROM checkpoints WHERE dataset_uid = $1",
            static r => FileName(r.GetString(0), new Guid((byte[])r[1]), "cells"), datasetUid),
    ];
}
