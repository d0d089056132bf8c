namespace PrivateKernels.Tests;

/// <summary>Copies, and what they may be turned back into: never more budget than there was.</summary>
public sealed class BackupTests
{
    [Fact]
    public async Task A_copy_made_beside_a_running_server_is_sealed_and_no_server_starts_on_it()
    {
        using var scratch = new Scratch();
        using var other = new Scratch();
        using DataDirectory directory = scratch.Open();
        ReleaseRow release = await Fill(directory);
        await directory.Ledger.ReserveAsync(Scratch.Request("people", "held", Scratch.Measurement(0.2)));
        File.WriteAllText(scratch.FileOf("pending/draw"), "never copied");
        BackupReport report = Backup.Create(scratch.Path, scratch.Options, other.Path);
        Assert.Equal((1, 1, directory.Ledger.Head.Sequence), (report.Segments, report.Releases, report.Head.Sequence));
        Assert.Empty(Directory.GetFiles(other.FileOf("pending")));
        Assert.False(File.Exists(other.FileOf("witness")));
        StorageException error = Assert.Throws<StorageException>(() => other.Open());
        Assert.Equal(Reasons.LedgerCorrupt, error.Reason);
        Assert.Contains("sealed", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidFieldException>(() => Backup.Create(scratch.Path, scratch.Options, other.Path));
        Assert.Equal(release.Sha256.ToArray(), directory.Releases.Get("people", "r").Sha256.ToArray());
    }

    [Fact]
    public async Task Where_the_witness_saw_no_more_a_copy_is_only_unsealed()
    {
        using var scratch = new Scratch();
        using var other = new Scratch();
        byte[] content;
        AccountRow account;
        using (DataDirectory directory = scratch.Open())
        {
            content = Scratch.Content(directory, await Fill(directory));
            await directory.Ledger.ReserveAsync(Scratch.Request("people", "held", Scratch.Measurement(0.2)));
            account = directory.Datasets.GetBudget("people")!;
            Backup.Create(scratch.Path, scratch.Options, other.Path);
        }
        string witness = scratch.FileOf("witness");
        RestoreReport report = Restore.Run(other.Path, other.Options with { WitnessPath = witness }, [], acceptLoss: false);
        Assert.False(report.AcceptedLoss);
        Assert.Equal(account, Assert.Single(report.Accounts));
        using DataDirectory restored = other.Open(other.Options with { WitnessPath = witness });
        Assert.Equal(content, Scratch.Content(restored, restored.Releases.Get("people", "r")));
        Assert.Equal("held", Assert.Single(restored.TakeInterruptedBuilds()).Release.Id);
        Assert.Equal(10, restored.Datasets.Get("people").RecordCount);
    }

    [Fact]
    public async Task A_restore_after_which_spends_may_be_lost_charges_the_whole_limit_whatever_was_held()
    {
        for (int round = 0; round < Scale.Of(10, 200); round++)
        {
            using var scratch = new Scratch();
            using var other = new Scratch();
            byte[] known, lost;
            using (DataDirectory directory = scratch.Open())
            {
                known = Scratch.Content(directory, await Fill(directory));
                await Scratch.Create(directory, "more", Scratch.Pure);
                for (int i = 0; i < round % 3; i++)
                    await directory.Ledger.ReserveAsync(Scratch.Request("people", $"held{i}", Scratch.Measurement(0.2)));
                Backup.Create(scratch.Path, scratch.Options, other.Path);
                if (round % 2 == 0) await directory.Ledger.ReserveAsync(Scratch.Hold("more", "later", 1));
                lost = Scratch.Content(directory, await Spend(directory, "lost", 0.1));
            }
            string? witness = round % 2 == 0 ? scratch.FileOf("witness") : null;
            StorageException refused = Assert.Throws<StorageException>(
                () => Restore.Run(other.Path, other.Options with { WitnessPath = witness }, [], acceptLoss: false));
            Assert.Equal(Reasons.LedgerBehind, refused.Reason);
            RestoreReport report = Restore.Run(other.Path, other.Options with { WitnessPath = witness }, [], acceptLoss: true);
            Assert.Equal((true, 2), (report.AcceptedLoss, report.Head.Epoch));
            StorageOptions options = other.Options with { WitnessPath = witness };
            using (DataDirectory restored = other.Open(options))
            {
                await CheckSpent(restored, round % 3);
                await CheckImports(restored, other, known, lost);
            }
            // The new epoch is verified like any other entry.
            using DataDirectory again = other.Open(options);
            Assert.Equal(2, again.Ledger.Head.Epoch);
        }
    }

    [Fact]
    public async Task A_ledger_rolled_back_in_place_goes_on_spent_and_its_unknown_releases_are_set_aside()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open()) await Fill(directory);
        byte[] old = File.ReadAllBytes(scratch.FileOf("pk.db"));
        string newer;
        LedgerCertificate certificate;
        using (DataDirectory directory = scratch.Open())
        {
            Measurement measurement = Scratch.Measurement(0.1);
            Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "newer", measurement))).Build!;
            ReleaseRow posted = await Scratch.Finish(directory, build, measurement);
            (newer, certificate) = (posted.Uid, directory.Ledger.Certify(posted.PostedAt!));
        }
        File.WriteAllBytes(scratch.FileOf("pk.db"), old);
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
        LedgerCertificate forged = certificate with { Mac = new byte[32] };
        Assert.Throws<InvalidFieldException>(() => Restore.Run(scratch.Path, scratch.Options, [forged], true));
        RestoreReport report = Restore.Run(scratch.Path, scratch.Options, [certificate], true);
        Assert.Equal([$"{newer}.pkr"], report.Unposted);
        Assert.True(File.Exists(scratch.FileOf($"unposted/{newer}.pkr")));
        using DataDirectory restored = scratch.Open();
        AccountRow account = restored.Datasets.GetBudget("people")!;
        Assert.Equal((account.LimitUnits, 0), (account.SpentUnits, account.ReservedUnits));
        LedgerRow recover = restored.Ledger.ListEntries(null, 0, 100)[^1];
        Assert.Equal((LedgerEntryKind.Recover, 96), (recover.Kind, recover.Body.Certificates.Length));
        Assert.Equal(
            [CertificateState.LostInRecovery, CertificateState.NotGenuine],
            LedgerAudit.Verify(scratch.Path, scratch.Options, [certificate, forged]).Certificates);
    }

    [Fact]
    public async Task A_restore_that_is_killed_is_run_again_and_comes_to_the_same_end()
    {
        foreach (string failpoint in (string[])["restore.after_recover", "witness.mid_write", "restore.before_unseal"])
        {
            using var scratch = new Scratch();
            using var other = new Scratch();
            using (DataDirectory directory = scratch.Open())
            {
                await Fill(directory);
                await directory.Ledger.ReserveAsync(Scratch.Request("people", "held", Scratch.Measurement(0.2)));
                Backup.Create(scratch.Path, scratch.Options, other.Path);
            }
            Assert.Equal(137, (await CrashTests.Run(other, failpoint, "restore")).ExitCode);
            Assert.Throws<StorageException>(() => other.Open());
            Assert.Equal(0, (await CrashTests.Run(other, "none", "restore")).ExitCode);
            using DataDirectory restored = other.Open();
            AccountRow account = restored.Datasets.GetBudget("people")!;
            Assert.Equal((account.LimitUnits, 0), (account.SpentUnits, account.ReservedUnits));
            Assert.Empty(restored.TakeInterruptedBuilds());
        }
    }

    [Fact]
    public async Task A_copy_of_an_altered_file_is_not_finished()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open()) await Fill(directory);
        foreach (string pattern in (string[])["*.seg", "*.pkr"])
        {
            using var other = new Scratch();
            string file = Directory.GetFiles(scratch.Path, pattern, SearchOption.AllDirectories).Single();
            byte[] whole = File.ReadAllBytes(file);
            File.WriteAllBytes(file, [.. whole[..^1], (byte)~whole[^1]]);
            Assert.Equal(Reasons.FileCorrupt, Assert.Throws<StorageException>(() => Backup.Create(scratch.Path, scratch.Options, other.Path)).Reason);
            Assert.False(File.Exists(other.FileOf("pk.db")));
            File.WriteAllBytes(file, whole);
        }
    }

    [Fact]
    public async Task Certificates_are_told_apart_beside_a_running_server()
    {
        using var scratch = new Scratch();
        LedgerCertificate later;
        byte[] old;
        using (DataDirectory directory = scratch.Open())
        {
            await Fill(directory);
            LedgerCertificate first = directory.Ledger.Certify(directory.Ledger.Head);
            LedgerReport report = LedgerAudit.Verify(scratch.Path, scratch.Options, [first, first with { Mac = new byte[32] }]);
            Assert.Equal([CertificateState.InLedger, CertificateState.NotGenuine], report.Certificates);
            Assert.Equal((true, false), (report.IsWitnessed, report.IsSealed));
            Assert.Equal(directory.Datasets.GetBudget("people"), Assert.Single(report.Accounts));
        }
        old = File.ReadAllBytes(scratch.FileOf("pk.db"));
        using (DataDirectory directory = scratch.Open())
        {
            await directory.Ledger.ReserveAsync(Scratch.Request("people", "s", Scratch.Measurement(0.1)));
            later = directory.Ledger.Certify(directory.Ledger.Head);
        }
        File.WriteAllBytes(scratch.FileOf("pk.db"), old);
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => LedgerAudit.Verify(scratch.Path, scratch.Options, [])).Reason);
        // Without the witness the certificate alone gives the rollback away.
        using (var database = new SqliteSession(scratch.FileOf("pk.db"), writes: true)) database.Execute("UPDATE ledger_head SET sealed = 1");
        File.Delete(scratch.FileOf("witness"));
        LedgerAudit.Verify(scratch.Path, scratch.Options, []);
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => LedgerAudit.Verify(scratch.Path, scratch.Options, [later])).Reason);
    }

    /// <summary>Ten rows and a release of half the budget in the end.</summary>
    internal static async Task<ReleaseRow> Fill(DataDirectory directory)
    {
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        return await Spend(directory, "r", 0.5);
    }

    static async Task<ReleaseRow> Spend(DataDirectory directory, string id, double mu)
    {
        Measurement measurement = Scratch.Measurement(mu);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", id, measurement))).Build!;
        return await Scratch.Finish(directory, build, measurement);
    }

    /// <summary>A release that comes again, to its place or to another one, is the same bytes; nobody gets budget by it.</summary>
    static async Task CheckImports(DataDirectory directory, Scratch scratch, byte[] known, byte[] lost)
    {
        AccountRow before = directory.Datasets.GetBudget("people")!;
        File.Delete(scratch.FileOf($"releases/{directory.Releases.Get("people", "r").Uid}.pkr"));
        await ImportTests.Import(directory, known, null);
        Assert.Equal(known, Scratch.Content(directory, directory.Releases.Get("people", "r")));
        await Scratch.Create(directory, "taken", null, definition: ImportTests.Definition);
        await ImportTests.Import(directory, known, null, "taken", "again");
        Assert.Equal(known, Scratch.Content(directory, directory.Releases.Get("taken", "again")));
        // Posted after the copy: what was lost is not known any more, and charged.
        await Scratch.Refused(Reasons.ReleaseUnknownToLedger, () => ImportTests.Import(directory, lost, null, id: "lost"));

        await directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/people"), "people", "", true, static _ => []);
        await Scratch.Refused(Reasons.AccountMismatch, () => Scratch.Create(directory, "people", Scratch.Gaussian, population: "others"));
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        // A release is not taken over by the dataset that has the name now.
        await Scratch.Refused(Reasons.ResourceNotFound, () => ImportTests.Import(directory, known, null));
        Assert.Equal(known, Scratch.Content(directory, directory.Releases.Get("taken", "again")));
        Assert.Equal(before, directory.Datasets.GetBudget("people"));
    }

    internal static async Task CheckSpent(DataDirectory directory, int held)
    {
        Assert.Empty(directory.TakeInterruptedBuilds());
        foreach (string dataset in (string[])["people", "more"])
        {
            AccountRow account = directory.Datasets.GetBudget(dataset)!;
            Assert.Equal((account.LimitUnits, 0, 0), (account.SpentUnits, account.ReservedUnits, account.RemainingUnits));
        }
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(Scratch.Hold("more", "x", 1)));
        for (int i = 0; i < held; i++)
        {
            ReleaseRow gone = directory.Releases.Get("people", $"held{i}");
            Assert.Equal(ReleaseState.Deleted, gone.State);
            Assert.Equal("RECOVERED", directory.Operations.Get(gone.OperationUid).ErrorReason);
            await Scratch.Refused(
                Reasons.ReleaseExists, () => directory.Ledger.ReserveAsync(Scratch.Request("people", $"held{i}", Scratch.Measurement(0.1))));
        }
        // Nor does a new dataset about the same people have more, nor one that says it is about others.
        await directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/more"), "more", "", true, static _ => []);
        await Scratch.Refused(Reasons.AccountMismatch, () => Scratch.Create(directory, "more", Scratch.Pure, population: "others"));
        await Scratch.Create(directory, "more", Scratch.Pure);
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(Scratch.Hold("more", "y", 1)));
        // An owner may raise the limit: an explicit act with an entry of its own.
        await directory.Datasets.UpdateBudgetAsync(
            Scratch.Call("UpdateBudget", "datasets/more"), "more", new(CostUnit.Epsilon, Units.OfEpsilon(2), 0), "after the restore", static _ => []);
        Assert.Equal(Units.OfEpsilon(1), directory.Datasets.GetBudget("more")!.RemainingUnits);
    }
}
