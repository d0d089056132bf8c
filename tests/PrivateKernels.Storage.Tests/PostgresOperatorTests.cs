namespace PrivateKernels.Tests;

/// <summary>What the operator of a ledger in PostgreSQL does beside its servers and without them.</summary>
public sealed class PostgresOperatorTests(PostgresServer server)
{
    [Fact]
    public async Task A_ledger_is_verified_and_read_beside_its_servers_as_at_a_start()
    {
        string connection = server.NewSchema(), witness = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        using DataDirectory directory = scratch.Open();
        await Fill(directory);
        LedgerCertificate certificate = directory.Ledger.Certify(directory.Ledger.Head);
        LedgerReport report = LedgerAudit.Verify(scratch.Path, scratch.Options, [certificate, certificate with { Mac = new byte[32] }]);
        Assert.Equal([CertificateState.InLedger, CertificateState.NotGenuine], report.Certificates);
        Assert.Equal((true, false), (report.IsWitnessed, report.IsSealed));
        Assert.Equal(directory.Datasets.GetBudget("people"), Assert.Single(report.Accounts));
        Assert.True(Witness.Same(directory.Ledger.Head, report.Head));
        AccountReport account = LedgerAudit.ReadAccount(scratch.Path, scratch.Options, "people");
        Assert.Equal(directory.Ledger.ExportEvents("people").Json, account.EventsJson);
        Assert.Equal(report.Head.Sequence, account.Entries[^1].Position.Sequence);
        // From a machine without a data directory, and with a witness that is not there yet, which is not made.
        Assert.False(LedgerAudit.Verify("/nowhere", scratch.Options with { WitnessConnectionString = witness }, []).IsWitnessed);
        Assert.Throws<Npgsql.PostgresException>(() => PostgresServer.Run(witness, "SELECT 1 FROM pk_witness"));
        Assert.False(Directory.Exists("/nowhere"));
    }

    [Fact]
    public async Task A_changed_ledger_loose_settings_and_a_database_that_is_not_there_are_named_from_outside_too()
    {
        string connection = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        using (DataDirectory directory = scratch.Open()) await Fill(directory);
        Assert.Equal("PostgreSQL synchronous_commit", Assert.Throws<InvalidFieldException>(
            () => Verify($"{connection};Options=-c synchronous_commit=off")).Field);
        Assert.Equal(Reasons.LedgerNotServing, Assert.Throws<StorageException>(() => Verify("Host=/nowhere")).Reason);
        Assert.Equal(
            Reasons.LedgerNotServing, Assert.Throws<StorageException>(() => Verify(server.Connection("missing"))).Reason);
        PostgresServer.Run(connection, "UPDATE accounts SET spent_units = spent_units - 1");
        Assert.Equal(Reasons.LedgerCorrupt, Assert.Throws<StorageException>(() => Verify(connection)).Reason);

        LedgerReport Verify(string at) => LedgerAudit.Verify(scratch.Path, scratch.Options with { Postgres = new(at) }, []);
    }

    [Fact]
    public async Task No_restore_runs_beside_a_server_and_one_is_for_all_servers()
    {
        PostgresServer.Run(server.Connection("postgres"), "CREATE DATABASE present");
        string connection = server.Connection("present");
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using var operators = new Scratch(postgres: new(connection));
        using (DataDirectory first = left.Open())
        {
            await Fill(first);
            await first.Ledger.ReserveAsync(Scratch.Request("people", "held", Scratch.Measurement(0.2)));
        }
        PostgresServer.Run(server.Connection("postgres"), "CREATE DATABASE past TEMPLATE present");
        string lost;
        LedgerCertificate certificate;
        using (DataDirectory second = right.Open())
        {
            lost = (await Spend(second, "lost")).Uid;
            certificate = second.Ledger.Certify(second.Ledger.Head);
            Assert.Equal(75, Reasons.ExitCode(Assert.Throws<StorageException>(
                () => Restore.Run(operators.Path, operators.Options, [], acceptLoss: true)).Reason));
        }
        PostgresServer.Run(server.Connection("postgres"), "DROP DATABASE present");
        PostgresServer.Run(server.Connection("postgres"), "ALTER DATABASE past RENAME TO present");
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => right.Open()).Reason);
        Assert.Equal(
            Reasons.LedgerBehind, Assert.Throws<StorageException>(() => LedgerAudit.Verify(right.Path, right.Options, [])).Reason);
        Assert.Equal(
            Reasons.LedgerBehind,
            Assert.Throws<StorageException>(() => LedgerAudit.Verify(operators.Path, operators.Options, [certificate])).Reason);
        RestoreReport report = Restore.Run(operators.Path, operators.Options, [certificate], acceptLoss: true);
        Assert.Equal((true, 2, 0), (report.AcceptedLoss, report.Head.Epoch, Assert.Single(report.Accounts).RemainingUnits));
        // Each of the others sees that the loss of what it had was accepted; what it had let out is kept, and not served.
        using DataDirectory back = right.Open(), also = left.Open();
        Assert.Empty(Directory.GetFiles(right.FileOf("releases"), $"{lost}*"));
        Assert.True(File.Exists(right.FileOf($"unposted/{lost}.pkr")));
        Assert.Equal(ReleaseState.Deleted, back.Releases.Get("people", "held").State);
        Assert.Empty(also.TakeInterruptedBuilds());
        await Scratch.Refused(Reasons.BudgetExhausted, () => back.Ledger.ReserveAsync(Scratch.Request("people", "x", Scratch.Measurement(0.1))));
        Assert.Equal(
            CertificateState.LostInRecovery, Assert.Single(LedgerAudit.Verify(right.Path, right.Options, [certificate]).Certificates));
    }

    [Fact]
    public void A_server_does_not_start_while_a_restore_has_the_ledger()
    {
        string connection = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        scratch.Open().Dispose();
        var dialect = new PostgresDialect(new(connection));
        using (DatabaseSession restoring = dialect.Connect(writes: true))
        {
            Assert.True(dialect.TryHold(restoring, alone: true));
            Assert.Equal(Reasons.DirectoryLocked, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
        }
        scratch.Open().Dispose();
    }

    /// <summary>Ten rows and a release of a quarter of the budget.</summary>
    internal static async Task Fill(DataDirectory directory)
    {
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        await Spend(directory, "r");
    }

    internal static async Task<ReleaseRow> Spend(DataDirectory directory, string release)
    {
        Measurement measurement = Scratch.Measurement();
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", release, measurement))).Build!;
        return await Scratch.Finish(directory, build, measurement);
    }
}
