namespace PrivateKernels.Tests;

/// <summary>What servers of one ledger do to each other's uploads and keys.</summary>
public sealed class SharedUploadTests(PostgresServer server)
{
    [Fact]
    public async Task After_a_rotation_by_one_server_another_refuses_by_name_what_needs_the_key_and_loses_nothing()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using EncryptionKey old = EncryptionTests.NewKey(), next = EncryptionTests.NewKey();
        StorageOptions stale = left.Options with { EncryptionKey = old }, renewed = left.Options with { EncryptionKey = next };
        float[] before = Scratch.Rows(10, 1), during = Scratch.Rows(5, 2);
        using (DataDirectory first = left.Open(stale))
        {
            await Scratch.Create(first, "people", Scratch.Gaussian);
            await Scratch.Ingest(first, "people", before);
            ReleaseRow release = await PostgresOperatorTests.Spend(first, "r");
            Build build = (await first.Ledger.ReserveAsync(Scratch.Request("people", "waits", Scratch.Measurement(0.1)))).Build!;
            using Upload open = await first.Datasets.OpenUploadAsync("people", Guid.NewGuid().ToString());
            open.Append(Scratch.Batch(1, during));
            using (DataDirectory rotating = right.Open(right.Options with { EncryptionKey = old }))
                Assert.Equal(1, await rotating.RotateKeyAsync(next));

            // Whatever is under way has its data key, which a rotation does not change.
            Assert.Equal(5, await open.FinishAsync(5, 1));
            Scratch.Content(first, release);
            string refused = Guid.NewGuid().ToString();
            await Scratch.Refused(Reasons.EncryptionKeyWrong, () => first.Datasets.OpenUploadAsync("people", refused));
            await Scratch.Refused(Reasons.ResourceNotFound, () => Task.FromResult(first.Datasets.GetUpload("people", refused)));
            // A data key made with the old key would open nowhere.
            await Scratch.Refused(Reasons.EncryptionKeyWrong, () => Scratch.Create(first, "others", Scratch.Pure));
            StorageException unread = await Scratch.Refused(Reasons.EncryptionKeyWrong, () => Task.FromResult(Scratch.ReadAll(build)));
            Assert.Contains("Restart", unread.Message, StringComparison.Ordinal);
            await first.Ledger.VoidAsync(build, unread.Reason, unread.Message);
            Assert.Empty(left.Exits);
        }
        Assert.Equal(Reasons.EncryptionKeyWrong, Assert.Throws<StorageException>(() => left.Open(stale)).Reason);
        using DataDirectory again = left.Open(renewed), other = right.Open(right.Options with { EncryptionKey = next });
        await Scratch.Create(other, "others", Scratch.Pure);
        Build all = (await other.Ledger.ReserveAsync(Scratch.Request("people", "all", Scratch.Measurement(0.1)))).Build!;
        Assert.Equal([.. before, .. during], Scratch.ReadAll(all));
    }

    [Fact]
    public async Task Of_two_servers_with_one_upload_the_later_goes_on_and_the_first_acknowledges_and_finishes_nothing_more()
    {
        string connection = server.NewServedSchema(), id = Guid.NewGuid().ToString();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = left.Open(), second = right.Open();
        await Scratch.Create(first, "people", Scratch.Gaussian);
        float[] one = Scratch.Rows(5, 1), two = Scratch.Rows(5, 2);
        using Upload earlier = await first.Datasets.OpenUploadAsync("people", id);
        earlier.Append(Scratch.Batch(1, one));
        Assert.Equal(1ul, earlier.Flush());
        using Upload later = await second.Datasets.OpenUploadAsync("people", id);
        Assert.Equal(1ul, later.NextSequence);
        earlier.Append(Scratch.Batch(2, two));
        // All that it sent is there: it would finish, if it were not fenced.
        await Scratch.Refused(Reasons.UploadTakenOver, () => earlier.FinishAsync(10, 2));
        await Scratch.Refused(Reasons.UploadTakenOver, () => Task.FromResult(earlier.Flush()));
        await Scratch.Refused(Reasons.UploadTakenOver, () => Task.Run(() => earlier.Append(Scratch.Batch(3, one))));
        foreach ((float[] rows, ulong sequence) in new[] { (one, 1ul), (two, 2ul) }) later.Append(Scratch.Batch(sequence, rows));
        later.Flush();
        // Back at the first server, whose rows were kept.
        using Upload back = await first.Datasets.OpenUploadAsync("people", id);
        Assert.Equal(3ul, back.NextSequence);
        await Scratch.Refused(Reasons.UploadTakenOver, () => Task.FromResult(later.Flush()));
        Assert.Equal(10, await back.FinishAsync(10, 2));
        await Scratch.Refused(Reasons.UploadTakenOver, () => Task.FromResult(later.Flush()));
        Assert.Equal((10, 10), (first.Datasets.Get("people").RecordCount, second.Datasets.Get("people").RecordCount));
        // Who asks again is answered again.
        using (Upload repeated = await second.Datasets.OpenUploadAsync("people", id)) Assert.Equal(10, await repeated.FinishAsync(10, 2));
        Build build = (await second.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        Assert.Equal([.. one, .. two], Scratch.ReadAll(build));
    }

    [Fact]
    public async Task An_upload_that_another_server_discarded_begins_anew_without_the_rows_that_are_still_here()
    {
        string connection = server.NewSchema(), id = Guid.NewGuid().ToString();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory first = left.Open(), second = right.Open();
        await Scratch.Create(first, "people", Scratch.Gaussian);
        float[] rows = Scratch.Rows(5, 3);
        using Upload stale = await first.Datasets.OpenUploadAsync("people", id);
        stale.Append(Scratch.Batch(1, Scratch.Rows(5, 1)));
        stale.Flush();
        await second.Datasets.AbortUploadAsync("people", id);
        await Scratch.Refused(Reasons.UploadTakenOver, () => Task.FromResult(stale.Flush()));
        using Upload anew = await first.Datasets.OpenUploadAsync("people", id);
        Assert.Equal(1ul, anew.NextSequence);
        anew.Append(Scratch.Batch(1, rows));
        Assert.Equal(5, await anew.FinishAsync(5, 1));
        Build build = (await first.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        Assert.Equal(rows, Scratch.ReadAll(build));
    }

    [Fact]
    public async Task Servers_of_one_ledger_that_were_given_different_keys_or_none_do_not_both_write()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using var third = new Scratch(postgres: new(connection));
        using EncryptionKey one = EncryptionTests.NewKey(), two = EncryptionTests.NewKey();
        using DataDirectory first = left.Open(left.Options with { EncryptionKey = one });
        using DataDirectory second = right.Open(right.Options with { EncryptionKey = two }), keyless = third.Open();
        await Scratch.Create(first, "people", Scratch.Pure);
        await Scratch.Refused(Reasons.EncryptionKeyWrong, () => Scratch.Create(second, "others", Scratch.Pure));
        await Scratch.Refused(Reasons.EncryptionKeyWrong, () => Scratch.Create(keyless, "others", Scratch.Pure));
        await Scratch.Refused(Reasons.EncryptionKeyWrong, () => Scratch.Ingest(second, "people", Scratch.Rows(1, 1)));
        Assert.Equal(["people"], first.Datasets.List(null, 9, showDeleted: true).Select(static d => d.Id));
        Assert.Equal(2, first.Ledger.Head.Sequence);
    }
}
