using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>What an imported file can prove about a ledger, and what it cannot.</summary>
public sealed class ImportTests(PostgresServer server)
{
    internal static DatasetDefinition Definition { get; } = new(
        DatasetKind.Imported, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 0, [], OutOfDomainPolicy.Refuse);

    [Fact]
    public async Task A_file_that_one_server_takes_in_is_served_by_the_other_and_a_lost_one_comes_back()
    {
        string connection = server.NewSchema();
        using var elsewhere = new Scratch();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory foreign = elsewhere.Open(), first = left.Open(), second = right.Open();
        byte[] file = await Make(foreign, "r");
        await Scratch.Create(first, "taken", null, definition: Definition);
        await Import(first, file, null, "taken");
        Assert.Equal(file, Scratch.Content(second, second.Releases.Get("taken", "r")));
        using (var fresh = new Scratch(postgres: new(connection)))
        using (DataDirectory third = fresh.Open())
            Assert.Equal(file, Scratch.Content(third, third.Releases.Get("taken", "r")));
        await second.Releases.DeleteAsync(Scratch.Call("DeleteRelease", ""), "taken", "r", "", static _ => []);
        Assert.Equal(0, Chunks());
        Assert.Equal(ReleaseState.Deleted, first.Releases.Get("taken", "r").State);

        // A release of this ledger that every server and the database lost.
        byte[] own = await Make(first, "r");
        ReleaseRow posted = first.Releases.Get("people", "r");
        PostgresServer.Run(connection, "DELETE FROM release_chunks");
        File.Delete(left.FileOf($"releases/{posted.Uid}.pkr"));
        await Scratch.Refused(Reasons.FileCorrupt, () => Task.FromResult(Scratch.Content(second, posted)));
        await Import(first, own, null);
        Assert.Equal(own, Scratch.Content(second, posted));

        long Chunks() => first.Read(static d => d.Number("SELECT COUNT(*) FROM release_chunks"));
    }

    [Fact]
    public async Task A_file_that_finds_no_room_is_refused_before_anything_is_held_and_ends_no_process()
    {
        using var scratch = new Scratch();
        byte[] file;
        ReserveRequest made = Scratch.Hold("pure", "made", 1), beyond = Scratch.Hold("pure", "beyond", 1);
        using (DataDirectory directory = scratch.Open())
        {
            file = await Make(directory, "r");
            await Scratch.Create(directory, "pure", Scratch.Pure);
            await directory.Ledger.ReserveAsync(made);
            File.Delete(scratch.FileOf($"releases/{directory.Releases.Get("people", "r").Uid}.pkr"));
        }
        using DataDirectory full = scratch.Open(scratch.Options with { MinFreeBytes = long.MaxValue / 2 });
        LedgerPosition head = full.Ledger.Head;
        await Scratch.Refused(Reasons.StorageFull, () => full.Ledger.ReserveAsync(beyond));
        await Scratch.Refused(Reasons.StorageFull, () => full.Ledger.ReserveAsync(beyond with { Call = beyond.Call with { ValidateOnly = true } }));
        await Scratch.Refused(Reasons.StorageFull, () => Import(full, file, Posted(full, "r")));
        // What was reserved before is what a repetition gets.
        Assert.Equal("made", (await full.Ledger.ReserveAsync(made)).Release.Id);
        Assert.Equal((head.Sequence, 1), (full.Ledger.Head.Sequence, full.Datasets.GetBudget("pure")!.ReservedUnits));
        Assert.Empty(scratch.Exits);
    }

