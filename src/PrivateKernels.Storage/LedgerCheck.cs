using System.Globalization;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>What a verified ledger is: its last entry and the key of its certificates.</summary>
sealed record LedgerIdentity(LedgerPosition Head, byte[] MacKey);

/// <summary>Decides at start whether a ledger may be served.</summary>
static class LedgerCheck
{
    /// <summary>
    /// Makes a new ledger, or verifies one: not sealed, of a known schema, whole by SQLite's own check, in agreement with
    /// a replay of its chain, and not behind its witness, which is then brought up to date.
    /// </summary>
    internal static LedgerIdentity Open(SqliteSession database, Witness witness)
    {
        if (database.Number("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'ledger_head'") == 0)
        {
            if (!witness.IsNew) throw Behind(null, witness.Read());
            Create(database);
        }
        CheckSchema(database);
        // quick_check would leave out the indexes, and so a lost name or request id.
        if (database.Text("PRAGMA integrity_check") != "ok") throw Corrupt("SQLite's check of the file failed.");
        (LedgerPosition head, byte[] macKey) = ReadHead(database);
        LedgerReplay.Verify(database, head);
        CheckWitness(database, witness, head);
        return new(head, macKey);
    }

    static void Create(SqliteSession database)
    {
        database.Execute(SqliteText.Begin);
        foreach (string statement in SqliteText.Schema) database.Execute(statement);
        database.Execute(
            "INSERT INTO ledger_head (id, ledger_id, epoch, seq, hash, mac_key, sealed, schema_version) VALUES (1, $1, 1, 0, $2, $3, 0, $4)",
            Guid.NewGuid().ToByteArray(), new byte[HashChain.HashBytes], RandomNumberGenerator.GetBytes(32), SqliteText.SchemaVersion);
        database.Execute("COMMIT");
    }

    static void CheckSchema(SqliteSession database)
    {
        if (database.Number("SELECT schema_version FROM ledger_head") != SqliteText.SchemaVersion)
            throw Corrupt("The tables are of another version of this program.");
        if (database.Number("SELECT sealed FROM ledger_head") != 0)
            throw Corrupt("This is a sealed copy from a backup; it must be restored before it can be served.");
        HashSet<string> present = [.. database.Query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", static r => r.GetString(0))];
        // A lost trigger or constraint would be a lost guarantee.
        if (!SqliteText.Schema.All(present.Contains)) throw Corrupt("A table, index or trigger is missing or altered.");
    }

    static (LedgerPosition, byte[] MacKey) ReadHead(SqliteSession database) => database.Query(
        "SELECT ledger_id, epoch, seq, hash, mac_key FROM ledger_head WHERE id = 1",
        static r => (new LedgerPosition((byte[])r[0], r.GetInt64(1), r.GetInt64(2), (byte[])r[3]), (byte[])r[4])) switch
    {
        [var head] => head,
        _ => throw Corrupt("The head of the ledger is missing."),
    };

    static void CheckWitness(SqliteSession database, Witness witness, LedgerPosition head)
    {
        LedgerPosition? seen = witness.Read();
        if (seen is null && (!witness.IsNew || head.Sequence > 0))
            throw Corrupt("The witness of the ledger is missing or altered.");
        if (seen is not null)
        {
            bool isSame = seen.LedgerId.Span.SequenceEqual(head.LedgerId.Span) && seen.Sequence <= head.Sequence && Has(database, seen);
            if (!isSame) throw Behind(head, seen);
        }
        if (!Witness.Same(seen, head) && !witness.TryAdvance(seen, head)) throw Behind(head, witness.Read());
    }

    static bool Has(SqliteSession database, LedgerPosition seen)
    {
        if (seen.Sequence == 0) return true;
        byte[]? hash = database.First("SELECT hash FROM ledger WHERE seq = $1 AND epoch = $2", static r => (byte[])r[0], seen.Sequence, seen.Epoch);
        return hash is not null && seen.Hash.Span.SequenceEqual(hash);
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
