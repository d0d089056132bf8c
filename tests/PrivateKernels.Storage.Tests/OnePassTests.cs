using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace PrivateKernels.Tests;

public sealed class OnePassTests
{
    static readonly string Id = Guid.NewGuid().ToString();

    public static TheoryData<string> Failpoints =>
    [
        "onepass.before_swap", "onepass.after_swap", "swap.before_commit", "swap.after_commit", "finish.before_commit",
        "finish.after_commit", "supersede.before_commit", "build.aggregating", "build.after_draw",
    ];

    [Theory]
    [MemberData(nameof(Failpoints))]
    public async Task A_kill_at_any_point_of_one_pass_changes_nothing_about_the_cells(string failpoint)
    {
        using var scratch = new Scratch();
        CrashTests.Life first = await CrashTests.Run(scratch, failpoint, "kill", "one-pass-host");
        Assert.Equal(137, first.ExitCode);
        CrashTests.Life second = await CrashTests.Run(scratch, "none", "kill", "one-pass-host");
        Assert.Equal(0, second.ExitCode);
        using DataDirectory directory = scratch.Open(scratch.Options with { EncryptionKey = OnePassHost.Key });
        Assert.Equal(2 * 20 * OnePassHost.Batches, directory.Datasets.Get(OnePassHost.Name).RecordCount);
        string[] lines = [.. first.Lines, .. second.Lines];
        // What was acknowledged is never asked for again.
        foreach (string line in second.Lines.Where(static l => l.StartsWith("from ", StringComparison.Ordinal)))
        {
            string[] from = line.Split(' ');
            int acknowledged = first.Lines.Select(static l => l.Split(' ')).Where(l => l[0] == "ack" && l[1] == from[1])
                .Select(static l => int.Parse(l[2], System.Globalization.CultureInfo.InvariantCulture)).DefaultIfEmpty(0).Max();
            Assert.InRange(int.Parse(from[2], System.Globalization.CultureInfo.InvariantCulture), acknowledged + 1, OnePassHost.Batches + 1);
        }
        for (int i = 0; i < 2; i++)
        {
            string expected = $"cells r{i} {Hash(Expected(10 * i))}";
            Assert.All(lines.Where(l => l.StartsWith($"cells r{i} ", StringComparison.Ordinal)), l => Assert.Equal(expected, l));
            Assert.Contains(expected, lines);
            Assert.Equal(ReleaseState.Ready, directory.Releases.Get(OnePassHost.Name, $"r{i}").State);
        }
        string[] files = [.. Directory.GetFiles(scratch.FileOf("datasets"), "*", SearchOption.AllDirectories).Select(Path.GetExtension)!];
        Assert.Equal([".sum"], files);
    }

    [Fact]
    public async Task Cells_are_those_of_the_stored_rows_to_the_last_bit_for_every_kind_of_sketch()
    {
        using var scratch = new Scratch();
        DatasetDefinition stored = new(
            DatasetKind.Private, new Domain(Scratch.Dimension, 0, 1, 1.5), Adjacency.ReplaceOne, 1, 1000, ["x", "y"],
            OutOfDomainPolicy.Clamp, maxAbsValue: 2);
        (string Function, double Bandwidth, bool PerClass, MechanismKind Mechanism)[] cases =
        [
            ("gaussian", 0.5, false, MechanismKind.RoundedNormal), ("laplacian", 0.5, true, MechanismKind.RoundedNormal),
            ("exponential", 0.5, true, MechanismKind.DiscreteLaplace), ("l1", 0, false, MechanismKind.RoundedNormal),
            ("l1", 0, false, MechanismKind.DiscreteLaplace), ("l2", 0, true, MechanismKind.RoundedNormal),
            ("l2_squared", 0, true, MechanismKind.RoundedNormal), ("inner_product", 0, false, MechanismKind.DiscreteLaplace),
            ("arc_cosine_1", 0, false, MechanismKind.RoundedNormal),
        ];
        var facts = new DatasetFacts(
            stored.Domain, stored.Adjacency, 1, 1000, stored.Classes, CostUnit.MuSquared, MaxAbsValue: stored.MaxAbsValue);
        ReleaseRequest[] requests =
        [
            .. cases.Select(static c => new ReleaseRequest
            {
                Function = c.Function,
                Bandwidth = c.Bandwidth,
                PerClass = c.PerClass,
                Mechanism = c.Mechanism,
                Seed = 5,
                Loss = new PrivacyLoss(0.1, c.Mechanism == MechanismKind.DiscreteLaplace ? 0 : 1e-6),
            }),
        ];
        requests =
        [
            .. requests, .. requests.Where((_, i) => i is 1 or 3 or 5).Select(static r => r with { Weighted = true }),
            requests[1] with { ClassLeastSquares = true, Features = 32 },
        ];
        Measurement[] measurements = [.. requests.Select(r => Planner.Plan(r, facts, new()).Measurement)];
        DatasetDefinition onePass = stored.With([.. measurements.Select(static (_, i) => new AccumulatorDefinition($"a{i}", new byte[1]))]);
        StorageOptions options = scratch.Options with { EncryptionKey = OnePassHost.Key };
        IReadOnlyList<Accumulator> Open(DatasetRow row) => [.. measurements.Select(static m => new Accumulator(m, new SimdEngine(1)))];

        using (DataDirectory directory = scratch.Open(options))
        {
            await Scratch.Create(directory, "stored", Scratch.Gaussian, definition: stored);
            await Scratch.Create(directory, "passed", Scratch.Gaussian, definition: onePass);
            await Send(directory, "stored", 400, 0, 400, 400, null);
            await Send(directory, "passed", 100, 0, 100, 300, Open);
        }
        using DataDirectory again = scratch.Open(options);
        await Send(again, "passed", 25, 100, 400, 300, Open);
        Assert.Equal(400, again.Datasets.Get("passed").RecordCount);
        using var engine = new SimdEngine(1);
        for (int i = 0; i < measurements.Length; i++)
        {
            Measurement m = measurements[i];
            Build rows = (await again.Ledger.ReserveAsync(Scratch.Request("stored", $"r{i}", m))).Build!;
            Build cells = (await again.Ledger.ReserveAsync(Scratch.Request("passed", $"r{i}", m))).Build!;
            var expected = new long[m.CellCount];
            m.Sum(rows.Read(), engine, expected);
            long[] actual = cells.ReadCells($"a{i}", m).Sums;
            m.Complete(actual);
            Assert.Equal(expected, actual);
            Assert.Contains(actual, static c => c != 0);
        }
    }

