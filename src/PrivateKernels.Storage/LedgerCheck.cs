using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>What a verified ledger is: its last entry and the key of its certificates.</summary>
sealed record LedgerIdentity(LedgerPosition Head, byte[] MacKey);

/// <summary>Decides at start whether a ledger may be served.</summary>
static class LedgerCheck
{
    /// <summary>
    /// Makes a new ledger, or verifies one: not sealed, of a known schema (an older one is brought up), whole by SQLite's
    /// own check, in agreement with a replay of its chain, and not behind its witness, which is then brought up to date.
    /// </summary>
    internal static LedgerIdentity Open(Dialect dialect, DatabaseSession database, IWitness witness)
    {
        dialect.CheckServer(database);
        // Read first: another server may move it on after the snapshot below was taken.
        Sighting seen = Sighting.Of(witness);
        if (!dialect.HasTables(database))
        {
            if (!seen.IsNew) throw Behind(null, seen.Position);
            Create(dialect, database);
        }
        if (IsSealed(database)) throw Corrupt("This is a sealed copy from a backup; it must be restored before it can be served.");
        Migration.Run(dialect, database);
        dialect.BeginSnapshot(database);
        LedgerIdentity identity = Verify(dialect, database);
        database.Execute("COMMIT");
        CheckAgainst(dialect, database, identity.Head, seen);
        bool isUpToDate = Witness.Same(seen.Position, identity.Head) || Advance(dialect, database, witness, seen.Position, identity.Head);
        return isUpToDate ? identity : throw Behind(identity.Head, witness.Read());
    }

    /// <summary>The tables, the file's own check, and beside it the replay of the chain. A sealed copy passes too.</summary>
    internal static LedgerIdentity Verify(Dialect dialect, DatabaseSession database)
    {
        if (!dialect.HasTables(database)) throw Corrupt("There is no ledger here.");
        CheckSchema(dialect, database);
        // Whatever the replay says of a damaged file, the file is not read on after it.
        Task<bool> isWhole = Task.Run(dialect.IsFileWhole);
        try
        {
            (LedgerPosition head, byte[] macKey) = Parsing(() =>
            {
                (LedgerPosition, byte[]) read = ReadHead(database);
                LedgerReplay.Verify(database, read.Item1);
                return read;
            });
            return isWhole.GetAwaiter().GetResult() ? new(head, macKey) : throw Corrupt("the database's check of its file failed.");
        }
        finally
        {
            Task.WhenAny(isWhole).GetAwaiter().GetResult();
        }
    }

    internal static void Create(Dialect dialect, DatabaseSession database)
    {
        dialect.BeginCreate(database);
        if (dialect.HasTables(database))
        {
            // Another server was first.
            database.Execute("ROLLBACK");
            return;
        }
        foreach (string statement in dialect.Schema) database.Execute(statement);
        dialect.Created(database);
        database.Execute(
            "INSERT INTO ledger_head (id, ledger_id, epoch, seq, hash, mac_key, sealed, schema_version) VALUES (1, $1, 1, 0, $2, $3, 0, $4)",
            Guid.NewGuid().ToByteArray(), new byte[HashChain.HashBytes], RandomNumberGenerator.GetBytes(32), dialect.SchemaVersion);
        database.Execute("COMMIT");
    }

    static void CheckSchema(Dialect dialect, DatabaseSession database)
    {
        long version = database.Number("SELECT schema_version FROM ledger_head");
        Migration.Check(dialect, version);
        if (version != dialect.SchemaVersion)
            throw Corrupt($"its tables are of the older version {version}; a start of the server, or a restore, brings them up.");
        // A lost trigger or constraint would be a lost guarantee.
        if (!dialect.IsSchemaWhole(database)) throw Corrupt("A table, index or trigger is missing or altered.");
    }

    internal static bool IsSealed(DatabaseSession database) => database.Number("SELECT sealed FROM ledger_head") != 0;

    internal static LedgerPosition ReadPosition(DatabaseSession database) => ReadHead(database).Item1;

    static (LedgerPosition, byte[] MacKey) ReadHead(DatabaseSession database) => database.Query(
        "SELECT ledger_id, epoch, seq, hash, mac_key FROM ledger_head WHERE id = 1",
        static r => (new LedgerPosition((byte[])r[0], r.GetInt64(1), r.GetInt64(2), (byte[])r[3]), (byte[])r[4])) switch
    {
        [var head] => head,
        _ => throw Corrupt("The head of the ledger is missing."),
    };

