using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>
/// Requests with bytes or fields gone wrong, over every call. Those that would change something ask for validation only or
/// repeat a request id that is used, so that whatever the server makes of them, the ledger may not move.
/// </summary>
public sealed class FuzzTests
{
    const ulong Seed = 20260101;
    const int Callers = 8;

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Mutated_requests_break_nothing_and_leave_the_ledger_as_it_was()
    {
        int count = Scale.Of(200_000, 500_000);
        ulong seed = Scale.Seed(Seed);
        await using TestServer server = await StartAsync(static o => o with
        {
            Log = new() { Level = Microsoft.Extensions.Logging.LogLevel.Error },
            Limits = o.Limits with { StreamsPerKey = 100, Dimension = 64, QueryPoints = 256, Features = 4096, FirstFrame = TimeSpan.FromSeconds(30) },
        });
        List<(string Method, IMessage[] Frames)> corpus = await FillAsync(server);
        Assert.Equal(34, corpus.Select(static c => c.Method).Distinct().Count());
        string before = await StateAsync(server);
        var codes = new System.Collections.Concurrent.ConcurrentDictionary<(string, int), int>();
        using var raw = new RawCall(server.Host.Address);
        await Parallel.ForAsync(0, Callers, new ParallelOptions { MaxDegreeOfParallelism = Callers, CancellationToken = Now }, async (caller, stop) =>
        {
            var mutations = new Mutations(seed + (ulong)caller);
            for (int i = 0; i < count / Callers; i++)
            {
                (string method, IMessage[] frames) = corpus[mutations.Next(corpus.Count)];
                byte[][] sent = [.. frames.Select(static f => f.ToByteArray())];
                int changed = mutations.Next(frames.Length);
                sent[changed] = Harmless(frames[changed], mutations.Mutate(frames[changed]));
                (int code, string message, _) = await raw.SendAsync(method, sent, stop);
                if (code is 2 or 13)
                    Assert.Fail($"{method}: {code} {message}\n{Convert.ToHexString(sent[changed])}\n{server.Log}");
                codes.AddOrUpdate((method, code), 1, static (_, n) => n + 1);
            }
        });
        Assert.Equal(before, await StateAsync(server));
        // Refused and answered calls both: the corpus itself is valid.
        Assert.InRange(codes.Where(static c => c.Key.Item2 == 0).Sum(static c => c.Value), count / 50, count);
        Assert.InRange(codes.Where(static c => c.Key.Item2 == 3).Sum(static c => c.Value), count / 50, count);
    }

    [Theory]
    [InlineData(new byte[] { 0xff }, 3, "INVALID_FIELD")]
    [InlineData(new byte[] { 0x0a, 0x7f, 0x00 }, 3, "INVALID_FIELD")]
    [InlineData(new byte[] { 0x0a, 0x02, 0xc3, 0x28 }, 3, "INVALID_FIELD")]
    public async Task A_message_that_is_none_is_an_invalid_argument_with_a_reason(byte[] bytes, int code, string reason)
    {
        await using TestServer server = await StartAsync();
        using var raw = new RawCall(server.Host.Address);
        foreach (string method in (string[])["QueryService/Query", "DatasetService/CreateDataset", "QueryService/StreamQuery"])
        {
            (int Code, string Message, byte[] Details) reply = await raw.SendAsync($"/privatekernels.v1.{method}", [bytes], Now);
            Assert.Equal((code, reason), (reply.Code, Server.Statuses.Reason(Google.Rpc.Status.Parser.ParseFrom(reply.Details))));
        }
    }