    [Fact]
    public async Task Each_release_is_charged_in_full_and_has_noise_of_its_own()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithFolded(scratch);
        await Scratch.Refused(Reasons.ResourceNotFound, () => Task.FromResult(directory.Datasets.GetUpload(OnePassHost.Name, Id)));
        using (Upload upload = await Upload(directory)) await Fill(upload, 1);
        Assert.Empty(Directory.GetFiles(scratch.FileOf("datasets"), "*.cells", SearchOption.AllDirectories));
        byte[][] files = new byte[2][];
        long units = OnePassHost.Measurement.Cost(CostUnit.MuSquared).Units;
        for (int i = 0; i < 2; i++)
        {
            Build build = (await directory.Ledger.ReserveAsync(Scratch.Request(OnePassHost.Name, $"r{i}", OnePassHost.Measurement))).Build!;
            ExactCells cells = build.ReadCells("sums", OnePassHost.Measurement);
            files[i] = ReleaseFile.Write(OnePassHost.Measurement.Invoke(build.Receipt, cells, build.EnterReleasing));
            Assert.All(cells.Sums, static c => Assert.Equal(0, c));
            await directory.Ledger.PostAsync(build, directory.Releases.Save(build, files[i]));
            Assert.Equal((i + 1) * units, directory.Datasets.GetBudget(OnePassHost.Name)!.SpentUnits);
        }
        Assert.NotEqual(files[0][^100..^40], files[1][^100..^40]);
    }

    [Fact]
    public async Task Repeated_batches_are_told_from_others_for_the_last_1024_and_never_counted_twice()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithFolded(scratch);
        using Upload upload = await Upload(directory);
        float[][] batches = [.. Enumerable.Range(1, 1030).Select(static i => Scratch.Rows(1, (ulong)i))];
        for (int i = 0; i < batches.Length; i++) upload.Append(Scratch.Batch((ulong)i + 1, batches[i]));
        upload.Append(Scratch.Batch(1030, batches[^1]));
        upload.Append(Scratch.Batch(7, batches[6]));
        upload.Append(Scratch.Batch(6, batches[20]));
        foreach (ulong sequence in (ulong[])[7, 1030])
            Assert.Equal(
                Reasons.SequenceConflict,
                Assert.Throws<StorageException>(() => upload.Append(Scratch.Batch(sequence, batches[20]))).Reason);
        Assert.Equal(Reasons.SequenceGap, Assert.Throws<StorageException>(() => upload.Append(Scratch.Batch(1032, batches[0]))).Reason);
        Assert.Equal(1030ul, upload.Flush());
        Assert.Equal(1031ul, directory.Datasets.GetUpload(OnePassHost.Name, Id).NextSequence);
        Assert.Equal(1030, await upload.FinishAsync(1030, 1030));
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request(OnePassHost.Name, "r", OnePassHost.Measurement))).Build!;
        Assert.Equal(Sums(batches), build.ReadCells("sums", OnePassHost.Measurement).Sums);
    }

    [Fact]
    public async Task A_build_keeps_the_sums_of_its_reservation_while_later_uploads_are_finished()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithFolded(scratch);
        using (Upload upload = await Upload(directory)) await Fill(upload, 1);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request(OnePassHost.Name, "r", OnePassHost.Measurement))).Build!;
        for (ulong i = 2; i < 4; i++)
            using (Upload upload = await Upload(directory, Guid.NewGuid().ToString())) await Fill(upload, i);
        Assert.Equal(2, Directory.GetFiles(scratch.FileOf("datasets"), "*.sum", SearchOption.AllDirectories).Length);
        Assert.Equal(Sums([Scratch.Rows(5, 1)]), build.ReadCells("sums", OnePassHost.Measurement).Sums);
    }

    [Fact]
    public async Task Without_a_key_there_is_no_one_pass_and_cells_on_disk_are_ciphertext_that_cannot_be_altered()
    {
        using var scratch = new Scratch();
        using (DataDirectory clear = scratch.Open())
            await Scratch.Refused(
                Reasons.EncryptionRequired,
                () => Scratch.Create(clear, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition));
        using DataDirectory directory = await WithFolded(scratch);
        using (Upload upload = await Upload(directory)) await Fill(upload, 1);
        string file = Directory.GetFiles(scratch.FileOf("datasets"), "*.sum", SearchOption.AllDirectories).Single();
        byte[] whole = File.ReadAllBytes(file);
        foreach (long cell in Sums([Scratch.Rows(5, 1)]))
            Assert.Equal(-1, whole.AsSpan().IndexOf(BitConverter.GetBytes(cell)));
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request(OnePassHost.Name, "r", OnePassHost.Measurement))).Build!;
        for (int i = 0; i < whole.Length; i++)
        {
            byte[] flipped = [.. whole];
            flipped[i] ^= 8;
            File.WriteAllBytes(file, flipped);
            Refused();
            File.WriteAllBytes(file, whole[..i]);
            Refused();
        }

        void Refused() => Assert.Equal(
            Reasons.FileCorrupt,
            Assert.Throws<StorageException>(() => build.ReadCells("sums", OnePassHost.Measurement)).Reason);
    }

    static async Task<DataDirectory> WithFolded(Scratch scratch)
    {
        DataDirectory directory = scratch.Open(scratch.Options with { EncryptionKey = OnePassHost.Key });
        await Scratch.Create(directory, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
        return directory;
    }

    static Task<Upload> Upload(DataDirectory directory, string? id = null) =>
        directory.Datasets.OpenUploadAsync(OnePassHost.Name, id ?? Id, OnePassHost.Accumulators);

    static async Task Fill(Upload upload, ulong seed)
    {
        upload.Append(Scratch.Batch(1, Scratch.Rows(5, seed)));
        await upload.FinishAsync(5, 1);
    }

    /// <summary>Labelled rows, some of them outside the domain or not finite, in batches of so many; one upload.</summary>
    static async Task Send(
        DataDirectory directory, string id, int batchRows, int first, int end, int flushAt, OpenAccumulators? accumulators)
    {
        var random = new PublicRandom(3);
        float[] all = [.. Enumerable.Range(0, 400 * Scratch.Dimension).Select(_ => (float)(1.4 * random.NextUnit() - 0.2))];
        for (int i = 0; i < all.Length; i += 97) all[i] = float.NaN;
        using Upload upload = await directory.Datasets.OpenUploadAsync(id, Guid.NewGuid().ToString(), accumulators);
        ulong sequence = 0;
        for (int row = first; row < end; row += batchRows)
        {
            uint[] labels = [.. Enumerable.Range(row, batchRows).Select(static r => (uint)r % 3 / 2)];
            float[] rowValues = [.. Enumerable.Range(row, batchRows).Select(static r => r % 41 == 0 ? float.NaN : r % 11 / 2f - 2.5f)];
            float[] coordinates = all[(row * Scratch.Dimension)..((row + batchRows) * Scratch.Dimension)];
            upload.Append(Scratch.Batch(++sequence, coordinates, labels, rowValues: rowValues));
            if (row == flushAt) upload.Flush();
        }
        await upload.FinishAsync(end - first, (long)sequence);
    }

    static long[] Expected(int seedOfLast) => Sums(
    [
        .. Enumerable.Range(0, seedOfLast / 10 + 1).SelectMany(
            static u => Enumerable.Range(1, OnePassHost.Batches).Select(i => Scratch.Rows(20, (ulong)(10 * u + i)))),
    ]);

    static long[] Sums(float[][] batches)
    {
        var cells = new long[OnePassHost.Measurement.CellCount];
        using var engine = new SimdEngine(1);
        OnePassHost.Measurement.Sum(batches.Select(static b => new Records(b.ToArray(), default)), engine, cells);
        return cells;
    }

    static string Hash(long[] cells) => Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<long>(cells)));
}
