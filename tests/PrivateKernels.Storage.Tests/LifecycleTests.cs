using System.Security.Cryptography;

namespace PrivateKernels.Tests;

public sealed class LifecycleTests
{
    const ulong Seed = 20260114;

    [Fact]
    public async Task A_start_on_a_long_ledger_comes_to_the_state_of_the_model()
    {
        int spends = Scale.Of(50_000, 500_000);
        using var scratch = new Scratch();
        long posted = 0, held = 0;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", new(CostUnit.Epsilon, 1L << 40, 0));
            ReserveRequest request = Scratch.Hold("people", "r", 1);
            byte[] sha256 = SHA256.HashData("release"u8);
            await directory.Writer.SubmitAsync("model", t =>
            {
                var random = new PublicRandom(Scale.Seed(Seed));
                StoredDataset dataset = DatasetTable.GetActive(t.Database, "people");
                Account account = AccountTable.Get(t.Database, dataset.AccountId!.Value);
                for (int i = 0; i < spends; i++)
                {
                    long units = 1 + random.NextBelow(1_000);
                    Call call = Scratch.Call("CreateRelease", "datasets/people");
                    (ReservationRow reservation, _) = ReservationTable.Reserve(
                        t, request with { ReleaseId = $"r{i}", Cost = new(CostUnit.Epsilon, units), Call = call }, dataset, account,
                        new byte[32]);
                    if (i == 7) held += units;
                    else if (random.NextBelow(2) == 0) ReservationTable.Void(t, reservation.Id, 1, "CANCELLED", "cancelled");
                    else
                    {
                        ReservationTable.Post(t, reservation.Id, 1, new(sha256, 1));
                        posted += units;
                    }
                }
                return 0;
            });
        }
        using DataDirectory again = scratch.Open();
        AccountRow row = again.Datasets.GetBudget("people")!;
        Assert.Equal((posted, held), (row.SpentUnits, row.ReservedUnits));
        Assert.Equal(2 * spends + 1, again.Ledger.Head.Sequence);
        Assert.Equal("r7", Assert.Single(again.TakeInterruptedBuilds()).Release.Id);
    }

    [Fact]
    public async Task Whatever_a_data_directory_holds_is_for_its_owner_alone()
    {
        const UnixFileMode Others = ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        await Scratch.Ingest(directory, "people", new float[3 * Scratch.Dimension]);
        string[] entries = Directory.GetFileSystemEntries(scratch.Path, "*", SearchOption.AllDirectories);
        Assert.Contains(entries, static e => e.EndsWith("pk.db-wal", StringComparison.Ordinal));
        foreach (string entry in entries)
            if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(entry) & Others);
    }
}
