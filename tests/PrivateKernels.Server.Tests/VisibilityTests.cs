using Google.LongRunning;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>A server with a dataset that has a release, a build under way, and a build that failed. Nothing of it changes.</summary>
public sealed class VisibleServer : IAsyncLifetime
{
    readonly Keys _keys = new();
    readonly string _directory = Directory.CreateTempSubdirectory("pk-visible-").FullName;
    TestServer _server = null!;

    internal string Build { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        foreach (Role role in (Role[])[Role.Owner, Role.Analyst, Role.Auditor]) _keys.Add($"{role}".ToLowerInvariant(), role, "people");
        _keys.Add("all", Role.Owner, "*");
        // The first release takes a second and more to appear, so that the time of asking and the time of READY differ.
        await using (TestServer first = await StartAsync(o => Keyed(o, TimeSpan.FromSeconds(1.1)), _directory))
        {
            KeyHolder all = KeyHolder.Of(first.Channel, _keys["all"]);
            foreach (string dataset in (string[])["people", "others"]) await all.Datasets.CreateDatasetAsync(NewDataset(dataset));
            CreateReleaseResponse ready = await all.Releases.CreateReleaseAsync(NewRelease("people", "ready", 0.5));
            await all.Operations.WaitOperationAsync(new WaitOperationRequest { Name = ready.Operation.Name });
        }
        // From here on nothing that is begun ends: the first build waits for its hour, the second for the first.
        _server = await StartAsync(o => Keyed(o, TimeSpan.FromHours(1)), _directory);
        KeyHolder owner = Holder("owner");
        Build = (await owner.Releases.CreateReleaseAsync(NewRelease("people", "slow", 0.1))).Operation.Name;
        Operation failed = (await owner.Releases.CreateReleaseAsync(NewRelease("people", "failed", 0.1))).Operation;
        await owner.Operations.CancelOperationAsync(new CancelOperationRequest { Name = failed.Name });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
        _keys.Dispose();
    }

    internal KeyHolder Holder(string key) => KeyHolder.Of(_server.Channel, _keys[key]);

    ServerOptions Keyed(ServerOptions options, TimeSpan quantum) => options with
    {
        Security = new() { KeysFile = _keys.Path },
        Build = new() { CompletionQuantum = quantum },
    };
}

/// <summary>
/// What analysts and auditors see of it: of builds under way and failed ones, and of everything that depends on rows, nothing.
/// </summary>
public sealed class VisibilityTests(VisibleServer server) : IClassFixture<VisibleServer>
{
    KeyHolder Owner => server.Holder("owner");

    KeyHolder Analyst => server.Holder("analyst");

    KeyHolder Auditor => server.Holder("auditor");

    [Fact]
    public async Task Fields_that_depend_on_rows_are_the_owners_alone()
    {
        var request = new GetDatasetRequest { Name = "datasets/people" };
        V1.Dataset owners = (await Owner.Datasets.GetDatasetAsync(request)).Dataset;
        Assert.True(owners.HasRecordCount && owners.HasStoredBytes && owners.Etag.Length > 0);
        foreach (KeyHolder other in (KeyHolder[])[Analyst, Auditor])
        {
            V1.Dataset seen = (await other.Datasets.GetDatasetAsync(request)).Dataset;
            Assert.False(seen.HasRecordCount || seen.HasStoredBytes || seen.Etag.Length > 0);
            Assert.Equal(seen, Assert.Single((await other.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets));
        }
        Assert.Equal(2, (await server.Holder("all").Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets.Count);
    }

    [Fact]
    public async Task A_hold_is_seen_by_owners_and_auditors_and_by_analysts_nowhere()
    {
        var request = new GetBudgetRequest { Name = "datasets/people/budget" };
        Budget owners = (await Owner.Datasets.GetBudgetAsync(request)).Budget;
        Assert.True(owners.ReservedUnits > 0);
        Assert.Equal(owners, (await Auditor.Datasets.GetBudgetAsync(request)).Budget);
        Budget analysts = (await Analyst.Datasets.GetBudgetAsync(request)).Budget;
        Assert.Equal((0, owners.SpentUnits), (analysts.ReservedUnits, analysts.SpentUnits));
        Assert.Equal(owners.LimitUnits - owners.SpentUnits, analysts.RemainingUnits);
        Assert.True(analysts.Used.Epsilon < owners.Used.Epsilon);

        // A price between what is left and what is left besides the hold.
        double mu = Math.Sqrt((owners.RemainingUnits + owners.ReservedUnits / 2) / (double)(1L << 40));
        var estimate = new EstimateReleaseRequest
        {
            Parent = "datasets/people",
            Specs = { NewRelease("people", "x", 0.1, r => r.Spec.Privacy = new() { Mu = mu }).Spec },
        };
        EstimateReleaseResponse owner = await Owner.Releases.EstimateReleaseAsync(estimate);
        EstimateReleaseResponse analyst = await Analyst.Releases.EstimateReleaseAsync(estimate);
        Assert.Equal((false, true), (owner.Estimates[0].Affordable, analyst.Estimates[0].Affordable));
        Assert.Equal((owners, analysts), (owner.Budget, analyst.Budget));
    }

    [Fact]
    public async Task Builds_under_way_and_failed_ones_do_not_exist_for_others_than_owners()
    {
        var list = new ListReleasesRequest { Parent = "datasets/people", ShowDeleted = true };
        Assert.Equal(["failed", "slow", "ready"], (await Owner.Releases.ListReleasesAsync(list)).Releases.Select(Id));
        foreach (KeyHolder other in (KeyHolder[])[Analyst, Auditor])
        {
            Assert.Equal(["ready"], (await other.Releases.ListReleasesAsync(list)).Releases.Select(Id));
            foreach (string hidden in (string[])["slow", "failed"])
            {
                Failure there = await Failure.OfAsync(other.Releases.GetReleaseAsync(new GetReleaseRequest { Name = Name(hidden) }));
                string ghost = new('g', hidden.Length);
                Failure gone = await Failure.OfAsync(other.Releases.GetReleaseAsync(new GetReleaseRequest { Name = Name(ghost) }));
                Assert.Equal(gone.Told(ghost, hidden), there.Told());
            }
        }
        // Nor does a page token that was made to go on behind them tell that they are there.
        AsyncUnaryCall<ListReleasesResponse> GoOnAsync(string id) => Analyst.Releases.ListReleasesAsync(new ListReleasesRequest
        {
            Parent = "datasets/people",
            PageToken = Paging.Token(id, "ListReleases", "datasets/people", false, false),
        });

        foreach (string hidden in (string[])["slow", "failed"])
        {
            string ghost = new('g', hidden.Length);
            Failure none = await Failure.OfAsync(GoOnAsync(ghost));
            Assert.Equal("RESOURCE_NOT_FOUND", none.Reason);
            Assert.Equal(none.Told(ghost, hidden), (await Failure.OfAsync(GoOnAsync(hidden))).Told());
        }
        Assert.Empty((await GoOnAsync("ready")).Releases);
        Failure query = await Failure.OfAsync(Analyst.Queries.QueryAsync(Query("slow")));
        Failure missing = await Failure.OfAsync(Analyst.Queries.QueryAsync(Query("none")));
        Assert.Equal(missing.Told("none", "slow"), query.Told());
        Assert.Equal("RELEASE_NOT_READY", (await Failure.OfAsync(Owner.Queries.QueryAsync(Query("slow")))).Reason);
        using var download = Analyst.Releases.DownloadRelease(new DownloadReleaseRequest { Name = Name("slow") });
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(() => download.ResponseStream.MoveNext(CancellationToken.None))).Reason);
    }

