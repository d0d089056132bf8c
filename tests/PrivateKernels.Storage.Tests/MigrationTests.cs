using Microsoft.Data.Sqlite;

namespace PrivateKernels.Tests;

/// <summary>Data directories as an older version of this program left them: its own tables, with what was in them.</summary>
public sealed class MigrationTests(PostgresServer server)
{
    static readonly string Id = Guid.NewGuid().ToString();

    [Fact]
    public async Task Tables_of_an_older_version_are_brought_up_with_all_that_is_in_them()
    {
        using var scratch = new Scratch();
        Facts before = await Fill(scratch);
        MakeOlder(scratch);
        using (DataDirectory directory = scratch.Open()) await Check(directory, before);
        // What was there is kept, and does not serve: a restore by the older program would unseal it.
        using (var copy = new SqliteSession(scratch.FileOf("pk.db.version-2"), writes: false))
        {
            Assert.Equal(2, copy.Number("SELECT schema_version FROM ledger_head"));
            Assert.True(LedgerCheck.IsSealed(copy));
            Assert.Equal(before.Head.Hash.ToArray(), LedgerCheck.ReadPosition(copy).Hash.ToArray());
        }
        using DataDirectory again = scratch.Open();
        Assert.Empty(scratch.Exits);
    }

    [Fact]
    public async Task An_older_backup_can_be_restored()
    {
        using var scratch = new Scratch();
        Facts before = await Fill(scratch);
        MakeOlder(scratch);
        scratch.Open().Dispose();
        File.Move(scratch.FileOf("pk.db.version-2"), scratch.FileOf("pk.db"), overwrite: true);
        Assert.Equal(Reasons.LedgerCorrupt, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
        Assert.False(Restore.Run(scratch.Path, scratch.Options, [], acceptLoss: false).AcceptedLoss);
        using DataDirectory restored = scratch.Open();
        await Check(restored, before);
    }

    [Theory]
    [InlineData("DROP TRIGGER ledger_no_update")]
    [InlineData("DROP INDEX active_datasets")]
    [InlineData("UPDATE accounts SET spent_units = spent_units - 1")]
    public async Task A_damaged_older_ledger_is_refused_and_left_as_it_is(string damage)
    {
        using var scratch = new Scratch();
        await Fill(scratch);
        MakeOlder(scratch);
        using (var database = new SqliteSession(scratch.FileOf("pk.db"), writes: true)) database.Execute(damage);
        Assert.Equal(Reasons.LedgerCorrupt, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
        using var left = new SqliteSession(scratch.FileOf("pk.db"), writes: false);
        Assert.Equal(2, left.Number("SELECT schema_version FROM ledger_head"));
        Assert.Equal(0, left.Number("SELECT COUNT(*) FROM pragma_table_info('uploads') WHERE name = 'active_s'"));
    }

    [Theory]
    [InlineData(1, "version 1", "no upgrade")]
    [InlineData(4, "version 4", "newer")]
    public async Task Tables_that_cannot_be_brought_up_are_refused_with_both_versions(int version, string named, string cure)
    {
        using var scratch = new Scratch();
        await Fill(scratch);
        using (var database = new SqliteSession(scratch.FileOf("pk.db"), writes: true))
            database.Execute("UPDATE ledger_head SET schema_version = $1", version);
        StorageException error = Assert.Throws<StorageException>(() => scratch.Open());
        Assert.Equal((Reasons.LedgerCorrupt, 76), (error.Reason, Reasons.ExitCode(error.Reason)));
        Assert.All([named, "version 3", cure], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Contains(
            named, Assert.Throws<StorageException>(() => LedgerAudit.Verify(scratch.Path, scratch.Options, [])).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(scratch.FileOf($"pk.db.version-{version}")));
    }

    [Fact]
    public async Task Tables_of_an_older_version_in_PostgreSQL_become_those_of_a_new_one()
    {
        string now = server.NewSchema(), older = server.NewSchema(), fresh = server.NewSchema();
        using var scratch = new Scratch(postgres: new(now));
        Facts before = await Fill(scratch);
        MakeOlderPostgres(now, older);
        using var first = new Scratch(scratch.Path, new(older));
        using var second = new Scratch(postgres: new(older));
        // Two servers start at once; one of them does it.
        DataDirectory[] both = await Task.WhenAll(Task.Run(() => first.Open()), Task.Run(() => second.Open()));
        using (DataDirectory directory = both[0], other = both[1])
        {
            await Check(directory, before);
            Assert.Equal(before.Release, Scratch.Content(other, other.Releases.Get("people", "r")));
        }
        using (var made = new Scratch(postgres: new(fresh))) made.Open().Dispose();
        Assert.Equal(Shape(fresh), Shape(older));
        using var newer = new Scratch(postgres: new(older));
        PostgresServer.Run(older, "UPDATE ledger_head SET schema_version = 6");
        Assert.Contains("version 6", Assert.Throws<StorageException>(() => newer.Open()).Message, StringComparison.Ordinal);
    }

    /// <summary>What must be as it was.</summary>
    sealed record Facts(LedgerPosition Head, AccountRow Account, byte[] Release, float[] Rows);

    /// <summary>Rows, a release, and an upload and a build that are under way.</summary>
    static async Task<Facts> Fill(Scratch scratch)
    {
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        float[] rows = Scratch.Rows(20, 1);
        await Scratch.Ingest(directory, "people", rows);
        Measurement measurement = Scratch.Measurement(0.25);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        byte[] content = Scratch.Content(directory, await Scratch.Finish(directory, build, measurement));
        using (Upload upload = await directory.Datasets.OpenUploadAsync("people", Id))
        {
            upload.Append(Scratch.Batch(1, Scratch.Rows(5, 2)));
            upload.Flush();
        }
        return new(directory.Ledger.Head, directory.Datasets.GetBudget("people")!, content, rows);
    }

    static async Task Check(DataDirectory directory, Facts before)
    {
        Assert.True(Witness.Same(before.Head, directory.Ledger.Head));
        Assert.Equal(before.Account, directory.Datasets.GetBudget("people"));
        Assert.Equal(before.Release, Scratch.Content(directory, directory.Releases.Get("people", "r")));
        Assert.Equal(2ul, directory.Datasets.GetUpload("people", Id).NextSequence);
        using (Upload upload = await directory.Datasets.OpenUploadAsync("people", Id)) await upload.FinishAsync(5, 1);
        Measurement measurement = Scratch.Measurement(0.25);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "s", measurement))).Build!;
        Assert.Equal([.. before.Rows, .. Scratch.Rows(5, 2)], Scratch.ReadAll(build));
        await Scratch.Finish(directory, build, measurement);
    }

