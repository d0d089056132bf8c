namespace PrivateKernels.Tests;

public sealed class LedgerTests : LedgerBattery
{
    internal override Scratch NewScratch() => new();

    internal override int Races => Scale.Of(100, 10_000);

    [Fact]
    public async Task Validating_writes_not_a_byte_and_refuses_the_same()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        byte[] database = ReadShared(scratch.FileOf("pk.db")), log = ReadShared(scratch.FileOf("pk.db-wal"));
        ReserveRequest request = Scratch.Hold("people", "r", 5);
        request = request with { Call = request.Call with { ValidateOnly = true } };
        Reservation dry = await directory.Ledger.ReserveAsync(request);
        Assert.Null(dry.Build);
        Assert.Equal(5, dry.Account.ReservedUnits);
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(request with { Cost = new(CostUnit.Epsilon, 1L << 41) }));
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1L << 41)));
        Assert.Equal(database, ReadShared(scratch.FileOf("pk.db")));
        Assert.Equal(log, ReadShared(scratch.FileOf("pk.db-wal")));
        Assert.Equal(0, directory.Datasets.GetBudget("people")!.ReservedUnits);
    }

    [Fact]
    public async Task A_head_that_somebody_else_moved_ends_the_process_before_anything_is_committed()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        using (var other = new SqliteSession(scratch.FileOf("pk.db"), writes: true)) other.Execute("UPDATE ledger_head SET seq = seq + 1");
        await Scratch.Refused(Reasons.LedgerNotServing, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 5)));
        Assert.Equal(76, Assert.Single(scratch.Exits).Code);
        using var reader = new SqliteSession(scratch.FileOf("pk.db"), writes: false);
        Assert.Equal(0, reader.Number("SELECT COUNT(*) FROM reservations"));
    }

    [Fact]
    public async Task A_database_that_cannot_be_read_any_more_ends_the_process()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open()) await Scratch.Create(directory, "people", Scratch.Pure);
        using DataDirectory again = scratch.Open();
        // The pages that are in memory are still good.
        again.Read(static d => d.Execute("PRAGMA shrink_memory"));
        using (var file = new FileStream(scratch.FileOf("pk.db"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Position = 4096;
            file.Write(new byte[file.Length - 4096]);
        }
        await Scratch.Refused(Reasons.LedgerNotServing, () => Task.FromResult(again.Datasets.Get("people")));
        Assert.Equal(74, Assert.Single(scratch.Exits).Code);
        await Scratch.Refused(Reasons.LedgerNotServing, () => Task.FromResult(again.Datasets.Get("people")));
    }

    [Fact]
    public async Task A_start_takes_the_next_attempt_of_a_build_that_was_under_way()
    {
        using var scratch = new Scratch();
        for (int attempt = 1; attempt <= 3; attempt++)
        {
            using DataDirectory directory = scratch.Open();
            if (attempt == 1)
            {
                await Scratch.Create(directory, "people", Scratch.Gaussian);
                await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement(0.1)));
                continue;
            }
            Assert.Equal(attempt, Assert.Single(directory.TakeInterruptedBuilds()).Receipt.Attempt);
        }
    }

    internal static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }
}
