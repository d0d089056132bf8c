using System.Security.Cryptography;
using Microsoft.Data.Sqlite;

namespace PrivateKernels.Storage;

/// <summary>What a backup holds.</summary>
public sealed record BackupReport(LedgerPosition Head, int Segments, int Releases, long Bytes);

/// <summary>
/// Copies of a data directory, or of a ledger in PostgreSQL with all that its servers share, made beside running servers or
/// without one.
/// </summary>
/// <remarks>
/// Guarantee: a copy is sealed before it has its name, and no server starts on a sealed one, so that a backup never spends
/// beside its original. Draws that were not posted (pending/) and keys of encryption are never copied.
/// </remarks>
public static class Backup
{
    const string Unfinished = "pk.db.part";

    /// <summary>
    /// Copies the ledger as it is at one moment, and the rows and releases that it names, into a directory that is empty
    /// or not there yet. What is copied is compared with its SHA-256; FILE_CORRUPT names what differs.
    /// </summary>
    /// <param name="path">Data directory.</param>
    /// <param name="options">A ledger in PostgreSQL is copied from there, and no file of the data directory.</param>
    /// <param name="to">Where the copy goes: a data directory to be, or what <see cref="Restore.Run"/> loads.</param>
    public static BackupReport Create(string path, StorageOptions options, string to) => LedgerCheck.Reading(() =>
    {
        if (options.Postgres is null) DataDirectory.CheckPresent(path);
        if (Directory.Exists(to) && Directory.EnumerateFileSystemEntries(to).Any())
            throw new InvalidFieldException("directory", to, "must be empty, or not there yet");
        Disk.CreateDirectory(to);
        return options.Postgres is { } postgres ? PostgresCopy.Write(new(postgres), to) : Make(path, to);
    });

    static BackupReport Make(string path, string to)
    {
        foreach (string part in DataDirectory.Parts) Disk.CreateDirectory(Path.Combine(to, part));
        string copy = Path.Combine(to, Unfinished);
        CopyDatabase(DataDirectory.DatabasePath(path), copy);
        BackupReport report;
        using (DatabaseSession database = new SqliteDialect(copy).Connect(writes: true))
        {
            database.Execute("UPDATE ledger_head SET sealed = 1");
            report = new(LedgerCheck.Verify(new SqliteDialect(copy), database).Head, 0, 0, 0);
            report = CopyReleases(database, path, to, CopyRows(database, path, to, report));
            // A checkpoint that was replaced meanwhile: its upload begins again.
            foreach (CheckpointRow row in CellTable.Checkpoints(database))
                if (!File.Exists(Path.Combine(to, "datasets", row.DatasetUid, row.File)))
                    CellTable.Delete(database, row.DatasetUid, row.UploadId);
            new SqliteDialect(copy).Settle(database);
        }
        using (FileStream file = Disk.Open(copy, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) Disk.Sync(file);
        File.Move(copy, DataDirectory.DatabasePath(to));
        Disk.SyncDirectory(to);
        return report;
    }

    internal static void CopyDatabase(string from, string to)
    {
        using var source = new SqliteConnection($"Data Source={from};Mode=ReadWrite;Pooling=False");
        using var target = new SqliteConnection($"Data Source={to};Pooling=False");
        source.Open();
        target.Open();
        source.BackupDatabase(target);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(to, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>
    /// Every file of a dataset that was there: segments, and what an unfinished upload has so far, which may be torn and is
    /// cut when it is resumed.
    /// </summary>
    static BackupReport CopyRows(DatabaseSession database, string path, string to, BackupReport report)
    {
        foreach (StoredDataset dataset in DatasetTable.All(database).Where(static d => d.Row.State == DatasetState.Active))
        {
            string source = Path.Combine(path, "datasets", dataset.Row.Uid), target = Path.Combine(to, "datasets", dataset.Row.Uid);
            Dictionary<string, SegmentRow> segments =
                DatasetTable.Segments(database, dataset.Row.Uid).Where(static s => s.Bytes > 0).ToDictionary(static s => s.File);
            if (!Directory.Exists(source) && segments.Count == 0) continue;
            Disk.CreateDirectory(target);
            foreach (string name in Directory.GetFiles(source).Select(static f => Path.GetFileName(f)).Union(segments.Keys))
            {
                SegmentRow? segment = segments.GetValueOrDefault(name);
                long bytes = Copy([Path.Combine(source, name)], Path.Combine(target, name), segment?.Sha256, $"rows of {dataset.Row.Name}");
                report = report with { Segments = report.Segments + (segment is null ? 0 : 1), Bytes = report.Bytes + bytes };
            }
            Disk.SyncDirectory(target);
        }
        Disk.SyncDirectory(Path.Combine(to, "datasets"));
        return report;
    }

    static BackupReport CopyReleases(DatabaseSession database, string path, string to, BackupReport report)
    {
        foreach (ReleaseRow release in ReleaseTable.All(database).Where(static r => r.State == ReleaseState.Ready))
        {
            ReservationRow reservation = ReservationTable.GetByRelease(database, release.Uid);
            string name = Path.Combine("releases", $"{release.Uid}.pkr");
            string[] places = [
                Path.Combine(path, name),
                Path.Combine(path, "pending", DataDirectory.PendingName(reservation.Id, reservation.Attempt)), Path.Combine(path, name),
            ];
            long bytes = Copy(places, Path.Combine(to, name), release.Sha256, release.Name);
            report = report with { Releases = report.Releases + 1, Bytes = report.Bytes + bytes };
        }
        foreach (ReleaseRow release in ImportTable.All(database).Where(static r => r.State == ReleaseState.Ready))
        {
            string name = Path.Combine("releases", $"{release.Uid}.imported");
            long bytes = Copy([Path.Combine(path, name)], Path.Combine(to, name), release.Sha256, release.Name);
            report = report with { Releases = report.Releases + 1, Bytes = report.Bytes + bytes };
        }
        Disk.SyncDirectory(Path.Combine(to, "releases"));
        return report;
    }

    /// <summary>Copies from the first place that has the file, durably. A file that nothing rests on may be gone by now.</summary>
    static long Copy(string[] places, string target, ReadOnlyMemory<byte>? sha256, string what)
    {
        foreach (string place in places)
            try
            {
                using FileStream source = Disk.Open(place, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using FileStream copy = Disk.Open(target, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
                source.CopyTo(copy, 1 << 20);
                Disk.Sync(copy);
                copy.Position = 0;
                if (sha256 is { } wanted && !SHA256.HashData(copy).AsSpan().SequenceEqual(wanted.Span)) throw Altered(what);
                return copy.Length;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
            }
        return sha256 is null ? 0 : throw Altered(what);
    }

    static StorageException Altered(string what) => new(
        Reasons.FileCorrupt, $"{what}: a file is missing or altered, or was deleted while it was copied; the backup is not finished.");
}
