using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace PrivateKernels.Storage;

/// <summary>SQLite, one process, one file.</summary>
sealed class SqliteDialect(string path) : Dialect
{
    internal override IReadOnlyList<string> Schema => Statements;

    internal override long SchemaVersion => 3;

    internal override IReadOnlyDictionary<long, string[]> Steps { get; } = new Dictionary<long, string[]> { [2] = [.. ToThree] };

    internal override void KeepCopy(long version)
    {
        string copy = string.Create(CultureInfo.InvariantCulture, $"{path}.version-{version}"), part = copy + ".part";
        File.Delete(part);
        Backup.CopyDatabase(path, part);
        using (DatabaseSession session = new SqliteSession(part, writes: true))
        {
            session.Execute("UPDATE ledger_head SET sealed = 1");
            Settle(session);
        }
        using (FileStream file = Disk.Open(part, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) Disk.Sync(file);
        File.Move(part, copy, overwrite: true);
        Disk.SyncDirectory(Path.GetDirectoryName(copy)!);
    }

    internal override DatabaseSession Connect(bool writes) => new SqliteSession(path, writes);

    internal override bool HasTables(DatabaseSession database) =>
        database.Number("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'ledger_head'") > 0;

    internal override bool IsSchemaWhole(DatabaseSession database)
    {
        HashSet<string> present = [.. database.Query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", static r => r.GetString(0))];
        return Statements.All(present.Contains);
    }

    internal override void BeginCreate(DatabaseSession database) => database.Execute("BEGIN IMMEDIATE");

    internal override void BeginSnapshot(DatabaseSession database) => database.Execute("BEGIN");

    internal override bool IsFileWhole()
    {
        using DatabaseSession session = Connect(writes: false);
        // Each row is looked up in each index: with the default of 2 MiB that reads a large file twenty times.
        session.Execute("PRAGMA cache_size = -65536");
        // quick_check would leave out the indexes, and so a lost name or request id.
        if (session.Text("PRAGMA integrity_check") != "ok") return false;
        // It passes over a table without rows whose one page says that it has pages below; whoever reads the table does not.
        foreach (string table in session.Query("SELECT name FROM sqlite_schema WHERE type = 'table'", static r => r.GetString(0)))
            session.Text($"SELECT 1 FROM \"{table}\" NOT INDEXED LIMIT 1");
        return true;
    }

    internal override LedgerPosition Begin(DatabaseSession database, LedgerPosition head)
    {
        database.Execute("BEGIN IMMEDIATE");
        return head;
    }

    // IOERR, CORRUPT, FULL, NOTADB
    internal override bool IsFatal(DbException e) => e is SqliteException { SqliteErrorCode: 10 or 11 or 13 or 26 };

    internal override bool IsDiskError(DbException e) => e is SqliteException { SqliteErrorCode: 10 or 13 };

    /// <summary>A reader in the midst of a query keeps the log as it is (the pragma then answers 1): it is waited for.</summary>
    internal override void Settle(DatabaseSession database)
    {
        for (int i = 0; i < 250 && database.Text("PRAGMA wal_checkpoint(TRUNCATE)") != "0"; i++) Thread.Sleep(20);
    }

    /// <summary>From version 2 of the tables, and from the version of another dialect that had the same.</summary>
    /// <remarks>SQLite writes the new column into the text of the table as <see cref="Tables"/> has it, to the letter.</remarks>
    internal static readonly string[] ToThree =
    [
        "ALTER TABLE uploads ADD COLUMN active_s INTEGER NOT NULL DEFAULT 0", "ALTER TABLE jobs ADD COLUMN lease_until_s INTEGER",
    ];

    /// <summary>Tables and indexes; another dialect has them with its own names of types.</summary>
    internal static readonly string[] Tables =
    [
        """
        CREATE TABLE ledger_head (id INTEGER PRIMARY KEY CHECK (id = 1), ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16),
          epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
          mac_key BLOB NOT NULL CHECK (length(mac_key) = 32), sealed INTEGER NOT NULL, schema_version INTEGER NOT NULL) STRICT
        """,
        """
        CREATE TABLE accounts (account_id INTEGER PRIMARY KEY, population TEXT NOT NULL UNIQUE, unit INTEGER NOT NULL,
          adjacency INTEGER NOT NULL, display_delta REAL NOT NULL, limit_units INTEGER NOT NULL CHECK (limit_units >= 0),
          spent_units INTEGER NOT NULL DEFAULT 0 CHECK (spent_units >= 0),
          reserved_units INTEGER NOT NULL DEFAULT 0 CHECK (reserved_units >= 0),
          CHECK (spent_units <= limit_units - reserved_units)) STRICT
        """,
        """
        CREATE TABLE ledger (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, account_id INTEGER NOT NULL REFERENCES accounts,
          kind INTEGER NOT NULL, units INTEGER NOT NULL, at_s INTEGER NOT NULL, body BLOB NOT NULL,
          previous_hash BLOB NOT NULL CHECK (length(previous_hash) = 32), hash BLOB NOT NULL CHECK (length(hash) = 32)) STRICT
        """,
        "CREATE INDEX ledger_by_account ON ledger (account_id, seq)",
        """
        CREATE TABLE reservations (reservation_id BLOB PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts,
          parent TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL, units INTEGER NOT NULL CHECK (units > 0),
          state INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4)), snapshot_mark INTEGER NOT NULL,
          snapshot_digest BLOB NOT NULL CHECK (length(snapshot_digest) = 32), attempt INTEGER NOT NULL, lease_until_s INTEGER,
          reserve_seq INTEGER NOT NULL, resolve_seq INTEGER, release_uid TEXT, release_sha256 BLOB,
          UNIQUE (parent, request_id)) STRICT
        """,
        "CREATE INDEX reservations_by_release ON reservations (release_uid)",
        """
        CREATE TABLE datasets (row_id INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, uid TEXT NOT NULL UNIQUE,
          account_id INTEGER REFERENCES accounts, definition BLOB NOT NULL, display_name TEXT NOT NULL,
          description TEXT NOT NULL, state INTEGER NOT NULL, created_s INTEGER NOT NULL, version INTEGER NOT NULL,
          release_count INTEGER NOT NULL DEFAULT 0) STRICT
        """,
        "CREATE UNIQUE INDEX active_datasets ON datasets (id) WHERE state = 1",
        "CREATE INDEX datasets_by_id ON datasets (id, row_id)",
        """
        CREATE TABLE uploads (dataset_uid TEXT NOT NULL, upload_id TEXT NOT NULL, created_s INTEGER NOT NULL,
          finished INTEGER NOT NULL, row_count INTEGER NOT NULL, batch_count INTEGER NOT NULL, active_s INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY (dataset_uid, upload_id)) STRICT
        """,
        """
        CREATE TABLE segments (segment_uid BLOB PRIMARY KEY, dataset_uid TEXT NOT NULL, commit_no INTEGER NOT NULL,
          file TEXT NOT NULL, row_count INTEGER NOT NULL, bytes INTEGER NOT NULL, encrypted INTEGER NOT NULL,
          sha256 BLOB NOT NULL CHECK (length(sha256) = 32), UNIQUE (dataset_uid, commit_no)) STRICT
        """,
        """
        CREATE TABLE checkpoints (dataset_uid TEXT NOT NULL, upload_id TEXT NOT NULL, uid BLOB NOT NULL, sequence INTEGER NOT NULL,
          PRIMARY KEY (dataset_uid, upload_id)) STRICT
        """,
        """
        CREATE TABLE imports (row_id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
          dataset_uid TEXT NOT NULL, id TEXT NOT NULL, spec BLOB NOT NULL, unit INTEGER NOT NULL, units INTEGER NOT NULL,
          mechanism INTEGER NOT NULL, noise_scale REAL NOT NULL, sensitivity REAL NOT NULL, state INTEGER NOT NULL,
          created_s INTEGER NOT NULL, sha256 BLOB NOT NULL, size_bytes INTEGER NOT NULL, ledger_id BLOB NOT NULL,
          epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, version INTEGER NOT NULL,
          UNIQUE (dataset_id, id)) STRICT
        """,
        "CREATE INDEX imports_by_dataset ON imports (dataset_uid, row_id)",
        "CREATE TABLE dataset_keys (dataset_uid TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT",
        """
        CREATE TABLE releases (row_id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
          dataset_uid TEXT NOT NULL, id TEXT NOT NULL, reservation_id BLOB NOT NULL UNIQUE REFERENCES reservations,
          spec BLOB NOT NULL, mechanism INTEGER NOT NULL, noise_scale REAL NOT NULL, sensitivity REAL NOT NULL,
          state INTEGER NOT NULL, operation_uid TEXT NOT NULL, created_s INTEGER NOT NULL, ready_s INTEGER,
          sha256 BLOB NOT NULL, size_bytes INTEGER NOT NULL, version INTEGER NOT NULL) STRICT
        """,
        // A failed build disclosed nothing, so its id may be asked for again; any other id is taken for ever.
        "CREATE UNIQUE INDEX release_names ON releases (dataset_id, id) WHERE state <> 3",
        // The partial index cannot find a failed one.
        "CREATE INDEX releases_by_name ON releases (dataset_id, id, row_id)",
        "CREATE INDEX releases_by_dataset ON releases (dataset_uid, row_id)",
        """
        CREATE TABLE operations (uid TEXT PRIMARY KEY, dataset_id TEXT NOT NULL, target TEXT NOT NULL, creator TEXT NOT NULL,
          created_s INTEGER NOT NULL, ended_s INTEGER, error_reason TEXT NOT NULL, error_message TEXT NOT NULL) STRICT
        """,
        """
        CREATE TABLE jobs (row_id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
          dataset_uid TEXT NOT NULL, id TEXT NOT NULL, release_id TEXT NOT NULL, release_uid TEXT NOT NULL,
          query_id TEXT NOT NULL, query_uid TEXT NOT NULL, mark INTEGER NOT NULL, score INTEGER NOT NULL,
          excluded BLOB NOT NULL, creator TEXT NOT NULL, operation_uid TEXT NOT NULL, state INTEGER NOT NULL,
          created_s INTEGER NOT NULL, ended_s INTEGER, row_count INTEGER NOT NULL, labelled_count INTEGER NOT NULL,
          correct_count INTEGER NOT NULL, lease_until_s INTEGER, UNIQUE (dataset_id, id)) STRICT
        """,
        """
        CREATE TABLE idempotency (method TEXT NOT NULL, parent TEXT NOT NULL, request_id TEXT NOT NULL,
          request_hash BLOB NOT NULL, response BLOB NOT NULL, at_s INTEGER NOT NULL,
          PRIMARY KEY (method, parent, request_id)) STRICT
        """,
    ];

    static readonly string[] Statements =
    [
        .. Tables,
        "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'append-only'); END",
        "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'append-only'); END",
        """
        CREATE TRIGGER reservation_final BEFORE UPDATE ON reservations WHEN OLD.state <> 1
          BEGIN SELECT RAISE(ABORT, 'resolved once'); END
        """,
    ];
}
