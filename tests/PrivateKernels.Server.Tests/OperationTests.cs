using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class OperationTests
{
    /// <summary>Long enough that a build of it cannot end while a test asks for its cancellation.</summary>
    const uint ManyFeatures = 131072;

    [Fact]
    public async Task A_cancelled_build_returns_its_hold_and_its_release_has_failed()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, "people");
        CreateReleaseResponse running = await server.Releases.CreateReleaseAsync(Long("people", "running"));
        CreateReleaseResponse waiting = await server.Releases.CreateReleaseAsync(Long("people", "waiting"));
        foreach (Operation operation in (Operation[])[waiting.Operation, running.Operation])
        {
            await server.Operations.CancelOperationAsync(new CancelOperationRequest { Name = operation.Name });
            Operation ended = await server.EndAsync(operation);
            Assert.Equal((int)StatusCode.Cancelled, ended.Error.Code);
        }
        Budget budget = (await server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
        Assert.Equal((0, 0), (budget.SpentUnits, budget.ReservedUnits));
        V1.Release failed = (await server.Releases.GetReleaseAsync(new GetReleaseRequest { Name = running.Release.Name })).Release;
        Assert.Equal(ReleaseState.Failed, failed.State);
        Failure query = await Failure.OfAsync(server.Queries.QueryAsync(new QueryRequest
        {
            Release = failed.Name,
            Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } },
        }));
        Assert.Equal("RELEASE_NOT_READY", query.Reason);
        await server.Operations.CancelOperationAsync(new CancelOperationRequest { Name = running.Operation.Name });
    }

    [Fact]
    public async Task A_build_that_the_end_of_the_server_interrupts_goes_on_at_the_next_start()
    {
        string directory = Directory.CreateTempSubdirectory("pk-restart-").FullName;
        try
        {
            CreateReleaseResponse created;
            await using (TestServer server = await StartAsync(directory: directory))
            {
                await FillAsync(server, "people");
                created = await server.Releases.CreateReleaseAsync(Long("people", "r"));
            }
            await using (TestServer server = await StartAsync(directory: directory))
            {
                Operation ended = await server.EndAsync(created.Operation);
                V1.Release release = ended.Response.Unpack<V1.Release>();
                Assert.Equal((created.Release.Uid, ReleaseState.Ready), (release.Uid, release.State));
                QueryResponse answer = await server.Queries.QueryAsync(new QueryRequest
                {
                    Release = release.Name,
                    Points = new V1.Points { Dimension = 4, Values = { 0.5f, 0.5f, 0.5f, 0.5f } },
                });
                Assert.Equal(release.Sha256, answer.ReleaseSha256);
                Budget budget = (await server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
                Assert.Equal((release.Cost.Units, 0), (budget.SpentUnits, budget.ReservedUnits));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task A_release_that_is_saved_but_not_posted_is_posted_as_it_is_at_the_next_start()
    {
        string directory = Directory.CreateTempSubdirectory("pk-pending-").FullName;
        try
        {
            CreateReleaseResponse created;
            byte[] pending;
            await using (TestServer server = await StartAsync(
                static o => o with { Build = new() { CompletionQuantum = TimeSpan.FromHours(1) } }, directory))
            {
                await server.Datasets.CreateDatasetAsync(NewDataset("people"));
                await server.IngestAsync("people", Pattern(10, 4), 4);
                created = await server.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.5));
                pending = await PendingFileAsync(directory, created.Release.Accuracy.FileBytes);
                Operation waiting = await server.Operations.GetOperationAsync(new GetOperationRequest { Name = created.Operation.Name });
                Assert.Equal(BuildStage.Releasing, waiting.Metadata.Unpack<BuildMetadata>().Stage);
            }
            await using (TestServer server = await StartAsync(directory: directory))
            {
                V1.Release release = (await server.EndAsync(created.Operation)).Response.Unpack<V1.Release>();
                Assert.Equal(System.Security.Cryptography.SHA256.HashData(pending), release.Sha256.ToByteArray());
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task A_damaged_file_is_named_and_the_other_releases_still_answer()
    {
        string directory = Directory.CreateTempSubdirectory("pk-damage-").FullName;
        try
        {
            V1.Release damaged, whole;
            await using (TestServer server = await StartAsync(directory: directory))
            {
                await server.Datasets.CreateDatasetAsync(NewDataset("people"));
                await server.IngestAsync("people", Pattern(10, 4), 4);
                damaged = await server.BuildAsync(NewRelease("people", "damaged", 0.3));
                whole = await server.BuildAsync(NewRelease("people", "whole", 0.3));
            }
            string file = Directory.GetFiles(directory, $"*{damaged.Uid}*", SearchOption.AllDirectories).Single();
            byte[] bytes = await File.ReadAllBytesAsync(file);
            bytes[^40] ^= 1;
            await File.WriteAllBytesAsync(file, bytes);
            await using (TestServer server = await StartAsync(directory: directory))
            {
                var query = new QueryRequest
                {
                    Release = damaged.Name,
                    Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } },
                };
                Failure corrupt = await Failure.OfAsync(server.Queries.QueryAsync(query));
                Assert.Equal(("FILE_CORRUPT", StatusCode.DataLoss), (corrupt.Reason, corrupt.Code));
                query.Release = whole.Name;
                Assert.Single((await server.Queries.QueryAsync(query)).Answers.Values);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    static async Task<byte[]> PendingFileAsync(string directory, long size)
    {
        for (int i = 0; i < 500; i++, await Task.Delay(20))
        {
            try
            {
                string[] files = Directory.GetFiles(Path.Combine(directory, "pending"));
                if (files.Length == 1 && new FileInfo(files[0]).Length == size) return await File.ReadAllBytesAsync(files[0]);
            }
            catch (IOException)
            {
                // It is being written.
            }
        }
        throw new TimeoutException("the release was not saved");
    }

    [Fact]
    public async Task Deleting_a_dataset_by_force_ends_its_builds_first()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, "people");
        CreateReleaseResponse running = await server.Releases.CreateReleaseAsync(Long("people", "running"));
        await server.Datasets.DeleteDatasetAsync(
            new DeleteDatasetRequest { Name = "datasets/people", Force = true, RequestId = NewId() });
        Assert.NotNull((await server.EndAsync(running.Operation)).Error);
    }

    [Fact]
    public async Task A_forced_deletion_that_is_refused_or_repeated_ends_no_build()
    {
        await using TestServer server = await StartAsync(static o => o with { Build = new() { CompletionQuantum = TimeSpan.FromHours(1) } });
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        // The first build waits for its hour, the second for the first: its hold could be returned.
        async Task<string> WaitingAsync(string dataset, string id)
        {
            await server.Releases.CreateReleaseAsync(NewRelease(dataset, id, 0.1));
            return (await server.Releases.CreateReleaseAsync(NewRelease(dataset, id + "-waiting", 0.1))).Operation.Name;
        }

        await server.Datasets.CreateDatasetAsync(NewDataset("other"));
        string waiting = await WaitingAsync("people", "a");
        var delete = new DeleteDatasetRequest { Name = "datasets/people", Force = true, Etag = "old", RequestId = NewId() };
        Assert.Equal("ETAG_MISMATCH", (await Failure.OfAsync(server.Datasets.DeleteDatasetAsync(delete))).Reason);
        Assert.False((await server.Operations.GetOperationAsync(new GetOperationRequest { Name = waiting })).Done);

        // An id in its second life: what is repeated is the end of the first.
        var first = new DeleteDatasetRequest { Name = "datasets/other", Force = true, RequestId = NewId() };
        DeleteDatasetResponse deleted = await server.Datasets.DeleteDatasetAsync(first);
        await server.Datasets.CreateDatasetAsync(NewDataset("other", static r => r.Budget = null));
        waiting = await WaitingAsync("other", "b");
        Assert.Equal(deleted, await server.Datasets.DeleteDatasetAsync(first));
        Assert.False((await server.Operations.GetOperationAsync(new GetOperationRequest { Name = waiting })).Done);
    }

    [Fact]
    public async Task Builds_beyond_the_queue_are_refused_before_anything_is_held()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = o.Limits with { QueuedBuilds = 1 } });
        await FillAsync(server, "people");
        await server.Releases.CreateReleaseAsync(Long("people", "running"));
        await server.Releases.CreateReleaseAsync(Long("people", "waiting"));
        string before = await server.LedgerAsync("people");
        Failure refused = await Failure.OfAsync(server.Releases.CreateReleaseAsync(Long("people", "refused")));
        Assert.Equal(("OVERLOADED", StatusCode.ResourceExhausted), (refused.Reason, refused.Code));
        Assert.NotNull(refused.Detail<Google.Rpc.RetryInfo>().RetryDelay);
        Assert.Equal(before, await server.LedgerAsync("people"));
    }

    [Fact]
    public async Task A_release_appears_at_a_multiple_of_the_quantum()
    {
        await using TestServer server = await StartAsync(static o => o with
        {
            Build = new() { CompletionQuantum = TimeSpan.FromMilliseconds(700) },
        });
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        await server.IngestAsync("people", Pattern(2, 4), 4);
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        Operation operation = (await server.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.5))).Operation;
        Operation early = await server.Operations.WaitOperationAsync(new WaitOperationRequest
        {
            Name = operation.Name,
            Timeout = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(300)),
        });
        Assert.False(early.Done);
        Assert.Contains(early.Metadata.Unpack<BuildMetadata>().Percent, (uint[])[0, 25, 50, 75, 100]);
        await server.EndAsync(operation);
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(690));
    }

    [Fact]
    public async Task Operations_are_listed_by_state_in_pages_and_can_be_forgotten()
    {
        await using TestServer server = await StartAsync();
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        await server.IngestAsync("people", Pattern(2, 4), 4);
        for (int i = 0; i < 3; i++)
        {
            await server.BuildAsync(NewRelease("people", $"r{i}", 0.1));
            // Times are whole seconds: the last must have one of its own.
            if (i == 1) await Task.Delay(1100, TestContext.Current.CancellationToken);
        }
        List<string> names = [], releases = [];
        var list = new ListOperationsRequest { Name = "operations", Filter = "done=true", PageSize = 2 };
        do
        {
            ListOperationsResponse page = await server.Operations.ListOperationsAsync(list);
            names.AddRange(page.Operations.Select(static o => o.Name));
            releases.AddRange(page.Operations.Select(static o => o.Metadata.Unpack<BuildMetadata>().Release));
            list.PageToken = page.NextPageToken;
        }
        while (list.PageToken.Length > 0);
        Assert.Equal(3, names.Distinct().Count());
        Assert.Equal("datasets/people/releases/r2", releases[0]);
        Assert.Empty((await server.Operations.ListOperationsAsync(new ListOperationsRequest { Filter = "done=false" })).Operations);
        Assert.Equal("filter", (await Failure.OfAsync(server.Operations.ListOperationsAsync(
            new ListOperationsRequest { Filter = "state=1" }))).Metadata["field"]);
        await server.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = names[0] });
        Failure gone = await Failure.OfAsync(server.Operations.GetOperationAsync(new GetOperationRequest { Name = names[0] }));
        Assert.Equal("RESOURCE_NOT_FOUND", gone.Reason);
    }

    static CreateReleaseRequest Long(string dataset, string id) => NewRelease(dataset, id, 0.3, static r =>
    {
        r.Spec.Sketch.Features = ManyFeatures;
        r.Spec.Sketch.Function.Name = "laplacian";
    });

    static async Task FillAsync(TestServer server, string dataset)
    {
        await server.Datasets.CreateDatasetAsync(NewDataset(dataset, static r => r.Dataset.MaxRecords = 100_000));
        await server.IngestAsync(dataset, Pattern(20_000, 4), 4);
    }
}
