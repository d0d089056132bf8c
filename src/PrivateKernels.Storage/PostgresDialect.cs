using System.Data.Common;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace PrivateKernels.Storage;

/// <summary>PostgreSQL, several servers over one database. The tables are those of SQLite; types and triggers differ.</summary>
/// <remarks>
/// Guarantee: a transaction that writes holds the row of the ledger's head from its first statement to its commit, so all
/// appends of all servers are in one order, and none is lost between two of them.
/// </remarks>
sealed class PostgresDialect(PostgresOptions options) : Dialect
{
    /// <summary>Key of the lock under which one server makes the tables.</summary>
    const string CreateLock = "SELECT pg_advisory_xact_lock(7236115518337104205)";

    /// <summary>Everything that a guarantee rests on, in one text: constraints, indexes, triggers, functions, columns.</summary>
    const string Describe =
        """
        SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
          SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS line FROM pg_constraint
            WHERE connamespace = current_schema()::text::regnamespace
          UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
          UNION ALL SELECT tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::text::regnamespace)
          UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::text::regnamespace
          UNION ALL SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || COALESCE(column_default, '')
            FROM information_schema.columns WHERE table_schema = current_schema()) lines
        """;

    /// <summary>Since version 4: files of cells and of imported releases go with the rows that name them.</summary>
    static readonly string[] Forgetting =
    [
        """
        CREATE FUNCTION drop_checkpoint() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN DELETE FROM segment_chunks WHERE uid = encode(OLD.uid, 'hex'); RETURN NULL; END $$
        """,
        "CREATE TRIGGER checkpoint_gone AFTER DELETE OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION drop_checkpoint()",
        """
        CREATE TRIGGER segment_forgotten AFTER UPDATE OF file ON segments FOR EACH ROW WHEN (NEW.file = '')
          EXECUTE FUNCTION drop_segment()
        """,
        """
        CREATE TRIGGER import_gone AFTER UPDATE OF state ON imports FOR EACH ROW WHEN (NEW.state = 4)
          EXECUTE FUNCTION drop_release()
        """,
    ];

    /// <summary>Since version 5: which server goes on with an upload.</summary>
    static readonly string[] Holding = ["ALTER TABLE uploads ADD COLUMN holder bytea"];

    static readonly string[] Statements =
    [
        .. SqliteDialect.Tables.Select(Translate),
        """
        CREATE TABLE segment_chunks (uid text NOT NULL, part bigint NOT NULL, data bytea NOT NULL,
          stored timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (uid, part))
        """,
        "CREATE TABLE release_chunks (uid text NOT NULL, part bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (uid, part))",
        "CREATE TABLE schema_digest (sha256 bytea NOT NULL)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$",
        """
        CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
          FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only')
        """,
        """
        CREATE TRIGGER reservation_final BEFORE UPDATE ON reservations FOR EACH ROW WHEN (OLD.state <> 1)
          EXECUTE FUNCTION refuse('resolved once')
        """,
        """
        CREATE FUNCTION drop_segment() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN DELETE FROM segment_chunks WHERE uid = encode(OLD.segment_uid, 'hex'); RETURN NULL; END $$
        """,
        "CREATE TRIGGER segment_gone AFTER DELETE ON segments FOR EACH ROW EXECUTE FUNCTION drop_segment()",
        """
        CREATE FUNCTION drop_release() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN DELETE FROM release_chunks WHERE uid = OLD.uid; RETURN NULL; END $$
        """,
        """
        CREATE TRIGGER release_gone AFTER UPDATE OF state ON releases FOR EACH ROW WHEN (NEW.state = 4)
          EXECUTE FUNCTION drop_release()
        """,
        .. Forgetting,
        .. Holding,
    ];

    internal override IReadOnlyList<string> Schema => Statements;

    internal override long SchemaVersion => 5;

    internal override IReadOnlyDictionary<long, string[]> Steps { get; } =
        new Dictionary<long, string[]>
        {
            [3] = [.. SqliteDialect.ToThree.Select(Translate), .. Forgetting],
            [4] = Holding,
        };

    internal override bool IsOlderSchemaWhole(DatabaseSession database) => IsSchemaWhole(database);

    internal override bool IsShared => true;

    internal override long LeaseSeconds => options.LeaseSeconds;

    internal override PostgresSession Connect(bool writes)
    {
        var session = new PostgresSession(Open(options.ConnectionString, options.AllowInsecure, "Ledger:ConnectionString"));
        if (!writes) session.Execute("SET default_transaction_read_only = on");
        return session;
    }

    /// <summary>Opens a connection: TLS with the server's certificate verified, unless it stays on this machine.</summary>
    internal static NpgsqlConnection Open(string connectionString, bool allowInsecure, string field)
    {
        NpgsqlConnectionStringBuilder builder;
        try
        {
            // A pooled connection would keep what its last user set.
            builder = new(connectionString) { Pooling = false, Enlist = false, MaxAutoPrepare = 200, IncludeErrorDetail = false };
        }
        catch (ArgumentException)
        {
            // The text may hold a password, so it is not repeated.
            throw new InvalidFieldException(field, "set", "must be a connection string of PostgreSQL");
        }
        string host = builder.Host ?? "";
        bool isLocal = host.StartsWith('/') || host == "localhost" || (IPAddress.TryParse(host, out IPAddress? ip) && IPAddress.IsLoopback(ip));
        if (!isLocal && !allowInsecure && builder.SslMode != SslMode.VerifyFull)
            throw new InvalidFieldException(field, $"SSL Mode={builder.SslMode}", "must have SSL Mode=VerifyFull off this machine");
        var connection = new NpgsqlConnection(builder.ToString());
        connection.Open();
        return connection;
    }

