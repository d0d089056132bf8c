using System.Diagnostics;

namespace PrivateKernels.Tests;

/// <summary>As servers use it: by a role that may only read and append.</summary>
public sealed class PostgresLedgerTests(PostgresServer server) : LedgerBattery
{
    internal override Scratch NewScratch() => new(postgres: new(server.NewServedSchema()));

    internal override int Races => Scale.Of(10, 1_000);
}

/// <summary>Several servers over one PostgreSQL.</summary>
public sealed class PostgresTests(PostgresServer server)
{
    [Fact]
    public async Task The_last_unit_goes_to_one_caller_of_two_servers()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = left.Open(), second = right.Open();
        for (int round = 0; round < 10; round++)
        {
            string dataset = $"people{round}";
            await Scratch.Create(first, dataset, new(CostUnit.Epsilon, 1, 0));
            string[] outcomes = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(
                () => LedgerBattery.Outcome(i % 2 == 0 ? first : second, dataset, i))));
            Assert.Single(outcomes, static o => o == "won");
            Assert.Equal(63, outcomes.Count(static o => o == Reasons.BudgetExhausted));
            Assert.Equal(1, second.Datasets.GetBudget(dataset)!.ReservedUnits);
        }
        Assert.Empty(left.Exits);
        Assert.Empty(right.Exits);
    }

    [Fact]
    public async Task Rows_and_releases_of_one_server_are_those_of_the_other()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = left.Open(), second = right.Open();
        await Scratch.Create(first, "people", Scratch.Gaussian);
        float[] rows = Scratch.Rows(20, 1);
        await Scratch.Ingest(first, "people", rows);
        Assert.Equal(20, second.Datasets.Get("people").RecordCount);
        Measurement measurement = Scratch.Measurement();
        Build build = (await second.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        Assert.Equal(rows, Scratch.ReadAll(build));
        byte[] file = Scratch.Content(second, await Scratch.Finish(second, build, measurement));
        Assert.Equal(file, Scratch.Content(first, first.Releases.Get("people", "r")));
        Assert.True(Witness.Same(first.Ledger.Head, first.Ledger.ListEntries(null, 0, 100)[^1].Position));
        ReserveRequest request = Scratch.Request("people", "again", Scratch.Measurement(0.1));
        Reservation[] both = await Task.WhenAll(first.Ledger.ReserveAsync(request), second.Ledger.ReserveAsync(request));
        Assert.Single(both, static r => r.Build is not null);
        // A deleted file is gone for both, a deleted dataset takes its rows with it.
        await first.Ledger.VoidAsync(both.Single(static r => r.Build is not null).Build!, "CANCELLED", "cancelled");
        await first.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/people"), "people", "", true, static _ => []);
        Assert.Equal(ReleaseState.Deleted, second.Releases.Get("people", "r").State);
        foreach (string table in (string[])["segment_chunks", "release_chunks"])
            Assert.Equal(0, second.Read(d => d.Number($"SELECT COUNT(*) FROM {table}")));
    }

    [Fact]
    public async Task Rows_put_there_for_a_commit_that_never_came_are_deleted_at_a_start_once_their_time_is_over()
    {
        string connection = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        using (DataDirectory directory = scratch.Open(scratch.Options with { MaxRecords = 25 }))
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Ingest(directory, "people", Scratch.Rows(20, 1));
            await Scratch.Refused(Reasons.LimitExceeded, () => Scratch.Ingest(directory, "people", Scratch.Rows(20, 2)));
            Assert.Equal(2, Segments(directory));
        }
        using (DataDirectory directory = scratch.Open()) Assert.Equal(2, Segments(directory));
        PostgresServer.Run(connection, "UPDATE segment_chunks SET stored = stored - interval '25 hours'");
        using var elsewhere = new Scratch(postgres: new(connection));
        using DataDirectory other = elsewhere.Open();
        Assert.Equal(1, Segments(other));
        // What was committed stays, however old: this server has it from nowhere else.
        Build build = (await other.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        Assert.Equal(Scratch.Rows(20, 1), Scratch.ReadAll(build));

        static long Segments(DataDirectory directory) => directory.Read(static d => d.Number("SELECT COUNT(DISTINCT uid) FROM segment_chunks"));
    }

    [Fact]
    public async Task An_upload_to_one_server_is_judged_by_the_other_by_its_last_rows_and_not_by_its_age()
    {
        string connection = server.NewSchema(), id = Guid.NewGuid().ToString();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        var clock = new LaterClock();
        using DataDirectory first = left.Open(left.Options with { Clock = clock }), second = right.Open(right.Options with { Clock = clock });
        await Scratch.Create(first, "people", Scratch.Pure);
        using (Upload upload = await first.Datasets.OpenUploadAsync("people", id))
        {
            upload.Append(Scratch.Batch(1, Scratch.Rows(5, 1)));
            upload.Flush();
            clock.Later = TimeSpan.FromHours(20);
            upload.Append(Scratch.Batch(2, Scratch.Rows(5, 2)));
            upload.Flush();
        }
        clock.Later = TimeSpan.FromHours(40);
        await second.ExpireAsync();
        Assert.Equal(3ul, first.Datasets.GetUpload("people", id).NextSequence);
        // Opening it is a sign of life too.
        using (Upload resumed = await first.Datasets.OpenUploadAsync("people", id)) Assert.Equal(3ul, resumed.NextSequence);
        clock.Later = TimeSpan.FromHours(60);
        await second.ExpireAsync();
        using (Upload last = await first.Datasets.OpenUploadAsync("people", id)) Assert.Equal(3ul, last.NextSequence);
        clock.Later = TimeSpan.FromHours(90);
        await second.ExpireAsync();
        await Scratch.Refused(Reasons.ResourceNotFound, () => Task.FromResult(first.Datasets.GetUpload("people", id)));
    }

    [Fact]
    public async Task A_connection_that_was_cut_is_replaced_for_reading()
    {
        string connection = $"{server.NewSchema()};Application Name=cut";
        using var scratch = new Scratch(postgres: new(connection));
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        Assert.Equal("people", directory.Datasets.Get("people").Id);
        PostgresServer.Run(
            server.Connection("postgres"), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'");
        await Scratch.Refused(Reasons.LedgerNotServing, () => Task.FromResult(directory.Datasets.Get("people")));
        Assert.Equal("people", directory.Datasets.Get("people").Id);
        Assert.Empty(scratch.Exits);
        // What the writer's connection had begun is not known: a spend ends the process.
        await Scratch.Refused(Reasons.LedgerNotServing, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1)));
        Assert.Equal(74, Assert.Single(scratch.Exits).Code);
    }

    [Theory]
    [InlineData("reserve.after_commit")]
    [InlineData("build.aggregating")]
    [InlineData("build.after_draw")]
    [InlineData("post.before_commit")]
    [InlineData("post.after_commit")]
    [InlineData("void.before_commit")]
    public async Task What_a_killed_server_was_building_is_taken_over_by_another_one(string failpoint)
    {
        string connection = server.NewSchema();
        using var gone = new Scratch(postgres: new(connection));
        Assert.Equal(137, (await CrashTests.Run(gone, failpoint, "kill", connection: connection)).ExitCode);
        using var scratch = new Scratch(postgres: new(connection, LeaseSeconds: 1));
        using DataDirectory directory = scratch.Open();
        // On another machine's disk: a build that began there is not this server's until its lease has passed.
        Assert.Empty(directory.TakeInterruptedBuilds());
        ReleaseRow open = directory.Releases.Get("people", failpoint.StartsWith("void", StringComparison.Ordinal) ? "second" : "first");
        if (failpoint != "post.after_commit")
        {
            Build taken = Assert.Single(await Wait(directory));
            Assert.Equal((open.Uid, 2), (taken.Release.Uid, taken.Receipt.Attempt));
            await Scratch.Finish(directory, taken, Scratch.Measurement());
        }
        ReleaseRow ready = directory.Releases.Get("people", open.Id);
        byte[] content = Scratch.Content(directory, ready);
        AccountRow account = directory.Datasets.GetBudget("people")!;
        Assert.Equal(0, account.ReservedUnits);
        Assert.Equal(directory.Releases.List("people", null, 9, [ReleaseState.Ready]).Sum(static r => r.Cost.Units), account.SpentUnits);
        // The killed server comes back: its draw of the older attempt is deleted, and it serves the other's.
        using DataDirectory back = gone.Open(gone.Options with { Postgres = new(connection) });
        Assert.Equal(content, Scratch.Content(back, back.Releases.Get("people", open.Id)));
        Assert.Empty(Directory.GetFiles(gone.FileOf("pending")));
    }

    [Fact]
    public async Task A_server_that_lives_keeps_its_builds_and_one_that_lost_them_cannot_post()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection, LeaseSeconds: 1));
        using var right = new Scratch(postgres: new(connection, LeaseSeconds: 1));
        using DataDirectory first = left.Open(), second = right.Open();
        await Scratch.Create(first, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement();
        Build build = (await first.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        await Task.Delay(2500, TestContext.Current.CancellationToken);
        // Late, but alive: the sign of life comes before the look for what is overdue.
        Assert.Empty(await first.KeepBuildsAsync());
        Assert.Empty(await second.KeepBuildsAsync());
        SavedRelease draw = first.Releases.Save(build, ReleaseFile.Write(Scratch.Draw(build, measurement)));
        Build taken = Assert.Single(await Wait(second));
        await Assert.ThrowsAsync<InvalidOperationException>(() => first.Ledger.PostAsync(build, draw));
        ReleaseRow posted = await Scratch.Finish(second, taken, measurement);
        Assert.NotEqual(draw.Sha256.ToArray(), posted.Sha256.ToArray());
        Assert.Single(first.Ledger.ListEntries(null, 0, 100), static e => e.Kind == LedgerEntryKind.Post);
    }

    [Fact]
    public async Task A_database_restored_from_an_older_one_is_refused_by_either_witness()
    {
        PostgresServer.Run(server.Connection("postgres"), "CREATE DATABASE newer");
        string connection = server.Connection("newer"), witness = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        StorageOptions elsewhere = right.Options with { WitnessConnectionString = witness };
        using (DataDirectory first = left.Open(), second = right.Open(elsewhere)) await Scratch.Create(first, "people", Scratch.Pure);
        PostgresServer.Run(server.Connection("postgres"), "CREATE DATABASE older TEMPLATE newer");
        using (DataDirectory first = left.Open(), second = right.Open(elsewhere))
        {
            await first.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1));
            await second.Ledger.ReserveAsync(Scratch.Hold("people", "s", 1));
        }
        PostgresServer.Run(server.Connection("postgres"), "DROP DATABASE newer");
        PostgresServer.Run(server.Connection("postgres"), "ALTER DATABASE older RENAME TO newer");
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => left.Open()).Reason);
        using var fresh = new Scratch(postgres: new(connection));
        StorageOptions joined = fresh.Options with { WitnessConnectionString = witness };
        StorageException error = Assert.Throws<StorageException>(() => fresh.Open(joined));
        Assert.Equal((Reasons.LedgerBehind, 76), (error.Reason, Reasons.ExitCode(error.Reason)));

        // Only an accepted loss, with everything charged, takes it into service again: here and for the other servers.
        Assert.Throws<StorageException>(() => Restore.Run(fresh.Path, joined, [], acceptLoss: false));
        RestoreReport report = Restore.Run(fresh.Path, joined, [], acceptLoss: true);
        Assert.Equal((true, 2, 0), (report.AcceptedLoss, report.Head.Epoch, Assert.Single(report.Accounts).RemainingUnits));
        using DataDirectory third = fresh.Open(joined), back = left.Open(), also = right.Open(elsewhere);
        await Scratch.Refused(Reasons.BudgetExhausted, () => back.Ledger.ReserveAsync(Scratch.Hold("people", "t", 1)));
        Assert.True(Witness.Same(third.Ledger.Head, also.Ledger.Head));
    }

    [Theory]
    [InlineData("UPDATE ledger SET units = 1")]
    [InlineData("DELETE FROM ledger")]
    [InlineData("TRUNCATE ledger CASCADE")]
    [InlineData("UPDATE reservations SET attempt = 2 WHERE state = 2")]
    public async Task Entries_cannot_be_changed_or_deleted(string change)
    {
        string connection = await Posted();
        Assert.Contains(
            "P0001", Assert.Throws<Npgsql.PostgresException>(() => PostgresServer.Run(connection, change)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")]
    [InlineData("DROP TRIGGER reservation_final ON reservations")]
    [InlineData("ALTER TABLE accounts DROP CONSTRAINT accounts_check")]
    [InlineData("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")]
    [InlineData("UPDATE accounts SET spent_units = spent_units - 1")]
    [InlineData("UPDATE releases SET noise_scale = noise_scale / 2")]
    [InlineData("UPDATE datasets SET definition = '\\x00'")]
    [InlineData("UPDATE ledger_head SET seq = seq - 1")]
    public async Task A_changed_table_is_refused(string change)
    {
        string connection = await Posted();
        PostgresServer.Run(connection, change);
        using var scratch = new Scratch(postgres: new(connection));
        Assert.Equal(Reasons.LedgerCorrupt, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
    }

    [Fact]
    public void Settings_that_durability_does_not_survive_are_refused_by_name()
    {
        string connection = server.NewSchema();
        using var loose = new Scratch(postgres: new($"{connection};Options=-c synchronous_commit=off"));
        Assert.Equal("PostgreSQL synchronous_commit", Assert.Throws<InvalidFieldException>(() => loose.Open()).Field);
        using var alone = new Scratch(postgres: new(connection, RequireSynchronousStandby: true));
        Assert.Equal(Reasons.LedgerNotServing, Assert.Throws<StorageException>(() => alone.Open()).Reason);
        using var clear = new Scratch(postgres: new("Host=db.example;Password=hunter2"));
        var refused = Assert.Throws<InvalidFieldException>(() => clear.Open());
        Assert.Contains("VerifyFull", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", refused.Message, StringComparison.Ordinal);
        using var nowhere = new Scratch(postgres: new("Host=/nowhere"));
        Assert.Equal(Reasons.LedgerNotServing, Assert.Throws<StorageException>(() => nowhere.Open()).Reason);
    }

    static async Task<IReadOnlyList<Build>> Wait(DataDirectory directory)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(60))
        {
            if (await directory.KeepBuildsAsync() is { Count: > 0 } taken) return taken;
            await Task.Delay(100);
        }
        return [];
    }

    async Task<string> Posted()
    {
        string connection = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement();
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        await Scratch.Finish(directory, build, measurement);
        return connection;
    }
}
