namespace PrivateKernels.Tests;

public sealed class UploadTests
{
    static readonly string Id = Guid.NewGuid().ToString();

    [Fact]
    public async Task Rows_count_once_finish_is_committed_and_a_repeated_finish_is_answered()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithPeople(scratch);
        using Upload upload = await directory.Datasets.OpenUploadAsync("people", Id);
        upload.Append(Scratch.Batch(1, Scratch.Rows(10, 1)));
        Assert.Equal(1ul, upload.Flush());
        Assert.Equal(0, directory.Datasets.Get("people").RecordCount);
        StorageException error = await Scratch.Refused(Reasons.RowCountMismatch, () => upload.FinishAsync(11, 1));
        Assert.Equal("row_count", error.Metadata["field"]);
        Assert.Equal(10, await upload.FinishAsync(10, 1));
        Assert.Equal(10, directory.Datasets.Get("people").RecordCount);
        using Upload again = await directory.Datasets.OpenUploadAsync("people", Id);
        Assert.True(again.Finished);
        Assert.Equal(10, await again.FinishAsync(10, 1));
        await Scratch.Refused(Reasons.RowCountMismatch, () => again.FinishAsync(10, 2));
        Assert.Equal(Reasons.UploadFinished, Assert.Throws<StorageException>(() => again.Append(Scratch.Batch(2, Scratch.Rows(1, 1)))).Reason);
        Assert.Equal(10, directory.Datasets.Get("people").RecordCount);
        await Scratch.Refused(Reasons.UploadFinished, () => directory.Datasets.AbortUploadAsync("people", Id));
    }

    [Fact]
    public async Task A_batch_sent_twice_is_stored_once_and_gaps_and_changes_are_refused()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithPeople(scratch);
        using Upload upload = await directory.Datasets.OpenUploadAsync("people", Id);
        float[] rows = Scratch.Rows(10, 1);
        upload.Append(Scratch.Batch(1, rows));
        upload.Append(Scratch.Batch(1, rows));
        StorageException gap = Assert.Throws<StorageException>(() => upload.Append(Scratch.Batch(3, rows)));
        Assert.Equal((Reasons.SequenceGap, "2"), (gap.Reason, gap.Metadata["next_sequence"]));
        StorageException conflict = Assert.Throws<StorageException>(() => upload.Append(Scratch.Batch(1, Scratch.Rows(10, 2))));
        Assert.Equal(Reasons.SequenceConflict, conflict.Reason);
        Assert.Equal(10, await upload.FinishAsync(10, 1));
    }

    [Fact]
    public async Task An_upload_is_resumed_where_it_was_durable_after_a_restart()
    {
        using var scratch = new Scratch();
        float[][] batches = [.. Enumerable.Range(1, 40).Select(static i => Scratch.Rows(7, (ulong)i))];
        StorageOptions small = scratch.Options with { SegmentBytes = 500 };
        using (DataDirectory directory = await WithPeople(scratch, small))
        {
            using Upload upload = await directory.Datasets.OpenUploadAsync("people", Id);
            for (int i = 0; i < 25; i++) upload.Append(Scratch.Batch((ulong)i + 1, batches[i]));
            Assert.Equal(25ul, upload.Flush());
        }
        using DataDirectory again = scratch.Open(small);
        Assert.Equal(26ul, again.Datasets.GetUpload("people", Id).NextSequence);
        using Upload resumed = await again.Datasets.OpenUploadAsync("people", Id);
        Assert.Equal(26ul, resumed.NextSequence);
        for (int i = 20; i < 40; i++) resumed.Append(Scratch.Batch((ulong)i + 1, batches[i]));
        await resumed.FinishAsync(280, 40);
        Assert.InRange(Directory.GetFiles(scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories).Length, 5, 20);
        Build build = (await again.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        Assert.Equal(batches.SelectMany(static b => b), Scratch.ReadAll(build));
        Assert.Equal(1, build.Progress);
    }

    [Fact]
    public async Task A_torn_tail_is_cut_at_the_last_whole_batch_wherever_it_tore()
    {
        using var scratch = new Scratch();
        string file;
        using (DataDirectory directory = await WithPeople(scratch))
        {
            using Upload upload = await directory.Datasets.OpenUploadAsync("people", Id);
            for (ulong i = 1; i <= 3; i++) upload.Append(Scratch.Batch(i, Scratch.Rows(2, i)));
            upload.Flush();
            file = Directory.GetFiles(scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories).Single();
        }
        byte[] whole = File.ReadAllBytes(file);
        int block = (whole.Length - 40) / 3;
        var shape = new RowShape(Scratch.Dimension, false);
        string folder = Path.GetDirectoryName(file)!;
        for (int length = whole.Length; length >= 0; length--)
        {
            File.WriteAllBytes(file, whole[..length]);
            using var upload = new UploadFile(folder, Id, shape, 1 << 20, null);
            int blocks = Math.Max(0, (length - 40) / block);
            Assert.Equal((ulong)blocks, upload.DurableSequence);
            Assert.Equal(2 * blocks, upload.Rows);
        }
        for (int bit = 0; bit < whole.Length * 8; bit += 7)
        {
            byte[] flipped = [.. whole];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes(file, flipped);
            using var upload = new UploadFile(folder, Id, shape, 1 << 20, null);
            int blocks = bit / 8 < 40 ? 0 : ((bit / 8) - 40) / block;
            Assert.Equal((ulong)blocks, upload.DurableSequence);
        }
    }

    [Fact]
    public async Task A_second_stream_takes_an_upload_over_and_an_aborted_one_is_gone()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = await WithPeople(scratch);
        using Upload first = await directory.Datasets.OpenUploadAsync("people", Id);
        first.Append(Scratch.Batch(1, Scratch.Rows(1, 1)));
        using Upload second = await directory.Datasets.OpenUploadAsync("people", Id);
        Assert.Equal(2ul, second.NextSequence);
        Assert.Equal(Reasons.UploadTakenOver, Assert.Throws<StorageException>(() => first.Flush()).Reason);
        await Scratch.Refused(Reasons.UploadTakenOver, () => first.FinishAsync(1, 1));
        await directory.Datasets.AbortUploadAsync("people", Id);
        Assert.Equal(Reasons.UploadTakenOver, Assert.Throws<StorageException>(() => second.Flush()).Reason);
        Assert.Equal(Reasons.ResourceNotFound, Assert.Throws<StorageException>(() => directory.Datasets.GetUpload("people", Id)).Reason);
        using Upload fresh = await directory.Datasets.OpenUploadAsync("people", Id);
        Assert.Equal(1ul, fresh.NextSequence);
    }

    [Fact]
    public async Task Limits_on_uploads_records_and_space_are_kept()
    {
        using var scratch = new Scratch();
        StorageOptions options = scratch.Options with { MaxOpenUploadsPerDataset = 1 };
        using (DataDirectory directory = await WithPeople(scratch, options))
        {
            DatasetDefinition ten = new(
                DatasetKind.Private, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 10, [], OutOfDomainPolicy.Refuse);
            await Scratch.Create(directory, "ten", Scratch.Pure, definition: ten);
            await Scratch.Ingest(directory, "ten", Scratch.Rows(8, 1));
            StorageException error = await Scratch.Refused(Reasons.LimitExceeded, () => Scratch.Ingest(directory, "ten", Scratch.Rows(3, 1)));
            Assert.Equal(("records", "10"), (error.Metadata["limit"], error.Metadata["value"]));
            Assert.Equal(8, directory.Datasets.Get("ten").RecordCount);
            await Scratch.Refused(Reasons.LimitExceeded, () => directory.Datasets.OpenUploadAsync("ten", Guid.NewGuid().ToString()));
        }
        using DataDirectory full = scratch.Open(options with { MinFreeBytes = long.MaxValue / 2 });
        await Scratch.Refused(Reasons.StorageFull, () => Scratch.Ingest(full, "people", Scratch.Rows(1, 1)));
    }

    [Fact]
    public async Task Unfinished_uploads_and_old_request_ids_expire()
    {
        using var scratch = new Scratch();
        Call call = Scratch.Call("CreateDataset", "");
        using DataDirectory directory = scratch.Open(scratch.Options with
        {
            UploadRetention = TimeSpan.FromSeconds(-5),
            RequestIdRetention = TimeSpan.FromSeconds(-5),
        });
        await Scratch.Create(directory, "people", Scratch.Pure, call: call);
        using (Upload held = await directory.Datasets.OpenUploadAsync("people", Id))
        {
            await directory.ExpireAsync();
            held.Append(Scratch.Batch(1, Scratch.Rows(1, 1)));
        }
        await directory.ExpireAsync();
        Assert.Throws<StorageException>(() => directory.Datasets.GetUpload("people", Id));
        Assert.Empty(Directory.GetFiles(scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories));
        await Scratch.Refused(Reasons.DatasetExists, () => Scratch.Create(directory, "people", Scratch.Pure, call: call));
    }

    static async Task<DataDirectory> WithPeople(Scratch scratch, StorageOptions? options = null)
    {
        DataDirectory directory = scratch.Open(options);
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        return directory;
    }
}
