namespace PrivateKernels.Tests;

public sealed class LifecycleTests
{
    [Fact]
    public async Task A_release_survives_a_restart_byte_for_byte()
    {
        using var scratch = new Scratch();
        Measurement measurement = Scratch.Measurement();
        byte[] before;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Ingest(directory, "people", Scratch.Rows(100, 1), Scratch.Rows(50, 2));
            Reservation reservation = await directory.Ledger.ReserveAsync(Scratch.Request("people", "first", measurement));
            ReleaseRow release = await Scratch.Finish(directory, reservation.Build!, measurement);
            Assert.Equal(ReleaseState.Ready, release.State);
            before = Scratch.Content(directory, release);
        }
        using DataDirectory again = scratch.Open();
        ReleaseRow same = again.Releases.Get("people", "first");
        Assert.Equal(before, Scratch.Content(again, same));
        Assert.Equal(150, again.Datasets.Get("people").RecordCount);
        AccountRow account = again.Datasets.GetBudget("people")!;
        Assert.Equal((same.Cost.Units, 0), (account.SpentUnits, account.ReservedUnits));
        Assert.Equal(
            [LedgerEntryKind.Open, LedgerEntryKind.Dataset, LedgerEntryKind.Reserve, LedgerEntryKind.Post],
            again.Ledger.ListEntries("people", 0, 10).Select(static e => e.Kind));
        Assert.True(again.Operations.Get(same.OperationUid).Done);
        Assert.Empty(again.TakeInterruptedBuilds());
    }

    [Fact]
    public async Task A_long_ledger_is_written_in_groups_and_verified_at_the_next_start()
    {
        const int Count = 2_000;
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open(scratch.Options with { MaxReleasesPerDataset = Count }))
        {
            await Scratch.Create(directory, "people", Scratch.Pure);
            await Task.WhenAll(Enumerable.Range(0, Count).Select(i => directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", 1))));
        }
        LedgerIdentity identity;
        using (var session = new SqliteSession(scratch.FileOf("pk.db"), writes: true))
        using (var witness = new Witness(scratch.FileOf("witness")))
            identity = LedgerCheck.Open(new SqliteDialect(scratch.FileOf("pk.db")), session, witness);
        Assert.Equal(Count + 2, identity.Head.Sequence);
    }
}
