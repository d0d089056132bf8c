using Microsoft.Data.Sqlite;

namespace PrivateKernels.Storage;

/// <summary>
/// A connection to the database with its prepared statements. Used by one thread at a time. Parameters are $1, $2, ...
/// </summary>
sealed class SqliteSession : IDisposable
{
    readonly SqliteConnection _connection;
    readonly Dictionary<string, SqliteCommand> _commands = [];

    /// <summary>Opens the file, sets what durability rests on and reads it back.</summary>
    internal SqliteSession(string path, bool writes)
    {
        // A pooled connection keeps whatever was set last, "synchronous" included.
        var connection = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = writes ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            DefaultTimeout = 30,
        };
        _connection = new SqliteConnection(connection.ToString());
        _connection.Open();
        Set("journal_mode", "wal", "wal");
        Set("synchronous", "FULL", "2");
        Set("foreign_keys", "ON", "1");
        Set("trusted_schema", "OFF", "0");
        Set("cell_size_check", "ON", "1");
        if (!writes) Set("query_only", "ON", "1");
    }

    /// <summary>Errors after which nothing that was written in the process can be believed.</summary>
    internal static bool IsFatal(SqliteException e) => e.SqliteErrorCode is 10 or 11 or 13 or 26; // IOERR CORRUPT FULL NOTADB

    /// <summary>Runs one statement and returns the number of rows it changed.</summary>
    internal int Execute(string sql, params ReadOnlySpan<object?> parameters) => Prepare(sql, parameters).ExecuteNonQuery();

    /// <summary>All rows of a query.</summary>
    internal List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> parameters)
    {
        using SqliteDataReader reader = Prepare(sql, parameters).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    /// <summary>The first row of a query, or null.</summary>
    internal T? First<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> parameters) where T : class
    {
        using SqliteDataReader reader = Prepare(sql, parameters).ExecuteReader();
        return reader.Read() ? read(reader) : null;
    }

    /// <summary>The integer a query yields; 0 for none and for NULL.</summary>
    internal long Number(string sql, params ReadOnlySpan<object?> parameters) =>
        Prepare(sql, parameters).ExecuteScalar() is long number ? number : 0;

    /// <summary>The text a query yields, or "".</summary>
    internal string Text(string sql, params ReadOnlySpan<object?> parameters) =>
        Convert.ToString(Prepare(sql, parameters).ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture) ?? "";

    public void Dispose()
    {
        foreach (SqliteCommand command in _commands.Values) command.Dispose();
        _connection.Dispose();
    }

    void Set(string pragma, string value, string expected)
    {
        Execute($"PRAGMA {pragma} = {value}");
        string actual = Text($"PRAGMA {pragma}");
        if (!string.Equals(actual, expected, StringComparison.OrdinalIgnoreCase))
            throw new StorageException(Reasons.LedgerNotServing, $"SQLite does not accept {pragma} = {value}.");
    }

    SqliteCommand Prepare(string sql, ReadOnlySpan<object?> parameters)
    {
        if (!_commands.TryGetValue(sql, out SqliteCommand? command))
        {
            command = _connection.CreateCommand();
#pragma warning disable CA2100 // the text is of this assembly
            command.CommandText = sql;
#pragma warning restore CA2100
            for (int i = 1; i <= parameters.Length; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"${i}" });
            _commands.Add(sql, command);
        }
        for (int i = 0; i < parameters.Length; i++) command.Parameters[i].Value = Stored(parameters[i]);
        return command;
    }

    static object Stored(object? value) => value switch
    {
        null => DBNull.Value,
        ReadOnlyMemory<byte> bytes => bytes.ToArray(),
        Enum number => Convert.ToInt64(number, System.Globalization.CultureInfo.InvariantCulture),
        DateTimeOffset time => time.ToUnixTimeSeconds(),
        _ => value,
    };
}
