namespace PrivateKernels.Tests;

/// <summary>Damaged, missing, old and foreign files: the same state, or a refusal by name; never a silent loss.</summary>
public sealed class DamageTests
{
    [Fact]
    public async Task A_directory_is_held_by_one_process()
    {
        using var scratch = new Scratch();
        using (scratch.Open())
            Assert.Equal(Reasons.DirectoryLocked, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
        using DataDirectory free = scratch.Open();
        await Scratch.Create(free, "people", Scratch.Pure);
    }

    [Fact]
    public async Task A_ledger_older_than_its_witness_is_refused()
    {
        using var scratch = new Scratch();
        await Make(scratch);
        byte[] old = File.ReadAllBytes(scratch.FileOf("pk.db"));
        using (DataDirectory directory = scratch.Open())
            await directory.Ledger.ReserveAsync(Scratch.Request("people", "later", Scratch.Measurement(0.1)));
        File.WriteAllBytes(scratch.FileOf("pk.db"), old);
        StorageException error = Assert.Throws<StorageException>(() => scratch.Open());
        Assert.Equal(Reasons.LedgerBehind, error.Reason);
        Assert.Equal(76, Reasons.ExitCode(error.Reason));
        Assert.NotEqual(error.Metadata["ledger"], error.Metadata["witness"]);
        File.Delete(scratch.FileOf("pk.db"));
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
    }

    [Fact]
    public async Task A_directory_restored_with_its_witness_is_refused_by_its_releases()
    {
        using var scratch = new Scratch();
        await Make(scratch);
        byte[] database = File.ReadAllBytes(scratch.FileOf("pk.db")), witness = File.ReadAllBytes(scratch.FileOf("witness"));
        using (DataDirectory directory = scratch.Open())
        {
            Measurement measurement = Scratch.Measurement(0.1);
            Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "later", measurement))).Build!;
            await Scratch.Finish(directory, build, measurement);
        }
        File.WriteAllBytes(scratch.FileOf("pk.db"), database);
        File.WriteAllBytes(scratch.FileOf("witness"), witness);
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
    }

    [Fact]
    public async Task A_witness_on_another_volume_catches_a_restored_directory()
    {
        using var scratch = new Scratch();
        using var elsewhere = new Scratch();
        StorageOptions options = scratch.Options with { WitnessPath = elsewhere.FileOf("witness") };
        using (DataDirectory directory = scratch.Open(options)) await Scratch.Create(directory, "people", Scratch.Pure);
        byte[] old = File.ReadAllBytes(scratch.FileOf("pk.db"));
        using (DataDirectory directory = scratch.Open(options)) await directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1));
        File.WriteAllBytes(scratch.FileOf("pk.db"), old);
        Assert.Equal(Reasons.LedgerBehind, Assert.Throws<StorageException>(() => scratch.Open(options)).Reason);
    }

    [Fact]
    public async Task A_second_server_on_a_copy_stops_the_first_before_it_replies()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        using (var other = new Witness(scratch.FileOf("witness")))
        {
            LedgerPosition head = directory.Ledger.Head;
            Assert.True(other.TryAdvance(head, head with { Sequence = head.Sequence + 1 }));
        }
        await Scratch.Refused(Reasons.LedgerNotServing, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1)));
        Assert.Equal(76, Assert.Single(scratch.Exits).Code);
        await Scratch.Refused(Reasons.LedgerNotServing, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "s", 1)));
        Assert.Throws<StorageException>(() => directory.Datasets.Get("people"));
    }

    [Fact]
    public void A_torn_witness_counts_by_its_other_slot()
    {
        using var scratch = new Scratch();
        string path = scratch.FileOf("witness");
        LedgerPosition At(long sequence) => new(new byte[16], 1, sequence, new byte[32]);
        using (var witness = new Witness(path))
            for (long i = 0; i < 6; i++) Assert.True(witness.TryAdvance(i == 0 ? null : At(i), At(i + 1)));
        byte[] whole = File.ReadAllBytes(path);
        for (int at = 0; at < whole.Length; at += at % 4096 < 76 ? 1 : 100)
        {
            byte[] flipped = [.. whole];
            flipped[at] ^= 0x10;
            File.WriteAllBytes(path, flipped);
            using var witness = new Witness(path);
            bool isRecord = at % 4096 < 76, isNewer = at >= 4096;
            Assert.Equal(isRecord && isNewer ? 5 : 6, witness.Read()!.Sequence);
        }
    }

    [Theory]
    [InlineData("UPDATE accounts SET spent_units = spent_units - 1")]
    [InlineData("UPDATE accounts SET limit_units = limit_units + 1")]
    [InlineData("UPDATE accounts SET display_delta = 0.5")]
    [InlineData("UPDATE datasets SET definition = (SELECT x'00')")]
    [InlineData("UPDATE datasets SET id = 'persons'")]
    [InlineData("UPDATE releases SET noise_scale = noise_scale / 2")]
    [InlineData("UPDATE releases SET state = 4")]
    [InlineData("UPDATE releases SET sha256 = zeroblob(32)")]
    [InlineData("DROP TRIGGER reservation_final; UPDATE reservations SET state = 3")]
    [InlineData("DROP TRIGGER ledger_no_delete")]
    [InlineData("DELETE FROM releases; DELETE FROM reservations")]
    [InlineData("UPDATE ledger_head SET seq = seq - 1")]
    [InlineData("UPDATE ledger_head SET sealed = 1")]
    public async Task A_changed_table_is_refused(string change)
    {
        using var scratch = new Scratch();
        await Make(scratch);
        using (var session = new SqliteSession(scratch.FileOf("pk.db"), writes: true)) session.Execute(change);
        Assert.Equal(Reasons.LedgerCorrupt, Assert.Throws<StorageException>(() => scratch.Open()).Reason);
    }

    [Fact]
    public async Task Entries_of_the_ledger_cannot_be_changed_or_deleted()
    {
        using var scratch = new Scratch();
        await Make(scratch);
        using var session = new SqliteSession(scratch.FileOf("pk.db"), writes: true);
        foreach (string change in (string[])
            ["UPDATE ledger SET units = 1", "DELETE FROM ledger", "UPDATE reservations SET attempt = 2"])
            Assert.Contains("SQLite Error 19", Assert.ThrowsAny<Exception>(() => session.Execute(change)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_altered_release_is_refused_and_the_others_are_served()
    {
        using var scratch = new Scratch();
        await Make(scratch);
        string file = Directory.GetFiles(scratch.FileOf("releases")).Single();
        byte[] whole = File.ReadAllBytes(file);
        Action[] damages =
        [
            () => File.WriteAllBytes(file, whole[..^1]),
            () => File.WriteAllBytes(file, [.. whole[..^40], (byte)~whole[^40], .. whole[^39..]]),
            () => File.Delete(file),
        ];
        foreach (Action damage in damages)
        {
            damage();
            using DataDirectory directory = scratch.Open();
            StorageException error = Assert.Throws<StorageException>(() => directory.Releases.OpenFile(directory.Releases.Get("people", "r")));
            Assert.Equal((Reasons.FileCorrupt, "datasets/people/releases/r"), (error.Reason, error.Metadata["release"]));
        }
    }

    [Fact]
    public async Task A_damaged_segment_stops_a_build_before_noise_is_drawn()
    {
        using var scratch = new Scratch();
        await Make(scratch);
        Measurement measurement = Scratch.Measurement(0.1);
        string file = Directory.GetFiles(scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories).Single();
        byte[] whole = File.ReadAllBytes(file);
        using DataDirectory directory = scratch.Open();
        for (int i = 0; i < whole.Length; i += 37)
        {
            byte[] flipped = [.. whole];
            flipped[i] ^= 4;
            File.WriteAllBytes(file, flipped);
            Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", $"r{i}", measurement))).Build!;
            Assert.Equal(Reasons.FileCorrupt, Assert.Throws<StorageException>(() => Scratch.Draw(build, measurement)).Reason);
            await directory.Ledger.VoidAsync(build, Reasons.FileCorrupt, "corrupt");
        }
        File.Delete(file);
        Build missing = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "missing", measurement))).Build!;
        Assert.Equal(Reasons.FileCorrupt, Assert.Throws<StorageException>(() => Scratch.Draw(missing, measurement)).Reason);
    }

    [Fact]
    public async Task The_second_attempt_reads_the_rows_of_the_first_and_a_torn_draw_is_drawn_again()
    {
        using var scratch = new Scratch();
        Measurement measurement = Scratch.Measurement();
        float[] rows = Scratch.Rows(30, 1);
        byte[] draw;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Ingest(directory, "people", rows);
            Build first = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
            await Scratch.Ingest(directory, "people", Scratch.Rows(5, 2));
            draw = ReleaseFile.Write(Scratch.Draw(first, measurement));
            directory.Releases.Save(first, draw);
        }
        string pending = Directory.GetFiles(scratch.FileOf("pending")).Single();
        for (int length = 0; length < draw.Length; length += 11)
        {
            File.WriteAllBytes(pending, draw[..length]);
            using DataDirectory directory = scratch.Open();
            Build next = Assert.Single(directory.TakeInterruptedBuilds());
            Assert.Equal(rows, Scratch.ReadAll(next));
            Assert.Empty(Directory.GetFiles(scratch.FileOf("pending")));
            pending = directory.PendingPath(next.ReservationId, next.Attempt);
        }
        File.WriteAllBytes(pending, draw);
        using DataDirectory last = scratch.Open();
        Assert.Empty(last.TakeInterruptedBuilds());
        Assert.Equal(draw, Scratch.Content(last, last.Releases.Get("people", "r")));
    }

    [Fact]
    public async Task A_file_of_another_reservation_is_never_posted()
    {
        using var scratch = new Scratch();
        Measurement measurement = Scratch.Measurement(0.2);
        string other;
        byte[] draw;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            Build first = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "a", measurement))).Build!;
            draw = ReleaseFile.Write(Scratch.Draw(first, measurement));
            await directory.Ledger.PostAsync(first, directory.Releases.Save(first, draw));
            Build second = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "b", measurement))).Build!;
            other = directory.PendingPath(second.ReservationId, second.Attempt);
        }
        File.WriteAllBytes(other, draw);
        using DataDirectory again = scratch.Open();
        Assert.Equal("b", Assert.Single(again.TakeInterruptedBuilds()).Release.Id);
        Assert.Equal(ReleaseState.Building, again.Releases.Get("people", "b").State);
    }

    /// <summary>One dataset, ten rows, one release.</summary>
    static async Task<(AccountRow, ReleaseRow)> Make(Scratch scratch)
    {
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        Measurement measurement = Scratch.Measurement();
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        ReleaseRow release = await Scratch.Finish(directory, build, measurement);
        return (directory.Datasets.GetBudget("people")!, release);
    }
}
