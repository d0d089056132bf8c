using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>
/// The database that holds the ledger: how it is opened and checked, and the text of its tables. What reads and changes
/// them is standard SQL beside its use, the same for every dialect.
/// </summary>
abstract class Dialect
{
    /// <summary>Version of the tables; an older program refuses a newer one.</summary>
    internal abstract long SchemaVersion { get; }

    /// <summary>What brings tables of a version to the next one; no version without an entry can be brought up.</summary>
    internal abstract IReadOnlyDictionary<long, string[]> Steps { get; }

    /// <summary>Tables, indexes and triggers, in the order in which they are made.</summary>
    internal abstract IReadOnlyList<string> Schema { get; }

    /// <summary>Whether several servers write to it; a data directory is then what one of them keeps for itself.</summary>
    internal virtual bool IsShared => false;

    /// <summary>How long a build is its server's own without a sign of life; 0 where there is only one server.</summary>
    internal virtual long LeaseSeconds => 0;

    internal long JobLeaseSeconds => 10 * LeaseSeconds;

    internal abstract DatabaseSession Connect(bool writes);

    /// <summary>
    /// Holds the ledger for as long as the connection lasts, beside other servers or alone; false if another process holds it
    /// so that this cannot be. Where the ledger is a file, the lock of its directory does that.
    /// </summary>
    internal virtual bool TryHold(DatabaseSession database, bool alone) => true;

    /// <summary>
    /// Whether this session's role could change entries of the ledger, past the triggers; null where the question is one of
    /// rights to a file.
    /// </summary>
    internal virtual bool? CanRewrite(DatabaseSession database) => null;

    /// <summary>Whether the tables were made.</summary>
    internal abstract bool HasTables(DatabaseSession database);

    /// <summary>Whether every table, index and trigger is there as it was made: a lost one would be a lost guarantee.</summary>
    internal abstract bool IsSchemaWhole(DatabaseSession database);

    /// <summary>Refuses settings of the database that durability does not survive.</summary>
    internal virtual void CheckServer(DatabaseSession database)
    {
    }

    /// <summary>Begins the transaction that makes the tables, alone.</summary>
    internal abstract void BeginCreate(DatabaseSession database);

    /// <summary>Whether tables of an older version are as that version made them, as far as it can be told.</summary>
    internal virtual bool IsOlderSchemaWhole(DatabaseSession database) => true;

    /// <summary>Keeps a sealed copy of the ledger before its tables are changed, where that is not its operator's part.</summary>
    internal virtual void KeepCopy(long version)
    {
    }

    /// <summary>After the tables were made or changed, in that transaction.</summary>
    internal virtual void Created(DatabaseSession database)
    {
    }

    /// <summary>Begins a transaction that reads the database as it is at one moment.</summary>
    internal abstract void BeginSnapshot(DatabaseSession database);

    /// <summary>The database's own check of its file, on a connection of its own; false if it failed.</summary>
    internal abstract bool IsFileWhole();

    /// <summary>Begins a transaction that no other writer runs beside; returns the head it starts from.</summary>
    internal abstract LedgerPosition Begin(DatabaseSession database, LedgerPosition head);

    /// <summary>Errors after which nothing that was written in the process can be believed.</summary>
    internal abstract bool IsFatal(DbException e);

    /// <summary>Whether the disk refused, as opposed to a file that is not what it was.</summary>
    internal virtual bool IsDiskError(DbException e) => false;

    /// <summary>Leaves the file tidy at the end of a clean stop.</summary>
    internal abstract void Settle(DatabaseSession database);
}