    /// <summary>The mutated bytes, made harmless where the server would rightly do what they say.</summary>
    static byte[] Harmless(IMessage original, byte[] mutated)
    {
        IMessage parsed;
        try
        {
            parsed = original.Descriptor.Parser.ParseFrom(mutated);
        }
        catch (InvalidProtocolBufferException)
        {
            return mutated;
        }
        FieldDescriptor? only = original.Descriptor.FindFieldByName("validate_only"), id = original.Descriptor.FindFieldByName("request_id");
        if (only is not null && !(bool)only.Accessor.GetValue(parsed))
        {
            only.Accessor.SetValue(parsed, true);
            return parsed.ToByteArray();
        }
        if (only is not null || id is null || !Guid.TryParse((string)id.Accessor.GetValue(parsed), out _)) return mutated;
        // A request id counts in the scope of the name.
        foreach (FieldDescriptor? field in (FieldDescriptor?[])[id, original.Descriptor.FindFieldByName("name")])
            field?.Accessor.SetValue(parsed, field.Accessor.GetValue(original));
        return parsed.ToByteArray();
    }

    /// <summary>Every entry of the ledger, the account, and the bits of an answer.</summary>
    static async Task<string> StateAsync(TestServer server)
    {
        ListLedgerEntriesResponse ledger = await server.Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest { PageSize = 1000 });
        QueryResponse answer = await server.Queries.QueryAsync(new QueryRequest
        {
            Release = "datasets/people/releases/r",
            Points = new V1.Points { Dimension = 4, Values = { Pattern(3, 4) } },
        });
        return await server.LedgerAsync("people") + ledger + answer;
    }

    /// <summary>A server with one of everything, and a valid request of every call.</summary>
    static async Task<List<(string, IMessage[])>> FillAsync(TestServer server)
    {
        CreateDatasetRequest people = NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right"]);
            r.Dataset.MaxRecords = 1_000_000;
        });
        await server.Datasets.CreateDatasetAsync(people);
        await server.Datasets.CreateDatasetAsync(NewDataset("open", static r =>
        {
            r.Dataset.Kind = DatasetKind.Public;
            r.Budget = null;
        }));
        await server.IngestAsync("people", Pattern(40, 4), 4, [.. Enumerable.Range(0, 40).Select(static i => (uint)i / 20)]);
        await server.IngestAsync("open", Pattern(10, 4), 4);
        V1.Release release = await server.BuildAsync(NewRelease("people", "r", 0.9, static r => r.Spec.Sketch.PerClass = true));
        V1.Release gone = await server.BuildAsync(NewRelease("people", "gone", 0.01));
        CreateClassificationJobRequest job = new()
        {
            Parent = "datasets/people",
            ClassificationJobId = "j",
            ClassificationJob = new() { Release = release.Name, QueryDataset = "datasets/open", Score = V1.ClassScore.Sum },
            RequestId = NewId(),
        };
        Operation operation = await server.EndAsync((await server.Queries.CreateClassificationJobAsync(job)).Operation);
        var deleteRelease = new DeleteReleaseRequest { Name = gone.Name, RequestId = NewId() };
        await server.Releases.DeleteReleaseAsync(deleteRelease);
        var deleteDataset = new DeleteDatasetRequest { Name = "datasets/buried", RequestId = NewId() };
        await server.Datasets.CreateDatasetAsync(NewDataset("buried"));
        await server.Datasets.DeleteDatasetAsync(deleteDataset);
        var update = new UpdateDatasetRequest
        {
            Dataset = new() { Name = "datasets/people", DisplayName = "people" },
            UpdateMask = new FieldMask { Paths = { "display_name" } },
            RequestId = NewId(),
        };
        await server.Datasets.UpdateDatasetAsync(update);
        CreateClassificationJobRequest second = job.Clone();
        (second.ClassificationJobId, second.RequestId) = ("second", NewId());
        await server.EndAsync((await server.Queries.CreateClassificationJobAsync(second)).Operation);
        var deleteJob = new DeleteClassificationJobRequest { Name = "datasets/people/classificationJobs/second", RequestId = NewId() };
        await server.Queries.DeleteClassificationJobAsync(deleteJob);

        CreateDatasetRequest create = NewDataset("fresh");
        CreateReleaseRequest spend = NewRelease("people", "fresh", 0.01);
        create.ValidateOnly = spend.ValidateOnly = job.ValidateOnly = true;
        var points = new V1.Points { Dimension = 4, Values = { Pattern(3, 4) } };
        string upload = NewId();
        Dictionary<string, IMessage[]> requests = new()
        {
            ["CreateDataset"] = [create],
            ["GetDataset"] = [new GetDatasetRequest { Name = "datasets/people" }],
            ["ListDatasets"] = [new ListDatasetsRequest { PageSize = 1, ShowDeleted = true }],
            ["UpdateDataset"] = [update],
            ["DeleteDataset"] = [deleteDataset],
            ["IngestPoints"] = [Start("open", upload), Batch(1, Pattern(2, 4), 4), Finish(2, 1)],
            ["GetUpload"] = [new GetUploadRequest { Dataset = "datasets/open", UploadId = upload }],
            ["AbortUpload"] = [new AbortUploadRequest { Dataset = "datasets/open", UploadId = upload }],
            ["GetBudget"] = [new GetBudgetRequest { Name = "datasets/people/budget" }],
            ["UpdateBudget"] =
            [
                new UpdateBudgetRequest
                {
                    Name = "datasets/people/budget",
                    Limit = new() { Epsilon = 2, Delta = 1e-5 },
                    Reason = "more",
                    RequestId = NewId(),
                    ValidateOnly = true,
                },
            ],
            ["ListLedgerEntries"] = [new ListLedgerEntriesRequest { Parent = "datasets/people", PageSize = 2 }],
            ["ExportPrivacyEvents"] = [new ExportPrivacyEventsRequest { Parent = "datasets/people" }],
            ["EstimateRelease"] = [new EstimateReleaseRequest { Parent = "datasets/people", Specs = { spend.Spec } }],
            ["CreateRelease"] = [spend],
            ["GetRelease"] = [new GetReleaseRequest { Name = release.Name }],
            ["ListReleases"] = [new ListReleasesRequest { Parent = "datasets/people", ShowDeleted = true }],
            ["DeleteRelease"] = [deleteRelease],
            ["DownloadRelease"] = [new DownloadReleaseRequest { Name = release.Name, Offset = 10 }],
            ["ImportRelease"] = [new ImportReleaseRequest()],
            ["Query"] = [new QueryRequest { Release = release.Name, Points = points }],
            ["StreamQuery"] =
            [
                new StreamQueryRequest { Release = release.Name, Sequence = 1, Points = points },
                new StreamQueryRequest { Sequence = 2, Points = points },
            ],
            ["Classify"] = [new ClassifyRequest { Release = release.Name, Points = points, Score = V1.ClassScore.Sum }],
            ["CreateClassificationJob"] = [job],
            ["GetClassificationJob"] = [new GetClassificationJobRequest { Name = "datasets/people/classificationJobs/j" }],
            ["ListClassificationJobs"] = [new ListClassificationJobsRequest { Parent = "datasets/people" }],
            ["DeleteClassificationJob"] = [deleteJob],
            ["ReadPredictions"] = [new ReadPredictionsRequest { Name = "datasets/people/classificationJobs/j" }],
            ["ListPairFunctions"] = [new ListPairFunctionsRequest { PageSize = 3 }],
            ["GetServerInfo"] = [new GetServerInfoRequest()],
            ["GetOperation"] = [new GetOperationRequest { Name = operation.Name }],
            ["ListOperations"] = [new ListOperationsRequest { Name = "operations", Filter = "done=true", PageSize = 1 }],
            ["WaitOperation"] = [new WaitOperationRequest { Name = operation.Name, Timeout = new Duration { Seconds = 1 } }],
            ["CancelOperation"] = [new CancelOperationRequest { Name = operation.Name }],
            ["DeleteOperation"] = [new DeleteOperationRequest { Name = $"operations/{NewId()}" }],
        };
        ServiceDescriptor[] services =
            [V1.DatasetService.Descriptor, V1.ReleaseService.Descriptor, V1.QueryService.Descriptor, Operations.Descriptor];
        return [.. services.SelectMany(static s => s.Methods).Select(m => ($"/{m.Service.FullName}/{m.Name}", requests[m.Name]))];
    }
}
