namespace PrivateKernels.Storage;

/// <summary>Brings the tables of an older version of this program to those of this one.</summary>
/// <remarks>
/// Guarantee: all steps, the check of what they came to and the new version are one transaction, so a ledger is of one
/// version or of the other, and no entry of it changes. Where the ledger is a file, a sealed copy of it is kept first.
/// </remarks>
static class Migration
{
    /// <summary>
    /// Does nothing for tables of this version. LEDGER_CORRUPT names both versions where they are newer, or older than
    /// the first one that can be brought up, and the ledger stays as it is.
    /// </summary>
    internal static void Run(Dialect dialect, DatabaseSession database)
    {
        long from = Version(database);
        if (from == dialect.SchemaVersion) return;
        Check(dialect, from);
        dialect.KeepCopy(from);
        dialect.BeginCreate(database);
        if (Version(database) == from)
        {
            // What is lost in older tables must not be taken for what they ought to be.
            if (!dialect.IsOlderSchemaWhole(database)) throw LedgerCheck.Corrupt("a table, index or trigger is missing or altered.");
            for (long version = from; version < dialect.SchemaVersion; version++)
                foreach (string statement in dialect.Steps[version]) database.Execute(statement);
            database.Execute("UPDATE ledger_head SET schema_version = $1", dialect.SchemaVersion);
            dialect.Created(database);
            LedgerCheck.Verify(dialect, database);
        }
        database.Execute("COMMIT");
    }

    /// <summary>Refuses tables that this program neither knows nor can bring up.</summary>
    internal static void Check(Dialect dialect, long version)
    {
        if (version == dialect.SchemaVersion || dialect.Steps.ContainsKey(version)) return;
        string cure = version > dialect.SchemaVersion ? "use that program, or a newer one" : "no upgrade leads from there";
        throw LedgerCheck.Corrupt($"its tables are of version {version}, those of this program are of version {dialect.SchemaVersion}; {cure}.");
    }

    static long Version(DatabaseSession database) => database.Number("SELECT schema_version FROM ledger_head");
}
