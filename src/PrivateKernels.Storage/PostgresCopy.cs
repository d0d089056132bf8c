using System.Globalization;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// A ledger in PostgreSQL with all that its servers share, as files: one for each table in the database's own binary form, and
/// a list of them with their SHA-256, written last.
/// </summary>
/// <remarks>
/// Guarantee: a copy is what one moment saw, and the row that it loads as the ledger's head is sealed: no server starts on a
/// copy, wherever it is loaded, before a restore.
/// </remarks>
static class PostgresCopy
{
    const string Contents = "contents";
    const string Format = "privatekernels-postgres-copy 1";

    /// <summary>Makes a copy beside running servers, or without one, in an empty directory.</summary>
    internal static BackupReport Write(PostgresDialect dialect, string to)
    {
        using PostgresSession database = dialect.Connect(writes: false);
        dialect.BeginSnapshot(database);
        LedgerPosition head = LedgerCheck.Verify(dialect, database).Head;
        (int segments, int releases) = CheckFiles(database);
        var lines = new List<string> { Format, dialect.SchemaVersion.ToString(CultureInfo.InvariantCulture) };
        long bytes = 0;
        foreach ((string table, string columns) in Copied(database))
        {
            string asked = columns.Replace("sealed", "CAST(1 AS bigint) AS sealed", StringComparison.Ordinal);
            using FileStream file = Disk.Open(Path.Combine(to, table), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            database.CopyTo($"COPY (SELECT {asked} FROM {table}) TO STDOUT (FORMAT BINARY)", file);
            Disk.Sync(file);
            file.Position = 0;
            lines.Add($"{Convert.ToHexStringLower(SHA256.HashData(file))} {table}");
            bytes += file.Length;
        }
        Disk.Replace(Path.Combine(to, Contents), System.Text.Encoding.ASCII.GetBytes(string.Join('\n', lines)));
        return new(head, segments, releases, bytes);
    }

    /// <summary>
    /// Loads a copy into a database that has no ledger, all of it or nothing; it stays sealed. FILE_CORRUPT names a file that
    /// is not what was copied; LEDGER_CORRUPT if another version of this program made the copy.
    /// </summary>
    internal static void Load(PostgresDialect dialect, PostgresSession database, string from)
    {
        if (!File.Exists(Path.Combine(from, Contents)))
            throw new InvalidFieldException("from", from, "must be a copy that 'pk backup' has finished");
        string[] lines = File.ReadAllLines(Path.Combine(from, Contents));
        if (lines.Length < 2 || lines[0] != Format) throw Altered(Contents);
        if (lines[1] != dialect.SchemaVersion.ToString(CultureInfo.InvariantCulture))
            throw LedgerCheck.Corrupt(
                $"the copy has tables of version {lines[1]}, those of this program are of version {dialect.SchemaVersion}; "
                + "restore it with the program that made it.");
        dialect.BeginCreate(database);
        if (dialect.HasTables(database))
            throw new InvalidFieldException("from", from, "can only be loaded into a database that has no ledger yet");
        foreach (string statement in dialect.Schema) database.Execute(statement);
        List<(string Name, string Columns)> tables = Copied(database);
        foreach ((string table, string columns) in tables)
        {
            using FileStream file = Open(Path.Combine(from, table));
            if (!lines.Contains($"{Convert.ToHexStringLower(SHA256.HashData(file))} {table}")) throw Altered(table);
            file.Position = 0;
            database.CopyFrom($"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", file);
        }
        if (lines.Length != tables.Count + 2) throw Altered(Contents);
        foreach (string table in database.Query(
            "SELECT table_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'",
            static r => r.GetString(0)))
            database.Execute($"SELECT setval(pg_get_serial_sequence('{table}', 'row_id'), MAX(row_id)) FROM {table} HAVING COUNT(*) > 0");
        dialect.Created(database);
        CheckFiles(database);
        LedgerCheck.Verify(dialect, database);
        database.Execute("COMMIT");
    }

    /// <summary>All but what a database says of itself.</summary>
    static List<(string Name, string Columns)> Copied(DatabaseSession database) =>
        PostgresDialect.Tables(database).FindAll(static t => t.Name != "schema_digest");

    /// <summary>FILE_CORRUPT unless every row and every release that counts is there, byte for byte; returns how many.</summary>
    static (int Segments, int Releases) CheckFiles(DatabaseSession database)
    {
        int segments = 0, releases = 0;
        foreach (StoredDataset dataset in DatasetTable.All(database))
            foreach (SegmentRow segment in DatasetTable.Segments(database, dataset.Row.Uid).Where(static s => s.Bytes > 0))
            {
                Check("segment_chunks", Replica.Hex(segment.Uid), segment.Sha256, $"rows of {dataset.Row.Name}");
                segments++;
            }
        foreach (ReleaseRow release in ReleaseTable.All(database).Concat(ImportTable.All(database)).Where(static r => r.State == ReleaseState.Ready))
        {
            Check("release_chunks", release.Uid, release.Sha256, release.Name);
            releases++;
        }
        return (segments, releases);

        void Check(string table, string uid, ReadOnlyMemory<byte> sha256, string what)
        {
            if (!SharedFiles.Sha256(database, table, uid).AsSpan().SequenceEqual(sha256.Span)) throw Altered(what);
        }
    }

    static FileStream Open(string path)
    {
        try
        {
            return Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (FileNotFoundException)
        {
            throw Altered(Path.GetFileName(path));
        }
    }

    static StorageException Altered(string what) =>
        new(Reasons.FileCorrupt, $"{what}: missing or altered; the copy is not finished, or not what was copied.");
}
