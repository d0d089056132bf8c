namespace PrivateKernels.Tests;

/// <summary>Copies of a ledger in PostgreSQL: sealed, whole, and never more budget than there was.</summary>
public sealed class PostgresCopyTests(PostgresServer server)
{
    [Fact]
    public async Task A_copy_is_sealed_wherever_it_is_loaded_and_a_restore_never_leaves_more_to_spend()
    {
        for (int round = 0; round < Scale.Of(10, 200); round++)
        {
            string witness = server.NewSchema();
            using var scratch = new Scratch(postgres: new(server.NewSchema()));
            using var empty = new Scratch(postgres: new(server.NewSchema()));
            using var copy = new Scratch();
            StorageOptions before = scratch.Options with { WitnessConnectionString = witness };
            StorageOptions after = empty.Options with { WitnessConnectionString = round % 4 == 1 ? null : witness };
            byte[] content;
            using (DataDirectory directory = scratch.Open(before))
            {
                content = Scratch.Content(directory, await BackupTests.Fill(directory));
                await Scratch.Create(directory, "more", Scratch.Pure);
                for (int i = 0; i < round % 3; i++)
                    await directory.Ledger.ReserveAsync(Scratch.Request("people", $"held{i}", Scratch.Measurement(0.2)));
                BackupReport copied = Backup.Create(scratch.Path, scratch.Options, copy.Path);
                Assert.Equal((1, 1, directory.Ledger.Head.Sequence), (copied.Segments, copied.Releases, copied.Head.Sequence));
                if (round % 2 == 0) await directory.Ledger.ReserveAsync(Scratch.Hold("more", "later", 1));
            }
            bool isLost = round % 2 == 0 || round % 4 == 1;
            RestoreReport Load(bool acceptLoss, string? from) => Restore.Run(empty.Path, after, [], acceptLoss, from);
            if (isLost)
            {
                Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => Load(false, copy.Path)).Reason);
                StorageException refused = Assert.Throws<StorageException>(() => empty.Open(empty.Options));
                Assert.Contains("sealed", refused.Message, StringComparison.Ordinal);
                Assert.Equal("from", Assert.Throws<InvalidFieldException>(() => Load(true, copy.Path)).Field);
            }
            RestoreReport report = Load(isLost, isLost ? null : copy.Path);
            Assert.Equal(isLost, report.AcceptedLoss);
            using DataDirectory restored = empty.Open(after);
            Assert.Equal(content, Scratch.Content(restored, restored.Releases.Get("people", "r")));
            if (isLost) await BackupTests.CheckSpent(restored, round % 3);
            else await CheckWhole(restored, round % 3);
            Assert.Empty(empty.Exits);
        }
    }

    [Fact]
    public async Task A_copy_of_an_altered_file_is_not_finished_and_an_altered_copy_is_not_loaded()
    {
        string connection = server.NewSchema();
        using var scratch = new Scratch(postgres: new(connection));
        using (DataDirectory directory = scratch.Open()) await BackupTests.Fill(directory);
        using var whole = new Scratch();
        Backup.Create(scratch.Path, scratch.Options, whole.Path);
        foreach (string table in (string[])["segment_chunks", "release_chunks"])
        {
            using var copy = new Scratch();
            PostgresServer.Run(connection, $"UPDATE {table} SET data = set_byte(data, 9, 255 - get_byte(data, 9))");
            Assert.Equal(
                Reasons.FileCorrupt,
                Assert.Throws<StorageException>(() => Backup.Create(scratch.Path, scratch.Options, copy.Path)).Reason);
            Assert.False(File.Exists(copy.FileOf("contents")));
            Assert.Equal("from", Assert.Throws<InvalidFieldException>(() => Load(copy.Path)).Field);
            PostgresServer.Run(connection, $"UPDATE {table} SET data = set_byte(data, 9, 255 - get_byte(data, 9))");
        }
        foreach (string table in (string[])["ledger", "accounts", "release_chunks", "contents"])
        {
            string file = whole.FileOf(table);
            byte[] bytes = File.ReadAllBytes(file);
            File.WriteAllBytes(file, [.. bytes[..^1], (byte)~bytes[^1]]);
            Assert.Equal(Reasons.FileCorrupt, Assert.Throws<StorageException>(() => Load(whole.Path)).Reason);
            File.Delete(file);
            if (table != "contents") Assert.Equal(Reasons.FileCorrupt, Assert.Throws<StorageException>(() => Load(whole.Path)).Reason);
            File.WriteAllBytes(file, bytes);
        }
        using var sqlite = new Scratch();
        sqlite.Open().Dispose();
        Assert.Equal(
            "from", Assert.Throws<InvalidFieldException>(() => Restore.Run(sqlite.Path, sqlite.Options, [], true, whole.Path)).Field);

        void Load(string from)
        {
            using var empty = new Scratch(postgres: new(server.NewSchema()));
            Restore.Run(empty.Path, empty.Options, [], acceptLoss: true, from);
        }
    }

    /// <summary>Nothing was lost: what was held is built by whoever takes it over, and names go on as they were.</summary>
    static async Task CheckWhole(DataDirectory directory, int held)
    {
        AccountRow account = directory.Datasets.GetBudget("people")!;
        Assert.Equal(held * Scratch.Measurement(0.2).Cost(CostUnit.MuSquared).Units, account.ReservedUnits);
        Assert.Equal(Scratch.Measurement().Cost(CostUnit.MuSquared).Units, account.SpentUnits);
        Assert.Equal(10, directory.Datasets.Get("people").RecordCount);
        await Scratch.Refused(Reasons.ReleaseExists, () => directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement(0.1))));
        await Scratch.Create(directory, "another", Scratch.Pure);
        await Scratch.Ingest(directory, "people", Scratch.Rows(5, 2));
        Measurement measurement = Scratch.Measurement(0.1);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "next", measurement))).Build!;
        Assert.Equal([.. Scratch.Rows(10, 1), .. Scratch.Rows(5, 2)], Scratch.ReadAll(build));
        await Scratch.Finish(directory, build, measurement);
    }
}