    /// <summary>Puts a database made by the older version's own text in the place of the present one.</summary>
    static void MakeOlder(Scratch scratch)
    {
        string path = scratch.FileOf("older.db"), present = scratch.FileOf("pk.db");
        using (var database = new SqliteConnection($"Data Source={path};Pooling=False;Foreign Keys=False"))
        {
            database.Open();
            Run(Golden("tables-sqlite-2.sql"));
            Run($"ATTACH '{present}' AS now");
            foreach (string table in Names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"))
            {
                string columns = string.Join(", ", Names($"SELECT name FROM pragma_table_info('{table}')"));
                Run($"INSERT INTO {table} ({columns}) SELECT {columns} FROM now.{table}");
            }
            Run("UPDATE ledger_head SET schema_version = 2");

            void Run(string sql)
            {
                using SqliteCommand command = database.CreateCommand();
#pragma warning disable CA2100 // the text is of the tests
                command.CommandText = sql;
                command.ExecuteNonQuery();
            }

            List<string> Names(string sql)
            {
                using SqliteCommand command = database.CreateCommand();
                command.CommandText = sql;
#pragma warning restore CA2100
                using SqliteDataReader reader = command.ExecuteReader();
                var names = new List<string>();
                while (reader.Read()) names.Add(reader.GetString(0));
                return names;
            }
        }
        File.Move(path, present, overwrite: true);
    }

    /// <summary>Makes the older version's tables in a schema of their own, and copies into them what is in the present ones.</summary>
    static void MakeOlderPostgres(string present, string older)
    {
        string from = present[(present.LastIndexOf('=') + 1)..];
        PostgresServer.Run(older, Golden("tables-postgres-3.sql"));
        using var session = new PostgresSession(PostgresDialect.Open(older, true, "test"));
        session.Execute("SET session_replication_role = replica");
        foreach (string table in session.Query(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'schema_digest' ORDER BY 1",
            static r => r.GetString(0)))
        {
            string columns = string.Join(", ", session.Query(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1",
                static r => r.GetString(0), table));
            session.Execute($"INSERT INTO {table} ({columns}) SELECT {columns} FROM {from}.{table}");
        }
        foreach (string table in (string[])["datasets", "releases", "imports", "jobs"])
            session.Execute($"SELECT setval(pg_get_serial_sequence('{table}', 'row_id'), 100)");
        session.Execute("UPDATE ledger_head SET schema_version = 3");
        new PostgresDialect(new(older)).Created(session);
    }

    static string Shape(string connection)
    {
        using var session = new PostgresSession(PostgresDialect.Open(connection, true, "test"));
        string schema = connection[(connection.LastIndexOf('=') + 1)..];
        return PostgresDialect.Described(session).Replace(schema, "schema", StringComparison.Ordinal);
    }

    static string Golden(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", name));
}
