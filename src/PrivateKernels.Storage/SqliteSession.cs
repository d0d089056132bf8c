using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace PrivateKernels.Storage;

/// <summary>A connection to a SQLite file.</summary>
sealed class SqliteSession : DatabaseSession
{
    /// <summary>Opens the file, sets what durability rests on and reads it back.</summary>
    internal SqliteSession(string path, bool writes) : base(Connect(path, writes))
    {
        try
        {
            SetAll(writes);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    void SetAll(bool writes)
    {
        Set("journal_mode", "wal", "wal");
        Set("synchronous", "FULL", "2");
        Set("foreign_keys", "ON", "1");
        Set("trusted_schema", "OFF", "0");
        Set("cell_size_check", "ON", "1");
        // A deleted key shall not stay behind in a free page.
        Set("secure_delete", "ON", "1");
        // Each command of a group has a savepoint, whose pages would otherwise go through a file: 50 writes a reservation,
        // and on a read-only root there may be no folder for it.
        Set("temp_store", "MEMORY", "2");
        // A group of reservations touches more pages than the default of 2 MiB holds.
        if (writes) Set("cache_size", "-32768", "-32768");
        // Most pages change in every group: a log of 16 MiB copies each of them into the file a quarter as often.
        Set("wal_autocheckpoint", "4096", "4096");
        if (!writes) Set("query_only", "ON", "1");
    }

    protected override DbParameter Parameter(int number) => new SqliteParameter { ParameterName = $"${number}" };

    static SqliteConnection Connect(string path, bool writes)
    {
        // SQLite would make it readable to all; its log gets the mode of the file.
        if (writes && !File.Exists(path)) Disk.Open(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite).Dispose();
        // A pooled connection keeps whatever was set last, "synchronous" included.
        var builder = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = writes ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            DefaultTimeout = 30,
        };
        var connection = new SqliteConnection(builder.ToString());
        connection.Open();
        return connection;
    }

    void Set(string pragma, string value, string expected)
    {
        Execute($"PRAGMA {pragma} = {value}");
        string actual = Text($"PRAGMA {pragma}");
        if (!string.Equals(actual, expected, StringComparison.OrdinalIgnoreCase))
            throw new StorageException(Reasons.LedgerNotServing, $"SQLite does not accept {pragma} = {value}.");
    }
}