    /// <summary>LEDGER_BEHIND unless the ledger has what its witness saw; LEDGER_CORRUPT without a witness that there must be.</summary>
    internal static void CheckAgainst(Dialect dialect, DatabaseSession database, LedgerPosition head, Sighting seen)
    {
        if (seen.Position is not { } position)
        {
            // A server that joins others brings a witness of its own that has seen nothing yet.
            bool mayBeNew = head.Sequence == 0 || dialect.IsShared;
            if (!(seen.IsNew && mayBeNew)) throw Corrupt("The witness of the ledger is missing or altered.");
            return;
        }
        // A restore accepted a loss for all servers; each of the others has a witness that saw what was lost.
        if (dialect.IsShared && WentInRecovery(database, head, position)) return;
        bool has = position.LedgerId.Span.SequenceEqual(head.LedgerId.Span) && position.Sequence <= head.Sequence && Has(database, position);
        if (!has) throw Behind(head, position);
    }

    /// <summary>
    /// Brings the witness to a position that is durable. Where several servers share one, what another wrote must be in the
    /// ledger; false if it is not, or if anybody else wrote at all where there is one server.
    /// </summary>
    internal static bool Advance(
        Dialect dialect, DatabaseSession database, IWitness witness, LedgerPosition? from, LedgerPosition to)
    {
        while (!witness.TryAdvance(from, to))
        {
            from = witness.Read();
            if (!dialect.IsShared || from is null || !Has(database, from)) return false;
            if (from.Sequence >= to.Sequence) return true;
        }
        return true;
    }

    /// <summary>Whether a position of this ledger is beyond where an accepted loss cut its epoch off.</summary>
    internal static bool WentInRecovery(DatabaseSession database, LedgerPosition head, LedgerPosition at) =>
        at.LedgerId.Span.SequenceEqual(head.LedgerId.Span) && at.Epoch < head.Epoch
        && at.Sequence > database.Number("SELECT MAX(seq) FROM ledger WHERE epoch <= $1", at.Epoch);

    /// <summary>Whether the ledger has the entry of a position, with its hash.</summary>
    internal static bool Has(DatabaseSession database, LedgerPosition seen)
    {
        if (seen.Sequence == 0) return true;
        byte[]? hash = database.First("SELECT hash FROM ledger WHERE seq = $1 AND epoch = $2", static r => (byte[])r[0], seen.Sequence, seen.Epoch);
        return hash is not null && seen.Hash.Span.SequenceEqual(hash);
    }

    /// <summary>
    /// Runs what reads a ledger: one that the database cannot read is LEDGER_CORRUPT; LEDGER_NOT_SERVING if the database is
    /// not there, or does not let this role in.
    /// </summary>
    internal static T Reading<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is DbException or InvalidDataException)
        {
            throw PostgresDialect.Refused(e)
                ?? new StorageException(Reasons.LedgerCorrupt, "The ledger cannot be read; it needs a restore.", null, e);
        }
    }

    /// <summary>
    /// Reads rows of a file that may be damaged: a value that cannot be what was stored (NaN reads as NULL, a number as none of
    /// its kind) is LEDGER_CORRUPT.
    /// </summary>
    internal static T Parsing<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidCastException or FormatException or OverflowException
            or ArgumentException or IndexOutOfRangeException)
        {
            throw new StorageException(Reasons.LedgerCorrupt, "The ledger is not served: a stored value cannot be what was stored.", null, e);
        }
    }

    internal static StorageException Corrupt(string what) => new(Reasons.LedgerCorrupt, $"The ledger is not served: {what}");

    internal static StorageException Behind(LedgerPosition? ledger, LedgerPosition? witness) => new(
        Reasons.LedgerBehind, "The ledger is behind its witness or its releases: it was rolled back, or is a copy. It is not served.",
        new Dictionary<string, string> { ["ledger"] = Text(ledger), ["witness"] = Text(witness) });

    static string Text(LedgerPosition? p) => p is null
        ? "none"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{Convert.ToHexStringLower(p.LedgerId.Span)}/{p.Epoch}/{p.Sequence}/{Convert.ToHexStringLower(p.Hash.Span)}");
}
