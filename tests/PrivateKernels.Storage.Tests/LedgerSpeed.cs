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
        TimeSpan cpu = default;
        void Start() => (watch, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        void Say(string what) => Console.WriteLine(
            $"{what}: {watch.Elapsed.TotalSeconds:f2} s, {(Environment.CpuUsage.TotalTime - cpu).TotalSeconds:f2} s of processor");
        using (DataDirectory directory = scratch.Open(options))
        {
            await Scratch.Create(directory, "people", new(CostUnit.Epsilon, 1L << 40, 0));
            Start();
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", 1))));
            Say($"{count} durable reservations");
            Start();
        }
        Say("close");
        Start();
        using (var session = new SqliteSession(scratch.FileOf("pk.db"), writes: true))
        using (var witness = new Witness(scratch.FileOf("witness")))
            LedgerCheck.Open(new SqliteDialect(scratch.FileOf("pk.db")), session, witness);
        Say($"verification of {count} entries");
        return 0;
    }
}
