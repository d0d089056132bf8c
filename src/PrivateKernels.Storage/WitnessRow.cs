using Npgsql;

namespace PrivateKernels.Storage;

/// <summary>The newest position of the ledger as a row in a PostgreSQL of its own, changed by compare-and-set.</summary>
/// <remarks>
/// Guarantee: as that of <see cref="Witness"/>; and servers that share it see each other, so that a ledger restored under
/// one of them is noticed by all.
/// </remarks>
sealed class WitnessRow : IWitness
{
    readonly PostgresSession _session;

    /// <summary>Makes the table where it is missing.</summary>
    internal WitnessRow(string connectionString, bool allowInsecure) : this(connectionString, allowInsecure, makes: true)
    {
    }

    WitnessRow(string connectionString, bool allowInsecure, bool makes)
    {
        _session = new(PostgresDialect.Open(connectionString, allowInsecure, "Witness:ConnectionString"));
        // A role that may not make tables may use the one that is there.
        if (!makes || HasTable) return;
        try
        {
            _session.Execute(
                """
                CREATE TABLE IF NOT EXISTS pk_witness (id bigint PRIMARY KEY CHECK (id = 1), ledger_id bytea NOT NULL,
                  epoch bigint NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL)
                """);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            Dispose();
            throw new StorageException(
                Reasons.LedgerNotServing,
                "The role of Witness:ConnectionString may not make its table, pk_witness. Let it create one, or give it a database of its own.",
                null, e);
        }
    }

    bool HasTable => _session.Number("SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'pk_witness'") > 0;

    /// <summary>What the row holds; it, and its table, may be missing.</summary>
    internal static Sighting Look(string connectionString, bool allowInsecure)
    {
        using var row = new WitnessRow(connectionString, allowInsecure, makes: false);
        return row.HasTable ? Sighting.Of(row) : new(null, IsNew: true);
    }

    public bool IsNew => Read() is null;

    public LedgerPosition? Read() => _session.First(
        "SELECT ledger_id, epoch, seq, hash FROM pk_witness WHERE id = 1",
        static r => new LedgerPosition((byte[])r[0], r.GetInt64(1), r.GetInt64(2), (byte[])r[3]));

    public bool TryAdvance(LedgerPosition? from, LedgerPosition to) => from is null
        ? _session.Execute(
            "INSERT INTO pk_witness (id, ledger_id, epoch, seq, hash) VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING",
            to.LedgerId, to.Epoch, to.Sequence, to.Hash) == 1
        : _session.Execute(
            """
            UPDATE pk_witness SET epoch = $1, seq = $2, hash = $3
              WHERE id = 1 AND ledger_id = $4 AND epoch = $5 AND seq = $6 AND hash = $7
            """,
            to.Epoch, to.Sequence, to.Hash, from.LedgerId, from.Epoch, from.Sequence, from.Hash) == 1;

    public void Dispose() => _session.Dispose();
}