    [Fact]
    public async Task A_release_was_created_for_analysts_at_the_moment_of_its_post()
    {
        var request = new GetReleaseRequest { Name = Name("ready") };
        V1.Release owners = (await Owner.Releases.GetReleaseAsync(request)).Release;
        V1.Release analysts = (await Analyst.Releases.GetReleaseAsync(request)).Release;
        LedgerEntry post = Assert.Single(
            (await Auditor.Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest { Parent = "datasets/people" })).Entries,
            static e => e.Kind == LedgerEntryKind.Post);
        Assert.Equal(post.Time, analysts.CreateTime);
        Assert.True(owners.CreateTime.ToDateTime() < analysts.CreateTime.ToDateTime());
        Assert.Equal("", analysts.Etag);
        owners.CreateTime = analysts.CreateTime;
        owners.Etag = "";
        Assert.Equal(owners, analysts);
    }

    [Fact]
    public async Task A_builds_operation_is_its_owners_and_to_others_it_is_not_there()
    {
        Assert.Equal(server.Build, (await Owner.Operations.GetOperationAsync(new GetOperationRequest { Name = server.Build })).Name);
        Assert.NotEmpty((await Owner.Operations.ListOperationsAsync(new ListOperationsRequest())).Operations);
        string missing = $"operations/{NewId()}";
        foreach (KeyHolder other in (KeyHolder[])[Analyst, Auditor])
        {
            Assert.Empty((await other.Operations.ListOperationsAsync(new ListOperationsRequest())).Operations);
            foreach (Func<string, Task> call in (Func<string, Task>[])
                [
                    name => other.Operations.GetOperationAsync(new GetOperationRequest { Name = name }).ResponseAsync,
                    name => other.Operations.WaitOperationAsync(new WaitOperationRequest { Name = name }).ResponseAsync,
                    name => other.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }).ResponseAsync,
                    name => other.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name }).ResponseAsync,
                ])
            {
                Failure there = await Failure.OfAsync(() => call(server.Build)), gone = await Failure.OfAsync(() => call(missing));
                Assert.Equal("RESOURCE_NOT_FOUND", gone.Reason);
                Assert.Equal(gone.Told(missing, server.Build), there.Told());
            }
        }
    }

    [Fact]
    public async Task The_whole_ledger_is_for_keys_of_all_datasets_and_an_account_of_another_dataset_cannot_be_joined()
    {
        Failure whole = await Failure.OfAsync(Auditor.Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest()));
        Assert.Equal((StatusCode.PermissionDenied, "ROLE_REQUIRED"), (whole.Code, whole.Reason));
        Failure joined = await Failure.OfAsync(Owner.Datasets.CreateDatasetAsync(
            NewDataset("people", static r => r.Dataset.Population = "others")));
        Assert.Equal("RESOURCE_NOT_FOUND", joined.Reason);
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(Owner.Datasets.CreateDatasetAsync(NewDataset("new")))).Reason);
    }

    static string Name(string release) => $"datasets/people/releases/{release}";

    static string Id(V1.Release release) => release.Name.Split('/')[^1];

    static QueryRequest Query(string release) =>
        new() { Release = Name(release), Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } } };
}
