using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// A process that spends from several ledgers at once, each in a directory of its own, until it is killed. It first tells what it
/// finds in each, and then every effect after it was acknowledged.
/// </summary>
static class BusyHost
{
    internal const int Ledgers = 4, UploadRows = 20;

    static readonly Lock Turn = new();

    internal static Measurement Measurement { get; } = Scratch.Measurement(0.02);

    internal static async Task<int> Run(string root)
    {
        await Task.WhenAll(Enumerable.Range(0, Ledgers).Select(i => Task.Run(() => Live(i, Path.Combine(root, $"{i}")))));
        return 0;
    }

    /// <summary>Reserve; rows that come too late for it; then a draw that is posted, or for every third the hold is returned.</summary>
    static async Task Live(int ledger, string path)
    {
        void Say(string line)
        {
            lock (Turn)
            {
                Console.Out.WriteLine($"{ledger} {line}");
                Console.Out.Flush();
            }
        }

        using DataDirectory directory = DataDirectory.Open(path, new StorageOptions());
        await Scratch.Create(directory, "people", Scratch.Gaussian, call: Scratch.Call("CreateDataset", "", Id('a', 0)));
        List<ReleaseRow> releases = directory.Read(ReleaseTable.All);
        AccountRow account = directory.Datasets.GetBudget("people")!;
        foreach (ReleaseRow r in releases) Say($"has {r.Id} {r.State} {Convert.ToHexString(r.Sha256.Span)}");
        foreach (ReleaseRow r in releases.Where(static r => r.State == ReleaseState.Ready)) Scratch.Content(directory, r);
        Say($"state {account.SpentUnits} {account.ReservedUnits} {directory.Datasets.Get("people").RecordCount}");
        foreach (Build build in directory.TakeInterruptedBuilds()) await End(directory, build, Say);
        for (int i = Math.Max(0, releases.Count - 1); ; i++)
        {
            Reservation reservation = await directory.Ledger.ReserveAsync(Scratch.Request("people", $"r{i}", Measurement, Id('b', i)));
            Say($"reserved r{i}");
            await Ingest(directory, i);
            Say($"finished {i}");
            if (reservation.Build is { } build) await End(directory, build, Say);
        }
    }

    static async Task Ingest(DataDirectory directory, int i)
    {
        using Upload upload = await directory.Datasets.OpenUploadAsync("people", Id('c', i));
        if (upload.Finished) return;
        for (ulong sequence = upload.NextSequence; sequence <= 2; sequence++)
            upload.Append(Scratch.Batch(sequence, Scratch.Rows(UploadRows / 2, (ulong)i)));
        await upload.FinishAsync(UploadRows, 2);
    }

    static async Task End(DataDirectory directory, Build build, Action<string> say)
    {
        string id = build.Release.Id;
        if (int.Parse(id.AsSpan(1), CultureInfo.InvariantCulture) % 3 == 2)
        {
            await directory.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
            say($"voided {id}");
            return;
        }
        say($"rows {id} {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(Scratch.ReadAll(build))))}");
        ReleaseRow posted = await Scratch.Finish(directory, build, Measurement);
        say($"posted {id} {Convert.ToHexString(posted.Sha256.Span)}");
    }

    static string Id(char kind, int i) => $"{kind}0000000-0000-0000-0000-{i:D12}";
}
