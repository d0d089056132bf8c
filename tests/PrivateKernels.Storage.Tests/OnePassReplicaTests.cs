using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>One pass where several servers share a ledger: cells go where segments go.</summary>
public sealed class OnePassReplicaTests(PostgresServer server)
{
    static readonly string Id = Guid.NewGuid().ToString();

    [Fact]
    public async Task An_upload_goes_on_at_another_server_and_its_sums_are_read_at_every_one()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory second = Open(right);
        using (DataDirectory first = Open(left))
        {
            await Scratch.Create(first, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
            using Upload upload = await Upload(first, Id);
            for (ulong i = 1; i <= 3; i++) upload.Append(Scratch.Batch(i, Scratch.Rows(5, i)));
            Assert.Equal(3ul, upload.Flush());
            // Never durable, so it is to be sent again.
            upload.Append(Scratch.Batch(4, Scratch.Rows(5, 44)));
        }
        Assert.Equal(4ul, second.Datasets.GetUpload(OnePassHost.Name, Id).NextSequence);
        using (Upload upload = await Upload(second, Id))
        {
            Assert.Equal(4ul, upload.NextSequence);
            upload.Append(Scratch.Batch(3, Scratch.Rows(5, 3)));
            upload.Append(Scratch.Batch(4, Scratch.Rows(5, 4)));
            Assert.Equal(20, await upload.FinishAsync(20, 4));
        }
        using DataDirectory again = Open(left);
        using (Upload upload = await Upload(again, Id)) Assert.Equal(20, await upload.FinishAsync(20, 4));
        foreach (DataDirectory directory in (DataDirectory[])[again, second])
            Assert.Equal(Sums([.. Enumerable.Range(1, 4).Select(static i => Scratch.Rows(5, (ulong)i))]), await Cells(directory));
        Assert.Equal(1, Chunks(second));
        // With the dataset go the cells: here with the call, elsewhere with the next sweep.
        foreach (ReleaseRow open in second.Releases.List(OnePassHost.Name, null, 9, [ReleaseState.Building]))
            await second.Writer.SubmitAsync("void", t => ReservationTable.Void(
                t, ReservationTable.GetByRelease(t.Database, open.Uid).Id, 1, "CANCELLED", "cancelled"));
        await second.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", ""), OnePassHost.Name, "", true, static _ => []);
        Assert.Equal(0, Chunks(second));
        Assert.NotEmpty(Directory.GetDirectories(left.FileOf("datasets")));
        await again.ExpireAsync();
        Assert.Empty(Directory.GetDirectories(left.FileOf("datasets")));
    }

    [Fact]
    public async Task Uploads_that_are_finished_at_once_on_two_servers_are_all_in_the_sums()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = Open(left), second = Open(right);
        await Scratch.Create(first, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
        const int Rounds = 4;
        await Task.WhenAll(Enumerable.Range(0, 2 * Rounds).Select(i => Task.Run(async () =>
        {
            using Upload upload = await Upload(i % 2 == 0 ? first : second, Guid.NewGuid().ToString());
            upload.Append(Scratch.Batch(1, Scratch.Rows(5, (ulong)i)));
            await upload.FinishAsync(5, 1);
        })));
        Assert.Equal(Sums([.. Enumerable.Range(0, 2 * Rounds).Select(static i => Scratch.Rows(5, (ulong)i))]), await Cells(first));
        Assert.Equal(5 * 2 * Rounds, second.Datasets.Get(OnePassHost.Name).RecordCount);
    }

    [Fact]
    public async Task Of_two_servers_that_take_in_one_upload_the_later_one_goes_on()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = Open(left), second = Open(right);
        await Scratch.Create(first, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
        using Upload early = await Upload(first, Id);
        early.Append(Scratch.Batch(1, Scratch.Rows(5, 1)));
        early.Flush();
        using Upload late = await Upload(second, Id);
        late.Append(Scratch.Batch(2, Scratch.Rows(5, 2)));
        early.Append(Scratch.Batch(2, Scratch.Rows(5, 9)));
        Assert.Equal(2ul, late.Flush());
        Assert.Equal(Reasons.UploadTakenOver, Assert.Throws<StorageException>(() => early.Flush()).Reason);
        await Scratch.Refused(Reasons.UploadTakenOver, () => early.FinishAsync(10, 2));
        // A new stream to the first server begins where the second one was.
        using Upload back = await Upload(first, Id);
        Assert.Equal(3ul, back.NextSequence);
        Assert.Equal(10, await back.FinishAsync(10, 2));
        Assert.Equal(Sums([Scratch.Rows(5, 1), Scratch.Rows(5, 2)]), await Cells(second));
        await Scratch.Refused(Reasons.ResourceNotFound, () => Task.FromResult(Late()));

        ulong Late()
        {
            late.Append(Scratch.Batch(3, Scratch.Rows(5, 3)));
            return late.Flush();
        }
    }

    [Theory]
    [InlineData("onepass.before_swap")]
    [InlineData("onepass.after_swap")]
    [InlineData("finish.before_commit")]
    [InlineData("finish.after_commit")]
    [InlineData("supersede.before_commit")]
    public async Task What_a_killed_server_was_taking_in_goes_on_at_another_one(string failpoint)
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        Assert.Equal(137, (await CrashTests.Run(left, failpoint, "kill", "one-pass-host", connection)).ExitCode);
        CrashTests.Life second = await CrashTests.Run(right, "none", "kill", "one-pass-host", connection);
        Assert.Equal(0, second.ExitCode);
        long[] expected = Sums([.. Enumerable.Range(1, OnePassHost.Batches).Select(static i => Scratch.Rows(20, (ulong)i))]);
        string cells = Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<long>(expected)));
        Assert.Contains($"cells r0 {cells}", second.Lines);
        using DataDirectory directory = Open(left);
        Assert.Equal(2 * 20 * OnePassHost.Batches, directory.Datasets.Get(OnePassHost.Name).RecordCount);
        Assert.Equal(2, directory.Releases.List(OnePassHost.Name, null, 9, [ReleaseState.Ready]).Count);
        Assert.Empty(Directory.GetFiles(left.FileOf("datasets"), "*.cells", SearchOption.AllDirectories));
    }

    static DataDirectory Open(Scratch scratch) => scratch.Open(scratch.Options with { EncryptionKey = OnePassHost.Key });

    static Task<Upload> Upload(DataDirectory directory, string id) =>
        directory.Datasets.OpenUploadAsync(OnePassHost.Name, id, OnePassHost.Accumulators);

    static async Task<long[]> Cells(DataDirectory directory)
    {
        string id = $"r{Guid.NewGuid():N}";
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request(OnePassHost.Name, id, OnePassHost.Measurement))).Build!;
        return build.ReadCells("sums", OnePassHost.Measurement).Sums;
    }

    static long[] Sums(float[][] batches)
    {
        var cells = new long[OnePassHost.Measurement.CellCount];
        using var engine = new SimdEngine(1);
        OnePassHost.Measurement.Sum(batches.Select(static b => new Records(b.ToArray(), default)), engine, cells);
        return cells;
    }

    static long Chunks(DataDirectory directory) => directory.Read(static d => d.Number("SELECT COUNT(DISTINCT uid) FROM segment_chunks"));
}
