namespace PrivateKernels.Tests;

public sealed class LifecycleTests
{
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
