using System.Diagnostics;

namespace PrivateKernels.Tests;

/// <summary>
/// Figures for README, not a test: so many durable reservations by concurrent callers, then the verified start on them.
/// Run with the arguments <c>ledger-speed COUNT</c>.
/// </summary>
static class LedgerSpeed
{
    internal static async Task<int> Run(int count)
    {
        using var scratch = new Scratch();
        StorageOptions options = scratch.Options with { MaxReleasesPerDataset = count, WriterQueue = count };
        var watch = Stopwatch.StartNew();
        using (DataDirectory directory = scratch.Open(options))
        {
            await Scratch.Create(directory, "people", new(CostUnit.Epsilon, 1L << 40, 0));
            watch.Restart();
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", 1))));
            Console.WriteLine($"{count} durable reservations: {watch.Elapsed.TotalSeconds:f2} s");
            watch.Restart();
        }
        Console.WriteLine($"close: {watch.Elapsed.TotalSeconds:f2} s");
        watch.Restart();
        using (var session = new SqliteSession(scratch.FileOf("pk.db"), writes: true))
        using (var witness = new Witness(scratch.FileOf("witness")))
            LedgerCheck.Open(session, witness);
        Console.WriteLine($"verification of {count} entries: {watch.Elapsed.TotalSeconds:f2} s");
        return 0;
    }
}
