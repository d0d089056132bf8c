using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// A process that spends from one ledger or several at once, each in a directory of its own, until it is killed: by itself at a
/// failpoint, or from outside. It tells what it finds whenever it opens a directory, and then every effect after it was acknowledged.
/// </summary>
static class BusyHost
{
    internal const int UploadRows = 20;
    const int TurnsOfOpening = 2;

    static readonly Lock Turn = new();

    internal static Measurement Measurement { get; } = Scratch.Measurement(0.02);

    /// <param name="root">The directories of the ledgers are in it.</param>
    /// <param name="ledgers">How many there are.</param>
    /// <param name="failpoint">Where to stop; "none" = nowhere.</param>
    /// <param name="hit">Stops when it comes there for the hit-th time.</param>
    internal static async Task<int> Run(string root, int ledgers, string failpoint, int hit)
    {
        int left = hit;
        Failpoint.Action = name =>
        {
            if (name == failpoint && Interlocked.Decrement(ref left) == 0) CrashHost.Kill();
        };
        await Task.WhenAll(Enumerable.Range(0, ledgers).Select(i => Task.Run(() => Live(Path.Combine(root, $"{i}"), line =>
        {
            lock (Turn)
            {
                Console.Out.WriteLine($"{i} {line}");
                Console.Out.Flush();
            }
        }))));
        return 0;
    }

    /// <summary>Opens the directory, goes on where the life before was cut off, closes it after some turns, and again.</summary>
    static async Task Live(string path, Action<string> say)
    {
        while (true)
        {
            using DataDirectory directory = DataDirectory.Open(path, new StorageOptions());
            await Create(directory, "people", 'a', 0);
            int turn = Math.Max(0, Tell(directory, path, say) - 1);
            foreach (Build build in directory.TakeInterruptedBuilds()) await End(directory, build, say);
            for (int end = turn + TurnsOfOpening; turn < end; turn++) await Take(directory, turn, say);
        }
    }

    /// <summary>What a directory that was just opened holds, in lines; the number of its reservations.</summary>
    internal static int Tell(DataDirectory directory, string path, Action<string> say)
    {
        List<ReleaseRow> releases = directory.Read(ReleaseTable.All);
        foreach (ReleaseRow r in releases) say($"has {r.Id} {r.State} {Convert.ToHexString(r.Sha256.Span)}");
        foreach (ReleaseRow r in releases.Where(static r => r.State == ReleaseState.Ready)) Scratch.Content(directory, r);
        List<StoredDataset> datasets = directory.Read(DatasetTable.All);
        foreach (DatasetRow d in datasets.Select(static d => d.Row).Where(static d => d.Id != "people")) say($"set {d.Id} {d.State}");
        HashSet<string> active = directory.Read(DatasetTable.ActiveUids);
        int strays = Directory.GetDirectories(Path.Combine(path, "datasets")).Count(d => !active.Contains(Path.GetFileName(d)));
        say($"files {strays} {Directory.GetFiles(Path.Combine(path, "pending")).Length} {Directory.GetFiles(Path.Combine(path, "releases")).Length}");
        AccountRow account = directory.Datasets.GetBudget("people")!;
        long rows = directory.Datasets.Get("people").RecordCount;
        say($"state {account.SpentUnits} {account.ReservedUnits} {rows} {directory.Ledger.Head.Sequence}");
        return releases.Count;
    }

    /// <summary>
    /// Reserve; rows that come too late for it; a dataset that comes and goes; then a draw that is posted, or in every second turn
    /// the hold is returned.
    /// </summary>
    static async Task Take(DataDirectory directory, int turn, Action<string> say)
    {
        Reservation reservation = await directory.Ledger.ReserveAsync(Scratch.Request("people", $"r{turn}", Measurement, Id('b', turn)));
        say($"reserved r{turn}");
        await Ingest(directory, "people", Id('c', turn), turn);
        say($"finished {turn}");
        await Create(directory, $"set{turn}", 'd', turn);
        say($"created set{turn}");
        if (directory.Datasets.Get($"set{turn}").State == DatasetState.Active) await Ingest(directory, $"set{turn}", Id('e', turn), turn);
        await directory.Datasets.DeleteAsync(
            Scratch.Call("DeleteDataset", "", Id('f', turn)), $"set{turn}", "", false, static _ => []);
        say($"deleted set{turn}");
        if (reservation.Build is { } build) await End(directory, build, say);
    }

    /// <summary>All datasets are about the same people and share an account.</summary>
    static Task<byte[]> Create(DataDirectory directory, string id, char kind, int turn) => Scratch.Create(
        directory, id, Scratch.Gaussian, "people", call: Scratch.Call("CreateDataset", "", Id(kind, turn)));

    static async Task Ingest(DataDirectory directory, string dataset, string uploadId, int turn)
    {
        using Upload upload = await directory.Datasets.OpenUploadAsync(dataset, uploadId);
        if (upload.Finished) return;
        for (ulong sequence = upload.NextSequence; sequence <= 2; sequence++)
            upload.Append(Scratch.Batch(sequence, Scratch.Rows(UploadRows / 2, (ulong)turn)));
        await upload.FinishAsync(UploadRows, 2);
    }

    static async Task End(DataDirectory directory, Build build, Action<string> say)
    {
        string id = build.Release.Id;
        if (int.Parse(id.AsSpan(1), CultureInfo.InvariantCulture) % 2 == 1)
        {
            await directory.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
            say($"voided {id}");
            return;
        }
        say($"rows {id} {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(Scratch.ReadAll(build))))}");
        ReleaseRow posted = await Scratch.Finish(directory, build, Measurement);
        say($"posted {id} {Convert.ToHexString(posted.Sha256.Span)}");
    }

    static string Id(char kind, int turn) => $"{kind}0000000-0000-0000-0000-{turn:D12}";
}
