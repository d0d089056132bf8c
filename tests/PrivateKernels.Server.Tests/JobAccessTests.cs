using Google.LongRunning;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class JobAccessTests
{
    [Fact]
    public async Task A_jobs_operation_is_its_creators_and_the_owners_and_other_analysts_cannot_see_or_delete_it()
    {
        string directory = Directory.CreateTempSubdirectory("pk-jobs-").FullName;
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "*"), creator = keys.Add("creator", Role.Analyst, "*");
        string other = keys.Add("other", Role.Analyst, "*"), narrow = keys.Add("narrow", Role.Analyst, "people");
        try
        {
            await using (TestServer open = await StartAsync(directory: directory)) await FillAsync(open);
            await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } }, directory);
            KeyHolder Of(string key) => KeyHolder.Of(server.Channel, key);
            // Who may not see the rows to classify cannot have them classified.
            Failure refused = await Failure.OfAsync(Of(narrow).Queries.CreateClassificationJobAsync(NewJob()));
            Assert.Equal(("RESOURCE_NOT_FOUND", "datasets/tests"), (refused.Reason, refused.Metadata["resource"]));

            CreateClassificationJobResponse job = await Of(creator).Queries.CreateClassificationJobAsync(NewJob());
            var get = new GetOperationRequest { Name = job.Operation.Name };
            foreach (string key in (string[])[owner, creator])
            {
                Assert.Equal(job.Operation.Name, (await Of(key).Operations.GetOperationAsync(get)).Name);
                ListOperationsResponse list = await Of(key).Operations.ListOperationsAsync(new ListOperationsRequest());
                Assert.Contains(list.Operations, o => o.Name == job.Operation.Name);
            }
            Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(Of(other).Operations.GetOperationAsync(get))).Reason);
            Assert.Empty((await Of(other).Operations.ListOperationsAsync(new ListOperationsRequest())).Operations);
            Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(
                Of(other).Operations.CancelOperationAsync(new CancelOperationRequest { Name = job.Operation.Name }))).Reason);
            DeleteClassificationJobRequest Delete() => new() { Name = job.ClassificationJob.Name, RequestId = NewId() };
            Assert.Equal(StatusCode.PermissionDenied, (await Failure.OfAsync(Of(other).Queries.DeleteClassificationJobAsync(Delete()))).Code);
            await Of(creator).Queries.DeleteClassificationJobAsync(Delete());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    static CreateClassificationJobRequest NewJob() => new()
    {
        Parent = "datasets/people",
        ClassificationJobId = "j",
        ClassificationJob = new() { Release = "datasets/people/releases/r", QueryDataset = "datasets/tests" },
        RequestId = NewId(),
    };

    static async Task FillAsync(TestServer server)
    {
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right"]);
            r.Budget = new() { Epsilon = 1000, Delta = 1e-5 };
        }));
        await server.IngestAsync("people", Pattern(100, 4), 4, [.. Enumerable.Range(0, 100).Select(static i => (uint)(i % 2))]);
        await server.BuildAsync(NewRelease("people", "r", 500, static r => r.Spec.Sketch.PerClass = true));
        await server.Datasets.CreateDatasetAsync(NewDataset("tests", static r =>
        {
            r.Dataset.Kind = V1.DatasetKind.Public;
            r.Budget = null;
        }));
        await server.IngestAsync("tests", Pattern(10, 4), 4);
    }
}