    /// <summary>
    /// LEDGER_NOT_SERVING where the database cannot be reached, refuses the connection, or the role lacks a right; null for
    /// other errors.
    /// </summary>
    internal static StorageException? Refused(Exception error) => error switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } => new(
            Reasons.LedgerNotServing,
            "The role of the connection string lacks a right. 'pk ledger role NAME', run as the owner of the tables, makes or brings up "
            + "the tables and grants NAME what a server needs.",
            null, error),
        PostgresException p when p.SqlState[..2] is not ("08" or "28" or "3D" or "53" or "57") => null,
        NpgsqlException => new(
            Reasons.LedgerNotServing, "The database of the ledger, or of its witness, cannot be reached or refuses the connection.", null, error),
        _ => null,
    };

    internal override void CheckServer(DatabaseSession database)
    {
        foreach ((string setting, string[] allowed) in (ReadOnlySpan<(string, string[])>)
            [("fsync", ["on"]), ("full_page_writes", ["on"]), ("synchronous_commit", ["on", "remote_apply"])])
        {
            string value = database.Text($"SHOW {setting}");
            if (!allowed.Contains(value))
                throw new InvalidFieldException($"PostgreSQL {setting}", value, $"must be {string.Join(" or ", allowed)}");
        }
        CheckStandby(database);
    }

    /// <remarks>
    /// The database takes the lock back when the process ends, however it does, but a moment after it has: that is waited for.
    /// </remarks>
    internal override bool TryHold(DatabaseSession database, bool alone)
    {
        database.Execute("SET lock_timeout = '3s'");
        try
        {
            database.Execute($"SELECT pg_advisory_lock{(alone ? "" : "_shared")}(7236115, hashtext(current_schema()))");
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return false;
        }
        finally
        {
            database.Execute("RESET lock_timeout");
        }
    }

    internal override bool? CanRewrite(DatabaseSession database) => LedgerRole.CanRewrite(database);

    internal override bool HasTables(DatabaseSession database) => database.Number(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'ledger_head'") > 0;

    /// <summary>
    /// Tables and their columns, in the order in which they were made: rows come after those that they refer to. A witness that
    /// somebody put beside them is not of the ledger.
    /// </summary>
    internal static List<(string Name, string Columns)> Tables(DatabaseSession database) => database.Query(
        """
        SELECT c.relname::text, string_agg(a.attname::text, ', ' ORDER BY a.attname) FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = current_schema()::text::regnamespace AND c.relkind = 'r' AND c.relname <> 'pk_witness'
          GROUP BY c.oid, c.relname ORDER BY c.oid
        """,
        static r => (r.GetString(0), r.GetString(1)));

    internal override void BeginCreate(DatabaseSession database)
    {
        database.Execute("BEGIN");
        database.Execute(CreateLock);
    }

    internal override void Created(DatabaseSession database)
    {
        database.Execute("DELETE FROM schema_digest");
        database.Execute("INSERT INTO schema_digest (sha256) VALUES ($1)", Digest(database));
    }

    internal override bool IsSchemaWhole(DatabaseSession database) =>
        database.First("SELECT sha256 FROM schema_digest", static r => (byte[])r[0]) is { } made && made.AsSpan().SequenceEqual(Digest(database));

    /// <summary>The server checks its own pages (data_checksums); nothing to read here.</summary>
    internal override bool IsFileWhole() => true;

    internal override void BeginSnapshot(DatabaseSession database) => database.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");

    internal override LedgerPosition Begin(DatabaseSession database, LedgerPosition head)
    {
        database.Execute("BEGIN");
        LedgerPosition now = database.First(
            "SELECT ledger_id, epoch, seq, hash FROM ledger_head WHERE id = 1 FOR UPDATE",
            static r => new LedgerPosition((byte[])r[0], r.GetInt64(1), r.GetInt64(2), (byte[])r[3]))
            ?? throw LedgerCheck.Corrupt("The head of the ledger is missing.");
        if (now.Sequence < head.Sequence || (now.Sequence == head.Sequence && !Witness.Same(now, head))) throw LedgerCheck.Behind(now, head);
        CheckStandby(database);
        return now;
    }

    /// <summary>The classes that say a constraint or a trigger refused a statement leave the transaction's other work sound.</summary>
    internal override bool IsFatal(DbException e) => e is not PostgresException p || p.SqlState[..2] is not ("22" or "23" or "P0");

    internal override void Settle(DatabaseSession database)
    {
    }

    /// <summary>The tables as the database has them; what it was when they were made is kept as a digest.</summary>
    internal static string Described(DatabaseSession database) => database.Text(Describe);

    static byte[] Digest(DatabaseSession database) => SHA256.HashData(Encoding.UTF8.GetBytes(Described(database)));

    static string Translate(string sql) => sql
        .Replace("INTEGER PRIMARY KEY AUTOINCREMENT", "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", StringComparison.Ordinal)
        .Replace("INTEGER", "bigint", StringComparison.Ordinal)
        .Replace("BLOB", "bytea", StringComparison.Ordinal)
        .Replace("REAL", "double precision", StringComparison.Ordinal)
        // The order of ids is that of their bytes, here as there.
        .Replace("TEXT", "text COLLATE \"C\"", StringComparison.Ordinal)
        .Replace(" STRICT", "", StringComparison.Ordinal);

    /// <summary>LEDGER_NOT_SERVING while a standby is demanded and none is synchronous: nothing is spent without it.</summary>
    void CheckStandby(DatabaseSession database)
    {
        if (!options.RequireSynchronousStandby) return;
        if (database.Number("SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')") == 0)
            throw new StorageException(Reasons.LedgerNotServing, "PostgreSQL has no synchronous standby, and one is required.");
    }
}
