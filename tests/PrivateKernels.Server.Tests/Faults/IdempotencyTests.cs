using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Every changing call, repeated with cancels and deadlines that may hit anywhere: one effect, equal replies.</summary>
public sealed class IdempotencyTests
{
    const ulong Seed = 20260102;
    const int MostRepeats = 20;

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_repeated_call_has_one_effect_and_one_reply_however_often_it_was_cut_off()
    {
        int calls = Scale.Of(1_000, 100_000);
        await using TestServer server = await StartAsync(static o => o with
        {
            Limits = o.Limits with { QueuedBuilds = 1000, Releases = 1_000_000, Datasets = 1_000_000 },
        });
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right"]);
            r.Budget = new V1.PrivacyLoss { Epsilon = 1e5, Delta = 0 };
            // Releases as cheap as these say something of so many rows only.
            r.Dataset.MaxRecords = 1_000_000;
        }), cancellationToken: Now);
        await server.Datasets.CreateDatasetAsync(NewDataset("open", static r =>
        {
            r.Dataset.Kind = DatasetKind.Public;
            r.Budget = null;
        }), cancellationToken: Now);
        await server.IngestAsync("people", Pattern(10, 4), 4, new uint[10]);
        await server.IngestAsync("open", Pattern(10, 4), 4);
        await server.BuildAsync(Spend("r"));
        var mutations = new Mutations(Scale.Seed(Seed));
        Dictionary<string, int> effects = [];
        int made = 0;
        for (int round = 0; made < calls; round++)
        {
            (string kind, Func<CallOptions, Task<IMessage>> call) = Pick(server, round);
            effects[kind] = effects.GetValueOrDefault(kind) + 1;
            HashSet<IMessage> replies = [];
            for (int left = 1 + mutations.Next(MostRepeats); left > 0 || replies.Count == 0; left--)
            {
                made++;
                // The last one has all the time it wants.
                if (await TryAsync(call, left > 0 ? mutations : null) is { } reply) replies.Add(Settled(reply));
            }
            Assert.True(replies.Count == 1, $"{kind}: {string.Join('\n', replies)}");
        }
        await CheckAsync(server, effects);
    }

    /// <summary>The reply, or null if the call was cut off; a refusal fails the test.</summary>
    static async Task<IMessage?> TryAsync(Func<CallOptions, Task<IMessage>> call, Mutations? mutations)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Now);
        var options = new CallOptions(cancellationToken: cancel.Token);
        switch (mutations?.Next(3))
        {
            case 0:
                cancel.CancelAfter(TimeSpan.FromMilliseconds(mutations.Next(8)));
                break;
            case 1:
                options = options.WithDeadline(DateTime.UtcNow.AddMilliseconds(1 << mutations.Next(10)));
                break;
        }
        try
        {
            return await call(options);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded)
        {
            return null;
        }
    }

    /// <summary>One request of a changing call, always the same when it is called again.</summary>
    static (string Kind, Func<CallOptions, Task<IMessage>> Call) Pick(TestServer server, int round)
    {
        string id = $"x{round}", before = $"x{round - 1}", requestId = NewId();
        switch (round % 8)
        {
            case 0:
                CreateDatasetRequest create = NewDataset(id);
                return ("create", async o => await server.Datasets.CreateDatasetAsync(create, o));
            case 1:
                var update = new UpdateDatasetRequest
                {
                    Dataset = new() { Name = $"datasets/{before}", DisplayName = id },
                    UpdateMask = new FieldMask { Paths = { "display_name" } },
                    RequestId = requestId,
                };
                return ("update", async o => await server.Datasets.UpdateDatasetAsync(update, o));
            case 2:
                var limit = new UpdateBudgetRequest
                {
                    Name = $"datasets/x{round - 2}/budget",
                    Limit = new() { Epsilon = 2, Delta = 1e-5 },
                    Reason = id,
                    RequestId = requestId,
                };
                return ("limit", async o => await server.Datasets.UpdateBudgetAsync(limit, o));
            case 3:
                var bury = new DeleteDatasetRequest { Name = $"datasets/x{round - 3}", RequestId = requestId };
                return ("delete", async o => await server.Datasets.DeleteDatasetAsync(bury, o));
            case 4:
                CreateReleaseRequest spend = Spend(id);
                return ("spend", async o => await server.Releases.CreateReleaseAsync(spend, o));
            case 5:
                var retire = new DeleteReleaseRequest { Name = $"datasets/people/releases/{before}", RequestId = requestId };
                return ("retire", o => RetireAsync(server, retire, o));
            case 6:
                var job = new CreateClassificationJobRequest
                {
                    Parent = "datasets/people",
                    ClassificationJobId = id,
                    ClassificationJob = new()
                    {
                        Release = "datasets/people/releases/r",
                        QueryDataset = "datasets/open",
                        Score = V1.ClassScore.Sum,
                    },
                    RequestId = requestId,
                };
                return ("job", async o => await server.Queries.CreateClassificationJobAsync(job, o));
            default:
                var forget = new DeleteClassificationJobRequest
                {
                    Name = $"datasets/people/classificationJobs/{before}",
                    RequestId = requestId,
                };
                return ("unjob", async o => await server.Queries.DeleteClassificationJobAsync(forget, o));
        }
    }

    static async Task<IMessage> RetireAsync(TestServer server, DeleteReleaseRequest retire, CallOptions options)
    {
        var look = new GetReleaseRequest { Name = retire.Name };
        while ((ReleaseState)(await server.Releases.GetReleaseAsync(look, cancellationToken: Now)).Release.State == ReleaseState.Building)
            await Task.Delay(1, Now);
        return await server.Releases.DeleteReleaseAsync(retire, options);
    }

    static CreateReleaseRequest Spend(string id) => NewRelease("people", id, 0.01, static r =>
    {
        r.Spec.Sketch.PerClass = true;
        r.Spec.Privacy = new PrivacySpec { Mechanism = V1.Mechanism.DiscreteLaplace, Loss = new V1.PrivacyLoss { Epsilon = 0.01 } };
    });

    /// <summary>A release or an operation goes on while the call is repeated: what it is stays, how far it is does not count.</summary>
    static IMessage Settled(IMessage reply) => reply is not CreateReleaseResponse created ? reply : new CreateReleaseResponse
    {
        Release = new V1.Release { Name = created.Release.Name, Uid = created.Release.Uid, Cost = created.Release.Cost },
        Operation = new Operation { Name = created.Operation.Name },
        Estimate = created.Estimate,
    };

    /// <summary>As many entries as there were effects, and the account adds up.</summary>
    static async Task CheckAsync(TestServer server, Dictionary<string, int> effects)
    {
        foreach (Operation operation in (await server.Operations.ListOperationsAsync(
            new ListOperationsRequest { Filter = "done=false", PageSize = 1000 }, cancellationToken: Now)).Operations)
            await server.EndAsync(operation);
        Dictionary<LedgerEntryKind, int> kinds = [];
        for (string token = ""; ;)
        {
            ListLedgerEntriesResponse page = await server.Datasets.ListLedgerEntriesAsync(
                new ListLedgerEntriesRequest { PageSize = 1000, PageToken = token }, cancellationToken: Now);
            foreach (LedgerEntry entry in page.Entries) kinds[entry.Kind] = kinds.GetValueOrDefault(entry.Kind) + 1;
            if ((token = page.NextPageToken).Length == 0) break;
        }
        Assert.Equal(effects["create"] + 1, kinds[LedgerEntryKind.Open]);
        Assert.Equal(effects["delete"], kinds[LedgerEntryKind.Tombstone]);
        Assert.Equal(effects["spend"] + 1, kinds[LedgerEntryKind.Reserve]);
        Assert.Equal(effects["spend"] + 1, kinds[LedgerEntryKind.Post]);
        Assert.Equal(effects["limit"], kinds[LedgerEntryKind.Limit]);
        Budget budget = (await server.Datasets.GetBudgetAsync(
            new GetBudgetRequest { Name = "datasets/people/budget" }, cancellationToken: Now)).Budget;
        Assert.Equal(((effects["spend"] + 1) * (long)(0.01m * (1L << 40)), 0), (budget.SpentUnits, budget.ReservedUnits));
        int jobs = (await server.Queries.ListClassificationJobsAsync(
            new ListClassificationJobsRequest { Parent = "datasets/people", PageSize = 1000 }, cancellationToken: Now)).ClassificationJobs.Count;
        Assert.Equal(effects["job"] - effects["unjob"], jobs);
    }
}
