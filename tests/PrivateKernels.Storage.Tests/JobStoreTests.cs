using System.Text;

namespace PrivateKernels.Tests;

public sealed class JobStoreTests(PostgresServer server)
{
    const int Rows = 2 * PredictionWriter.BlockRows + 100;

    [Fact]
    public async Task Jobs_are_forgotten_with_their_predictions_once_their_time_is_over()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open(scratch.Options with { JobRetention = TimeSpan.FromDays(-1) });
        JobRow job = await FinishAsync(directory, await CreateAsync(directory));
        JobRow waiting = await CreateAsync(directory, "waiting");
        Assert.Equal(Rows, directory.Jobs.Read(job, 0).Sum(static b => b.Classes.Length));
        await directory.ExpireAsync();
        Assert.Empty(Directory.GetFiles(scratch.FileOf("predictions")));
        await Scratch.Refused(Reasons.ResourceNotFound, () => Task.FromResult(directory.Jobs.Get("people", "job")));
        // One that has not ended does not grow old.
        Assert.Equal(waiting.Uid, Assert.Single(directory.Jobs.ListUnfinished()).Uid);
    }

    [Fact]
    public async Task Predictions_that_are_cut_or_altered_go_on_behind_the_last_whole_block()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        JobRow job = await FinishAsync(directory, await CreateAsync(directory));
        string path = scratch.FileOf($"predictions/{job.Uid}.pkp");
        byte[] whole = await File.ReadAllBytesAsync(path);
        for (int cut = 0; cut < whole.Length; cut += 257)
        {
            await File.WriteAllBytesAsync(path, whole[..cut]);
            Assert.Equal(Math.Min(cut / (8 + 12 * PredictionWriter.BlockRows), 2), Resumable(directory, job));
            await Scratch.Refused(Reasons.FileCorrupt, () => Task.FromResult(directory.Jobs.Read(job, 0).ToList()));
        }
        for (int flip = 0; flip < whole.Length; flip += 1023)
        {
            byte[] altered = [.. whole];
            altered[flip] ^= 4;
            await File.WriteAllBytesAsync(path, altered);
            await Scratch.Refused(Reasons.FileCorrupt, () => Task.FromResult(directory.Jobs.Read(job, 0).ToList()));
        }
    }

    [Fact]
    public async Task A_file_of_predictions_without_a_job_is_deleted_at_the_next_start()
    {
        using var scratch = new Scratch();
        JobRow job;
        using (DataDirectory directory = scratch.Open()) job = await FinishAsync(directory, await CreateAsync(directory));
        File.Copy(scratch.FileOf($"predictions/{job.Uid}.pkp"), scratch.FileOf($"predictions/{Guid.NewGuid()}.pkp"));
        using DataDirectory again = scratch.Open();
        Assert.Single(Directory.GetFiles(scratch.FileOf("predictions")));
        Assert.Equal(Rows, again.Jobs.Read(again.Jobs.Get("people", "job"), 0).Sum(static b => b.Classes.Length));
    }

    [Fact]
    public async Task A_job_of_a_server_that_lost_its_disk_is_taken_over_and_read_on_every_server()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        var clock = new LaterClock();
        using DataDirectory second = right.Open(right.Options with { Clock = clock });
        JobRow job;
        using (DataDirectory first = left.Open(left.Options with { Clock = clock }))
        {
            job = await CreateAsync(first);
            // Alive: whatever time passes, the job is its own.
            clock.Later = TimeSpan.FromMinutes(4);
            Assert.Empty(await first.Jobs.KeepAsync());
            clock.Later = TimeSpan.FromMinutes(8);
            Assert.Empty(await second.Jobs.KeepAsync());
            Assert.Empty(await first.Jobs.KeepAsync());
        }
        Directory.Delete(left.FileOf("predictions"), recursive: true);
        using DataDirectory empty = left.Open(left.Options with { Clock = clock });
        Assert.Empty(empty.Jobs.ListUnfinished());
        clock.Later = TimeSpan.FromMinutes(14);
        Assert.Equal(job.Uid, Assert.Single(await second.Jobs.KeepAsync()).Uid);
        Assert.Empty(await empty.Jobs.KeepAsync());
        JobRow ended = await FinishAsync(second, job);
        Assert.Equal(Rows, empty.Jobs.Read(ended, 0).Sum(static b => b.Classes.Length));
        // What a server that comes back has of it, by half, does not count.
        using (var stale = new FileStream(left.FileOf($"predictions/{job.Uid}.pkp"), FileMode.Open)) stale.SetLength(100);
        Assert.Equal(second.Jobs.Read(ended, 0).SelectMany(static b => b.Margins), empty.Jobs.Read(ended, 0).SelectMany(static b => b.Margins));
        await empty.Jobs.DeleteAsync(Scratch.Call("DeleteClassificationJob", ended.Name), "people", "job", []);
        Assert.Equal(0, second.Read(d => d.Number("SELECT COUNT(*) FROM release_chunks WHERE uid = $1", job.Uid)));
    }

    [Fact]
    public async Task Of_several_servers_only_the_one_that_created_a_job_goes_on_with_it()
    {
        string connection = server.NewSchema();
        using var left = new Scratch(postgres: new(connection));
        using var right = new Scratch(postgres: new(connection));
        using DataDirectory second = right.Open();
        using (DataDirectory first = left.Open())
        {
            JobRow job = await CreateAsync(first);
            Assert.Equal(job.Uid, Assert.Single(first.Jobs.ListUnfinished()).Uid);
            Assert.Equal(JobState.Queued, second.Jobs.Get("people", "job").State);
            Assert.Empty(second.Jobs.ListUnfinished());
        }
        using DataDirectory again = left.Open();
        await FinishAsync(again, Assert.Single(again.Jobs.ListUnfinished()));
        Assert.Equal(Rows, again.Jobs.Read(again.Jobs.Get("people", "job"), 0).Sum(static b => b.Classes.Length));
        Assert.Empty(again.Jobs.ListUnfinished());
    }

    static async Task<JobRow> CreateAsync(DataDirectory directory, string id = "job")
    {
        ReleaseRow release;
        if (id == "job")
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Create(directory, "open", null, definition: new(
                DatasetKind.Public, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 0, [], OutOfDomainPolicy.Refuse));
            await Scratch.Ingest(directory, "open", Scratch.Rows(Rows, 1));
            Reservation reservation = await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()));
            release = await Scratch.Finish(directory, reservation.Build!, Scratch.Measurement());
        }
        else
        {
            release = directory.Releases.Get("people", "r");
        }
        (_, JobRow? created) = await directory.Jobs.CreateAsync(
            Scratch.Call("CreateClassificationJob", "datasets/people"), new(id, release, "open", 1, [3, 5], "owner"),
            static (job, operation) => Encoding.UTF8.GetBytes(job.Uid + operation.Uid));
        Assert.Equal([3, 5], created!.Excluded);
        return created;
    }

    static async Task<JobRow> FinishAsync(DataDirectory directory, JobRow job)
    {
        using (PredictionWriter writer = directory.Jobs.OpenWriter(job))
        {
            for (int first = 0; first < Rows; first += PredictionWriter.BlockRows)
            {
                int count = Math.Min(PredictionWriter.BlockRows, Rows - first);
                writer.Write(new([.. Enumerable.Range(first, count)], [.. Enumerable.Range(first, count).Select(static i => i + 0.5)]));
            }
            writer.Finish();
        }
        await directory.Jobs.EndAsync(job, JobState.Succeeded, new(Rows, 0, 0));
        return directory.Jobs.Get(job.DatasetId, job.Id);
    }

    static int Resumable(DataDirectory directory, JobRow job)
    {
        using PredictionWriter writer = directory.Jobs.OpenWriter(job);
        int blocks = 0;
        while (writer.TryResume(PredictionWriter.BlockRows) is not null) blocks++;
        return blocks;
    }
}