    [Fact]
    public async Task No_forged_position_stops_a_ledger_or_gets_a_file_served()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        byte[] file = await Make(directory, "r");
        LedgerPosition head = directory.Ledger.Head;
        string before = Convert.ToHexString(head.Hash.Span);
        for (int i = 0; i < Scale.Of(20, 500); i++)
        {
            byte[] forged = Forged(file, i);
            LedgerCertificate invented = new(
                head with { Sequence = head.Sequence + i, Hash = RandomNumberGenerator.GetBytes(32) }, RandomNumberGenerator.GetBytes(32));
            await Scratch.Refused(Reasons.ReleaseUnknownToLedger, () => Import(directory, forged, i % 2 == 0 ? invented : null));
        }
        // A genuine certificate of an entry that is there proves nothing about another file.
        await Scratch.Refused(Reasons.ReleaseUnknownToLedger, () => Import(directory, Forged(file, 0), Posted(directory, "r")));
        Assert.Empty(scratch.Exits);
        Assert.Equal(before, Convert.ToHexString(directory.Ledger.Head.Hash.Span));
        Assert.Equal(file, Scratch.Content(directory, directory.Releases.Get("people", "r")));
    }

    [Fact]
    public async Task A_genuine_certificate_of_an_entry_that_is_gone_stops_a_rolled_back_ledger()
    {
        using var scratch = new Scratch();
        byte[] late;
        LedgerCertificate certificate;
        string[] state = ["pk.db", "witness"];
        byte[][] old;
        using (DataDirectory directory = scratch.Open()) await Make(directory, "r");
        old = [.. state.Select(f => File.ReadAllBytes(scratch.FileOf(f)))];
        using (DataDirectory directory = scratch.Open())
        {
            late = await Make(directory, "late");
            certificate = Posted(directory, "late");
        }
        for (int i = 0; i < state.Length; i++) File.WriteAllBytes(scratch.FileOf(state[i]), old[i]);
        // Whoever rolls back a directory with care takes the file of the lost release away as well.
        foreach (string path in Directory.GetFiles(scratch.FileOf("releases")).Where(p => File.ReadAllBytes(p).AsSpan().SequenceEqual(late)))
            File.Delete(path);
        using DataDirectory rolledBack = scratch.Open();
        await Scratch.Refused(Reasons.ReleaseUnknownToLedger, () => Import(rolledBack, late, null));
        StorageException error = await Scratch.Refused(Reasons.LedgerBehind, () => Import(rolledBack, late, certificate));
        Assert.NotEqual(error.Metadata["ledger"], error.Metadata["witness"]);
        Assert.Equal(76, Assert.Single(scratch.Exits).Code);
        Assert.Equal(Reasons.LedgerNotServing, Assert.Throws<StorageException>(() => rolledBack.Datasets.Get("people")).Reason);
    }

    static async Task<byte[]> Make(DataDirectory directory, string id)
    {
        if (id == "r") await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement(0.3);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", id, measurement))).Build!;
        return Scratch.Content(directory, await Scratch.Finish(directory, build, measurement));
    }

    static LedgerCertificate Posted(DataDirectory directory, string id) =>
        directory.Ledger.Certify(directory.Releases.Get("people", id).PostedAt!);

    internal static Task<byte[]> Import(
        DataDirectory directory, byte[] file, LedgerCertificate? certificate, string dataset = "people", string id = "r") =>
        directory.Releases.ImportAsync(
        new(Scratch.Call("ImportRelease", $"datasets/{dataset}"), dataset, id, file, ReleaseFile.Read(file), 1, new byte[1], certificate),
        static _ => []);

    /// <summary>Another epoch, sequence or hash of the RESERVE entry, or other cells, under a trailer that fits.</summary>
    static byte[] Forged(byte[] file, int i)
    {
        byte[] forged = [.. file];
        // prefix 16, reservation id 20, request hash 36, ledger id 20, then epoch, sequence, hash
        int[] offsets = [92, 100, 112 + i % 32, file.Length - 40 - 8 * (i % 5)];
        forged[offsets[i % 4]] += (byte)(1 + i % 255);
        SHA256.HashData(forged.AsSpan(0, forged.Length - 32)).CopyTo(forged, forged.Length - 32);
        return forged;
    }
}
