using System.Data.Common;
using System.Globalization;

namespace PrivateKernels.Storage;

/// <summary>
/// A connection to the database with its prepared statements. Used by one thread at a time. Parameters are $1, $2, ...
/// </summary>
abstract class DatabaseSession(DbConnection connection) : IDisposable
{
    readonly Dictionary<string, DbCommand> _commands = [];

    /// <summary>Statements that were run so far, for tests of their plans.</summary>
    internal IReadOnlyCollection<string> Statements => _commands.Keys;

    /// <summary>Runs one statement and returns the number of rows it changed.</summary>
    internal int Execute(string sql, params ReadOnlySpan<object?> parameters) => Prepare(sql, parameters).ExecuteNonQuery();

    /// <summary>All rows of a query.</summary>
    internal List<T> Query<T>(string sql, Func<DbDataReader, T> read, params ReadOnlySpan<object?> parameters)
    {
        using DbDataReader reader = Prepare(sql, parameters).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    /// <summary>The rows of a query one by one; until the last of them nothing else may run.</summary>
    internal IEnumerable<T> Stream<T>(string sql, Func<DbDataReader, T> read, params object?[] parameters)
    {
        using DbDataReader reader = Prepare(sql, parameters).ExecuteReader();
        while (reader.Read()) yield return read(reader);
    }

    /// <summary>The first row of a query, or null.</summary>
    internal T? First<T>(string sql, Func<DbDataReader, T> read, params ReadOnlySpan<object?> parameters) where T : class
    {
        using DbDataReader reader = Prepare(sql, parameters).ExecuteReader();
        return reader.Read() ? read(reader) : null;
    }

    /// <summary>The integer a query yields; 0 for none and for NULL.</summary>
    internal long Number(string sql, params ReadOnlySpan<object?> parameters) =>
        Prepare(sql, parameters).ExecuteScalar() is long number ? number : 0;

    /// <summary>The text a query yields, or "".</summary>
    internal string Text(string sql, params ReadOnlySpan<object?> parameters) =>
        Convert.ToString(Prepare(sql, parameters).ExecuteScalar(), CultureInfo.InvariantCulture) ?? "";

    public void Dispose()
    {
        foreach (DbCommand command in _commands.Values) command.Dispose();
        connection.Dispose();
    }

    /// <summary>A parameter that stands for <c>$number</c>.</summary>
    protected abstract DbParameter Parameter(int number);

    DbCommand Prepare(string sql, ReadOnlySpan<object?> parameters)
    {
        if (!_commands.TryGetValue(sql, out DbCommand? command))
        {
            command = connection.CreateCommand();
#pragma warning disable CA2100 // the text is of this assembly
            command.CommandText = sql;
#pragma warning restore CA2100
            for (int i = 1; i <= parameters.Length; i++) command.Parameters.Add(Parameter(i));
            _commands.Add(sql, command);
        }
        for (int i = 0; i < parameters.Length; i++) command.Parameters[i].Value = Stored(parameters[i]);
        return command;
    }

    static object Stored(object? value) => value switch
    {
        null => DBNull.Value,
        int number => (long)number,
        ReadOnlyMemory<byte> bytes => bytes.ToArray(),
        Enum number => Convert.ToInt64(number, CultureInfo.InvariantCulture),
        DateTimeOffset time => time.ToUnixTimeSeconds(),
        _ => value,
    };
}
