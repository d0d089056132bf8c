using Npgsql;

namespace PrivateKernels.Tests;

/// <summary>The role by which servers use PostgreSQL. What it may do is all that a server needs; the ledger battery runs on it.</summary>
public sealed class LedgerRoleTests(PostgresServer server)
{
    [Theory]
    [InlineData("UPDATE ledger SET units = 1")]
    [InlineData("DELETE FROM ledger")]
    [InlineData("TRUNCATE ledger CASCADE")]
    [InlineData("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")]
    [InlineData("ALTER TABLE ledger DROP COLUMN body")]
    [InlineData("DROP TRIGGER ledger_append_only ON ledger")]
    [InlineData("DROP TABLE ledger CASCADE")]
    [InlineData("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")]
    [InlineData("CREATE TRIGGER other BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION refuse()")]
    [InlineData("SET session_replication_role = replica")]
    [InlineData("UPDATE ledger_head SET mac_key = ''")]
    [InlineData("UPDATE reservations SET units = 1")]
    [InlineData("UPDATE datasets SET definition = ''")]
    [InlineData("DELETE FROM accounts")]
    [InlineData("DELETE FROM reservations")]
    [InlineData("UPDATE schema_digest SET sha256 = ''")]
    public void What_would_change_an_entry_is_refused_by_the_database(string change)
    {
        string connection = server.NewServedSchema();
        PostgresException refused = Assert.Throws<PostgresException>(() => PostgresServer.Run(connection, change));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task Everything_that_servers_do_works_and_the_database_stays_what_its_owner_made()
    {
        string connection = server.NewServedSchema();
        using EncryptionKey key = Key();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using (DataDirectory first = left.Open(left.Options with { EncryptionKey = key }))
        using (DataDirectory second = right.Open(right.Options with { EncryptionKey = key }))
        {
            Assert.False(first.CanRewriteLedger);
            await PostgresOperatorTests.Fill(first);
            await PostgresOperatorTests.Spend(second, "s");
            await first.Datasets.UpdateAsync(Scratch.Call("UpdateDataset", "datasets/people"), "people", "", "name", null, static _ => []);
            await second.Datasets.UpdateBudgetAsync(
                Scratch.Call("UpdateBudget", "datasets/people"), "people", Scratch.Gaussian with { LimitUnits = Units.OfMu(2) }, "more",
                static _ => []);
            string gone = Guid.NewGuid().ToString();
            using (await first.Datasets.OpenUploadAsync("people", gone)) await first.Datasets.AbortUploadAsync("people", gone);
            Build voided = (await first.Ledger.ReserveAsync(Scratch.Request("people", "v", Scratch.Measurement(0.1)))).Build!;
            await first.Ledger.VoidAsync(voided, "CANCELLED", "cancelled");
            await first.ExpireAsync();
            Assert.Empty(await second.KeepBuildsAsync());
            await second.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/people"), "people", "", true, static _ => []);
        }
        Assert.Equal([], [.. left.Exits, .. right.Exits]);
        Assert.False(LedgerAudit.Verify(left.Path, left.Options, []).CanRewrite);
        using var copy = new Scratch();
        Backup.Create(left.Path, left.Options, copy.Path);
        Assert.True(Restore.Run(left.Path, left.Options, [], acceptLoss: true).AcceptedLoss);
        left.Open(left.Options with { EncryptionKey = key }).Dispose();
    }

    [Fact]
    public void A_role_that_could_rewrite_the_ledger_is_known_and_none_is_made_of_it()
    {
        string owner = server.NewSchema(), member = $"member{Guid.NewGuid():N}";
        using var scratch = new Scratch(postgres: new(owner));
        using (DataDirectory directory = scratch.Open()) Assert.True(directory.CanRewriteLedger);
        Assert.True(LedgerAudit.Verify(scratch.Path, scratch.Options, []).CanRewrite);
        PostgresServer.Run(owner, $"CREATE ROLE {member}; GRANT pk TO {member}");
        foreach (string role in (string[])["pk", member, "nobody-at-all"])
            Assert.Equal("role", Assert.Throws<InvalidFieldException>(() => LedgerRole.Grant(new(owner), role)).Field);
        using var sqlite = new Scratch();
        using (DataDirectory directory = sqlite.Open()) Assert.Null(directory.CanRewriteLedger);
        // Granted by hand, and taken back by the next grant.
        string served = server.NewServedSchema();
        string name = new NpgsqlConnectionStringBuilder(served).Username!;
        string tables = served.Replace(name, "pk", StringComparison.Ordinal);
        PostgresServer.Run(tables, $"GRANT UPDATE (units) ON ledger TO {name}");
        using var loose = new Scratch(postgres: new(served));
        Assert.True(LedgerAudit.Verify(loose.Path, loose.Options, []).CanRewrite);
        LedgerRole.Grant(new(tables), name);
        Assert.False(LedgerAudit.Verify(loose.Path, loose.Options, []).CanRewrite);
    }

    [Fact]
    public void A_role_without_tables_or_rights_is_told_what_makes_them()
    {
        string schema = server.NewSchema(), role = $"bare{Guid.NewGuid():N}";
        PostgresServer.Run(schema, $"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema[(schema.LastIndexOf('=') + 1)..]} TO {role}");
        using var scratch = new Scratch(postgres: new(schema.Replace("Username=pk", $"Username={role}", StringComparison.Ordinal)));
        StorageException refused = Assert.Throws<StorageException>(() => scratch.Open());
        Assert.Equal(Reasons.LedgerNotServing, refused.Reason);
        Assert.Contains("pk ledger role", refused.Message, StringComparison.Ordinal);
        StorageOptions beside = scratch.Options with { WitnessConnectionString = scratch.Options.Postgres!.ConnectionString };
        Assert.Contains("pk_witness", Assert.Throws<StorageException>(() => scratch.Open(beside)).Message, StringComparison.Ordinal);
        LedgerRole.Grant(new(schema), role);
        scratch.Open().Dispose();
    }

    static EncryptionKey Key() => EncryptionKey.Parse(Convert.ToBase64String(Enumerable.Repeat((byte)7, 32).ToArray()), "key");
}
