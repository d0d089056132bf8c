namespace PrivateKernels.Tests;

public sealed class SnapshotTests
{
    const ulong Seed = 20260113;

    [Fact]
    public async Task A_second_attempt_sums_the_rows_of_the_first_whatever_was_ingested_before_between_and_after_a_restart()
    {
        var random = new PublicRandom(Scale.Seed(Seed));
        Measurement measurement = Scratch.Measurement(0.1);
        for (int round = 0; round < Scale.Of(20, 1_000); round++)
        {
            using Scratch scratch = Scratch.InMemory();
            long[] expected;
            using (DataDirectory directory = scratch.Open())
            {
                await Scratch.Create(directory, "people", Scratch.Gaussian);
                float[][] reserved = await Ingest(directory, random, 1);
                Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
                await Ingest(directory, random, 0);
                expected = Cells(build, measurement);
                Assert.Equal(expected, Cells(reserved, measurement));
            }
            for (int attempt = 2; attempt < 4; attempt++)
            {
                using DataDirectory directory = scratch.Open();
                Build build = Assert.Single(directory.TakeInterruptedBuilds());
                Assert.Equal(attempt, build.Receipt.Attempt);
                await Ingest(directory, random, 0);
                Assert.Equal(expected, Cells(build, measurement));
            }
        }
    }

    [Fact]
    public async Task A_snapshot_of_more_records_than_cells_can_hold_is_refused_whatever_limit_the_server_has_now()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        }
        // What is there is more than would be taken in now.
        using DataDirectory lowered = scratch.Open(scratch.Options with { MaxRecords = 5 });
        ReserveRequest request = Scratch.Request("people", "r", Scratch.Measurement());
        long head = lowered.Ledger.Head.Sequence;
        StorageException error = await Scratch.Refused(
            Reasons.LimitExceeded, () => lowered.Ledger.ReserveAsync(request with { MaxRecords = 9 }));
        Assert.Equal("9", error.Metadata["value"]);
        Assert.Equal((head, 0), (lowered.Ledger.Head.Sequence, lowered.Datasets.GetBudget("people")!.ReservedUnits));
        Assert.NotNull((await lowered.Ledger.ReserveAsync(request with { MaxRecords = 10 })).Build);
    }

    /// <summary>Some uploads of some batches each; what was uploaded.</summary>
    static async Task<float[][]> Ingest(DataDirectory directory, PublicRandom random, int least)
    {
        List<float[]> all = [];
        for (int uploads = least + random.NextBelow(3); uploads > 0; uploads--)
        {
            float[][] batches = [.. Enumerable.Range(0, 1 + random.NextBelow(3)).Select(
                _ => Scratch.Rows(1 + random.NextBelow(20), (ulong)random.NextBelow(1 << 30)))];
            await Scratch.Ingest(directory, "people", batches);
            all.AddRange(batches);
        }
        return [.. all];
    }

    static long[] Cells(Build build, Measurement measurement)
    {
        var cells = new long[measurement.CellCount];
        using var engine = new SimdEngine(1);
        measurement.Sum(build.Read(), engine, cells);
        return cells;
    }

    static long[] Cells(float[][] batches, Measurement measurement)
    {
        var cells = new long[measurement.CellCount];
        using var engine = new SimdEngine(1);
        measurement.Sum(batches.Select(static b => new Records(b, default)), engine, cells);
        return cells;
    }
}
