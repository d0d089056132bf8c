using System.Data.Common;
using Npgsql;

namespace PrivateKernels.Storage;

/// <summary>A connection to PostgreSQL.</summary>
sealed class PostgresSession(NpgsqlConnection connection) : DatabaseSession(connection)
{
    protected override DbParameter Parameter(int number) => new NpgsqlParameter();
}
