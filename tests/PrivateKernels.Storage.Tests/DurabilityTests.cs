namespace PrivateKernels.Tests;

/// <summary>Steps on files that a crash, a reader or another caller may come between.</summary>
public sealed class DurabilityTests
{
    [Fact]
    public async Task A_lost_release_that_many_bring_back_at_once_is_whole()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement(0.3);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        ReleaseRow posted = await Scratch.Finish(directory, build, measurement);
        byte[] content = Scratch.Content(directory, posted);
        Release release = ReleaseFile.Read(content);
        for (int round = 0; round < 5; round++)
        {
            File.Delete(scratch.FileOf($"releases/{posted.Uid}.pkr"));
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => directory.Releases.ImportAsync(
                new(Scratch.Call("ImportRelease", "datasets/people"), "people", "r", content, release, 1, new byte[1], null), static _ => []))));
            Assert.Equal(content, Scratch.Content(directory, posted));
        }
        Assert.Empty(scratch.Exits);
        Assert.Single(Directory.GetFiles(scratch.FileOf("releases")));
    }

    [Fact]
    public async Task A_deleted_key_leaves_the_log_also_while_somebody_reads()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open(scratch.Options with { EncryptionKey = OnePassHost.Key });
        await Scratch.Create(directory, "people", Scratch.Pure);
        byte[] wrapped = directory.Read(static d => d.First("SELECT wrapped FROM dataset_keys", static r => (byte[])r[0]))!;
        Assert.True(Holds("pk.db") || Holds("pk.db-wal"));
        using var reader = new SqliteSession(scratch.FileOf("pk.db"), writes: false);
        reader.Execute("BEGIN");
        Assert.Equal(1, reader.Number("SELECT COUNT(*) FROM datasets"));
        Task<byte[]> deleted = Task.Run(() => directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", ""), "people", "", true, static _ => []));
        while (directory.Datasets.Get("people").State == DatasetState.Active) await Task.Delay(10, TestContext.Current.CancellationToken);
        await Task.Delay(200, TestContext.Current.CancellationToken);
        reader.Execute("COMMIT");
        await deleted;
        Assert.False(Holds("pk.db"));
        Assert.False(Holds("pk.db-wal"));

        bool Holds(string file) => LedgerTests.ReadShared(scratch.FileOf(file)).AsSpan().IndexOf(wrapped) >= 0;
    }

    [Fact]
    public async Task What_a_crash_left_half_written_is_deleted_at_the_next_start()
    {
        using var scratch = new Scratch();
        StorageOptions options = scratch.Options with { EncryptionKey = OnePassHost.Key };
        string upload = Guid.NewGuid().ToString(), folder;
        using (DataDirectory directory = scratch.Open(options))
        {
            await Scratch.Create(directory, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
            using Upload open = await directory.Datasets.OpenUploadAsync(OnePassHost.Name, upload, OnePassHost.Accumulators);
            open.Append(Scratch.Batch(1, Scratch.Rows(5, 1)));
            open.Flush();
            folder = Directory.GetDirectories(scratch.FileOf("datasets")).Single();
        }
        string kept = Directory.GetFiles(folder).Single();
        string[] torn =
        [
            Path.Combine(folder, $"{upload}.{Guid.NewGuid():N}.cells"), Path.Combine(folder, $"{upload}.{Guid.NewGuid():N}.sum"),
            $"{kept}.{Guid.NewGuid():N}.part", Path.Combine(folder, $"fetched.{Guid.NewGuid():N}.seg"),
            scratch.FileOf($"releases/{Guid.NewGuid()}.imported"), scratch.FileOf($"releases/{Guid.NewGuid()}.pkr.{Guid.NewGuid():N}.part"),
            scratch.FileOf($"predictions/{Guid.NewGuid()}.pkp.{Guid.NewGuid():N}.part"), scratch.FileOf($"pending/{Guid.NewGuid():N}.1"),
        ];
        foreach (string path in torn) await File.WriteAllBytesAsync(path, [1, 2, 3], TestContext.Current.CancellationToken);
        using DataDirectory again = scratch.Open(options);
        Assert.All(torn, static path => Assert.False(File.Exists(path), path));
        Assert.True(File.Exists(kept));
        Assert.Equal(2ul, again.Datasets.GetUpload(OnePassHost.Name, upload).NextSequence);
    }

    [Fact]
    public async Task A_backup_that_missed_a_checkpoint_begins_that_upload_again()
    {
        using var scratch = new Scratch();
        using var copy = new Scratch();
        StorageOptions options = scratch.Options with { EncryptionKey = OnePassHost.Key };
        string upload = Guid.NewGuid().ToString();
        using (DataDirectory directory = scratch.Open(options))
        {
            await Scratch.Create(directory, OnePassHost.Name, Scratch.Gaussian, definition: OnePassHost.Definition);
            using Upload open = await directory.Datasets.OpenUploadAsync(OnePassHost.Name, upload, OnePassHost.Accumulators);
            open.Append(Scratch.Batch(1, Scratch.Rows(5, 1)));
            open.Flush();
            // As if it was replaced after the database was copied.
            File.Delete(Directory.GetFiles(scratch.FileOf("datasets"), "*.cells", SearchOption.AllDirectories).Single());
            Backup.Create(scratch.Path, scratch.Options, copy.FileOf("to"));
        }
        File.Copy(scratch.FileOf("witness"), copy.FileOf("to/witness"));
        Restore.Run(copy.FileOf("to"), options, [], acceptLoss: false);
        using DataDirectory restored = DataDirectory.Open(copy.FileOf("to"), options);
        using Upload again = await restored.Datasets.OpenUploadAsync(OnePassHost.Name, upload, OnePassHost.Accumulators);
        Assert.Equal(1ul, again.NextSequence);
    }
}
