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
