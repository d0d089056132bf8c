namespace PrivateKernels.Storage;

/// <summary>
/// The role by which servers use a ledger in PostgreSQL: it reads and appends, and the database refuses it everything that
/// would change an entry, take the trigger off, or drop a table. The tables belong to another role, their owner.
/// </summary>
public static class LedgerRole
{
    /// <summary>
    /// As the owner: makes the tables, or brings older ones up, and grants <paramref name="role"/> what a server needs and no
    /// more, in place of what it had. The role must exist, and be able to neither own nor rewrite the ledger.
    /// </summary>
    /// <param name="owner">Connection as the owner of the tables.</param>
    /// <param name="role">Name of the servers' role.</param>
    /// <returns>The statements that were run.</returns>
    public static IReadOnlyList<string> Grant(PostgresOptions owner, string role) => LedgerCheck.Reading(() =>
    {
        var dialect = new PostgresDialect(owner);
        using PostgresSession database = dialect.Connect(writes: true);
        if (database.Number("SELECT COUNT(*) FROM pg_roles WHERE rolname = $1", role) == 0)
            throw new InvalidFieldException("role", role, "must be a role of the database; CREATE ROLE makes one");
        if (!dialect.HasTables(database)) LedgerCheck.Create(dialect, database);
        Migration.Run(dialect, database);
        IReadOnlyList<string> statements = Statements(
            database.Text("SELECT quote_ident(current_schema())"), database.Text("SELECT quote_ident($1)", role),
            [.. PostgresDialect.Tables(database).Select(static t => t.Name)], owner.RequireSynchronousStandby);
        database.Execute("BEGIN");
        foreach (string statement in statements) database.Execute(statement);
        if (CanRewrite(database, role))
            throw new InvalidFieldException(
                "role", role, "must not be, or belong to, a superuser or the owner of the tables: it could rewrite the ledger");
        database.Execute("COMMIT");
        return statements;
    });

    /// <summary>Whether a role, or that of the session, could change or drop entries of the ledger: by its rights, or as owner.</summary>
    internal static bool CanRewrite(DatabaseSession database, string? role = null) => database.Number(
        """
        SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, COALESCE($1, current_user::text) AS who
          WHERE c.oid = 'ledger'::regclass AND (pg_has_role(who::name, c.relowner, 'MEMBER')
            OR pg_has_role(who::name, n.nspowner, 'MEMBER')
            OR has_table_privilege(who::name, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
            OR has_any_column_privilege(who::name, c.oid, 'UPDATE'))
        """,
        role) > 0;

    static List<string> Statements(string schema, string role, string[] all, bool seesStandbys)
    {
        string On(params string[] tables) => string.Join(", ", tables.Select(t => $"{schema}.{t}"));
        List<string> statements =
        [
            $"REVOKE ALL ON {On(all)} FROM {role}",
            $"GRANT USAGE ON SCHEMA {schema} TO {role}",
            $"GRANT SELECT ON {On(all)} TO {role}",
            $"GRANT INSERT ON {On("ledger")} TO {role}",
            // Neither the ledger's identity and its key of certificates nor the version of the tables.
            $"GRANT UPDATE (epoch, seq, hash, sealed) ON {On("ledger_head")} TO {role}",
            $"GRANT INSERT, UPDATE (limit_units, display_delta, spent_units, reserved_units) ON {On("accounts")} TO {role}",
            $"GRANT INSERT, UPDATE (state, resolve_seq, attempt, lease_until_s, release_sha256) ON {On("reservations")} TO {role}",
            $"GRANT INSERT, UPDATE (display_name, description, state, version, release_count) ON {On("datasets")} TO {role}",
            $"GRANT INSERT, UPDATE ON {On("releases", "imports")} TO {role}",
            $"GRANT INSERT, UPDATE, DELETE ON "
            + On(
                "uploads", "segments", "checkpoints", "dataset_keys", "operations", "jobs", "idempotency", "segment_chunks",
                "release_chunks")
            + $" TO {role}",
        ];
        // The state of standbys is hidden from others.
        if (seesStandbys) statements.Add($"GRANT pg_read_all_stats TO {role}");
        return statements;
    }
}
