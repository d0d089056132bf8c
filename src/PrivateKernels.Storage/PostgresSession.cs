using System.Data.Common;
using Npgsql;

namespace PrivateKernels.Storage;

/// <summary>A connection to PostgreSQL.</summary>
sealed class PostgresSession(NpgsqlConnection connection) : DatabaseSession(connection)
{
    readonly NpgsqlConnection _connection = connection;

    /// <summary>Writes what "COPY … TO STDOUT" gives.</summary>
    internal void CopyTo(string sql, Stream target)
    {
        using NpgsqlRawCopyStream rows = _connection.BeginRawBinaryCopy(sql);
        rows.CopyTo(target, 1 << 20);
    }

    /// <summary>Hands a stream to "COPY … FROM STDIN"; nothing of it counts if either breaks off.</summary>
    internal void CopyFrom(string sql, Stream source)
    {
        using NpgsqlRawCopyStream rows = _connection.BeginRawBinaryCopy(sql);
        try
        {
            source.CopyTo(rows, 1 << 20);
        }
        catch
        {
            rows.Cancel();
            throw;
        }
    }

    protected override DbParameter Parameter(int number) => new NpgsqlParameter();
}
