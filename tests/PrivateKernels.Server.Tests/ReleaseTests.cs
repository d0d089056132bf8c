using Google.Rpc;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class ReleaseTests : IAsyncLifetime
{
    TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await StartAsync();
        await _server.Datasets.CreateDatasetAsync(NewDataset("people"));
        await _server.IngestAsync("people", Pattern(20, 4), 4);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("no spec", "INVALID_FIELD")]
    [InlineData("no sketch", "INVALID_FIELD")]
    [InlineData("no function", "INVALID_FIELD")]
    [InlineData("unknown function", "UNKNOWN_PAIR_FUNCTION")]
    [InlineData("no bandwidth", "INVALID_FIELD")]
    [InlineData("nan bandwidth", "INVALID_FIELD")]
    [InlineData("no privacy", "INVALID_FIELD")]
    [InlineData("no strength", "INVALID_FIELD")]
    [InlineData("epsilon", "INVALID_FIELD")]
    [InlineData("delta 0", "INVALID_FIELD")]
    [InlineData("mu nan", "INVALID_FIELD")]
    [InlineData("tiny", "INVALID_FIELD")]
    [InlineData("method", "INVALID_FIELD")]
    [InlineData("method later", "INVALID_FIELD")]
    [InlineData("projection", "INVALID_FIELD")]
    [InlineData("weighting", "INVALID_FIELD")]
    [InlineData("weighting unknown", "INVALID_FIELD")]
    [InlineData("landmarks of nowhere", "RESOURCE_NOT_FOUND")]
    [InlineData("landmarks of private rows", "NOT_PUBLIC")]
    [InlineData("landmarks of no rows", "INVALID_FIELD")]
    [InlineData("landmarks by name", "INVALID_FIELD")]
    [InlineData("landmark without", "INVALID_FIELD")]
    [InlineData("least squares", "INVALID_FIELD")]
    [InlineData("features", "LIMIT_EXCEEDED")]
    [InlineData("accumulator", "NOT_ONE_PASS")]
    [InlineData("per class", "NOT_LABELLED")]
    [InlineData("release id", "INVALID_FIELD")]
    [InlineData("request id", "REQUEST_ID_MISSING")]
    [InlineData("parent", "INVALID_FIELD")]
    [InlineData("nobody", "RESOURCE_NOT_FOUND")]
    [InlineData("too much", "BUDGET_EXHAUSTED")]
    public async Task A_refused_release_leaves_the_ledger_as_it_was(string what, string reason)
    {
        CreateReleaseRequest request = NewRelease("people", "r", 0.5, r =>
        {
            SketchSpec s = r.Spec.Sketch;
            PrivacySpec p = r.Spec.Privacy;
            switch (what)
            {
                case "no spec": r.Spec = null; break;
                case "no sketch": r.Spec.Sketch = null; break;
                case "no function": s.Function = null; break;
                case "unknown function": s.Function.Name = "gausian"; break;
                case "no bandwidth": s.Function.Bandwidth = 0; break;
                case "nan bandwidth": s.Function.Bandwidth = double.NaN; break;
                case "no privacy": r.Spec.Privacy = null; break;
                case "no strength": p.ClearStrength(); break;
                case "epsilon": p.Loss.Epsilon = -1; break;
                case "delta 0": p.Loss.Delta = 0; break;
                case "mu nan": p.Mu = double.NaN; break;
                case "tiny": p.Mu = 1e-9; break;
                case "method": s.Method = V1.SketchMethod.Sign; break;
                case "method later": s.Method = V1.SketchMethod.Tree; break;
                case "projection": s.ProjectedDimension = 2; break;
                case "weighting": s.Weighting = Weighting.Value; break;
                case "weighting unknown": s.Weighting = (Weighting)7; break;
                case "landmarks of nowhere": s.PublicDataset = "datasets/p"; break;
                case "landmarks of private rows": s.PublicDataset = "datasets/people"; break;
                case "landmarks of no rows": s.PublicDataset = "datasets/open"; break;
                case "landmarks by name": s.PublicDataset = "people"; break;
                case "landmark without": s.Method = V1.SketchMethod.Landmark; break;
                case "least squares": s.ClassLeastSquares = true; break;
                case "features": s.Features = 1_000_000; break;
                case "accumulator": r.Spec.Accumulator = "a"; break;
                case "per class": s.PerClass = true; break;
                case "release id": r.ReleaseId = "R 1"; break;
                case "request id": r.RequestId = ""; break;
                case "parent": r.Parent = "people"; break;
                case "nobody": r.Parent = "datasets/nobody"; break;
                default: p.Loss.Epsilon = 1.1; break;
            }
        });
        if (what == "landmarks of no rows") await CreatePublicAsync("open");
        string before = await _server.LedgerAsync("people");
        Failure refused = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(request));
        Assert.Equal(reason, refused.Reason);
        if (reason is "INVALID_FIELD" or "UNKNOWN_PAIR_FUNCTION")
            Assert.NotEqual("", Assert.Single(refused.Detail<BadRequest>().FieldViolations).Field);
        if (reason == "UNKNOWN_PAIR_FUNCTION") Assert.StartsWith("gaussian", refused.Metadata["nearest"], StringComparison.Ordinal);
        Assert.Equal(before, await _server.LedgerAsync("people"));
        Assert.Empty((await _server.Releases.ListReleasesAsync(new ListReleasesRequest { Parent = "datasets/people" })).Releases);
    }

    [Fact]
    public async Task A_second_release_past_the_budget_is_refused_and_says_what_is_left()
    {
        V1.Release release = await _server.BuildAsync(NewRelease("people", "first", 1));
        string before = await _server.LedgerAsync("people");
        Failure refused = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(NewRelease("people", "second", 0.1)));
        Assert.Equal(("BUDGET_EXHAUSTED", StatusCode.ResourceExhausted), (refused.Reason, refused.Code));
        Assert.NotEmpty(refused.Detail<QuotaFailure>().Violations);
        Assert.Equal($"{release.Cost.Units}", refused.Metadata["spent"]);
        Assert.Equal(("0", "0"), (refused.Metadata["remaining"], refused.Metadata["loss_remaining"]));
        Assert.Null(refused.Status.GetDetail<RetryInfo>());
        Assert.Equal(before, await _server.LedgerAsync("people"));
    }

    [Fact]
    public async Task Ten_spends_of_a_tenth_fit_into_one_and_the_eleventh_does_not()
    {
        await _server.Datasets.CreateDatasetAsync(NewDataset("pure", static r => r.Budget = new V1.PrivacyLoss { Epsilon = 1 }));
        await _server.IngestAsync("pure", Pattern(5, 4), 4);
        for (int i = 0; i < 10; i++) await _server.BuildAsync(Tenth($"r{i}"));
        Failure eleventh = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(Tenth("r10")));
        Assert.Equal(("BUDGET_EXHAUSTED", "6"), (eleventh.Reason, eleventh.Metadata["remaining"]));
        // The same in the terms of the request: six units of 2^-40.
        Assert.Equal(("5.45696821063757E-12", "0"), (eleventh.Metadata["loss_remaining"], eleventh.Metadata["delta"]));
        Failure normal = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(NewRelease("pure", "n", 0.1, static r =>
            r.Spec.Privacy.Mechanism = Mechanism.RoundedNormal)));
        Assert.Equal(("BUDGET_KIND_MISMATCH", StatusCode.FailedPrecondition), (normal.Reason, normal.Code));

        static CreateReleaseRequest Tenth(string id) => NewRelease("pure", id, 0.1, static r => r.Spec.Privacy.Loss.Delta = 0);
    }

    [Fact]
    public async Task A_repeated_request_pays_once_and_gets_the_same_release()
    {
        CreateReleaseRequest request = NewRelease("people", "", 0.5);
        CreateReleaseResponse first = await _server.Releases.CreateReleaseAsync(request);
        CreateReleaseResponse[] repeated = await Task.WhenAll(Enumerable.Range(0, 8)
            .Select(_ => _server.Releases.CreateReleaseAsync(request).ResponseAsync));
        Assert.All(repeated, r => Assert.Equal((first.Release.Uid, first.Operation.Name), (r.Release.Uid, r.Operation.Name)));
        await _server.EndAsync(first.Operation);
        Assert.Equal(ReleaseState.Ready, (await _server.Releases.CreateReleaseAsync(request)).Release.State);
        Budget budget = (await _server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
        Assert.Equal(first.Release.Cost.Units, budget.SpentUnits);
        request.Spec.Privacy.Loss.Epsilon = 0.25;
        Assert.Equal("REQUEST_ID_REUSED", (await Failure.OfAsync(_server.Releases.CreateReleaseAsync(request))).Reason);
        Failure exists = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(
            NewRelease("people", first.Release.Name.Split('/')[^1], 0.1)));
        Assert.Equal(("RELEASE_EXISTS", StatusCode.AlreadyExists), (exists.Reason, exists.Code));
    }

    [Fact]
    public async Task Validate_only_and_estimates_spend_nothing_and_say_the_price()
    {
        string before = await _server.LedgerAsync("people");
        CreateReleaseResponse would = await _server.Releases.CreateReleaseAsync(
            NewRelease("people", "r", 0.5, static r => r.ValidateOnly = true));
        Assert.Null(would.Operation);
        Assert.Equal(ReleaseState.Building, would.Release.State);
        var ask = new EstimateReleaseRequest
        {
            Parent = "datasets/people",
            Specs = { NewRelease("people", "r", 0.5).Spec, NewRelease("people", "r", 5).Spec },
        };
        EstimateReleaseResponse told = await _server.Releases.EstimateReleaseAsync(ask);
        Assert.Equal(would.Release.Cost, told.Estimates[0].Cost);
        Assert.InRange(told.Estimates[0].Cost.Loss.Epsilon, 0.49, 0.5000001);
        Assert.Equal((true, false), (told.Estimates[0].Affordable, told.Estimates[1].Affordable));
        Assert.True(told.Estimates[0].Accuracy.NoiseStd > told.Estimates[1].Accuracy.NoiseStd);
        Assert.True(told.Estimates[0].BuildSeconds > 0);
        Assert.NotEmpty(told.Estimates[0].Reason);
        Assert.InRange(told.Estimates[0].Alternatives.Count, 1, 8);
        Assert.Equal(V1.SketchMethod.Fourier, told.Estimates[0].Spec.Sketch.Method);
        Assert.Equal(before, await _server.LedgerAsync("people"));

        V1.ReleaseSpec completed = told.Estimates[0].Alternatives[0].Spec;
        V1.Release built = await _server.BuildAsync(NewRelease("people", "alternative", 0.5, r => r.Spec = completed));
        Assert.Equal(completed.Sketch.Features, built.Spec.Sketch.Features);
        Assert.Equal(built.Accuracy.FileBytes, built.SizeBytes);
    }

    [Fact]
    public async Task A_public_dataset_has_no_account()
    {
        await CreatePublicAsync("open");
        Assert.Equal("INVALID_FIELD", (await Failure.OfAsync(_server.Releases.CreateReleaseAsync(NewRelease("open", "r", 1)))).Reason);
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(_server.Datasets.GetBudgetAsync(
            new GetBudgetRequest { Name = "datasets/open/budget" }))).Reason);
    }

    [Fact]
    public async Task Landmarks_of_a_public_dataset_make_answers_that_are_exact_there()
    {
        float[] landmarks = Pattern(40, 4), values = Pattern(300, 4);
        for (int i = 0; i < values.Length; i++) values[i] = 1 - values[i];
        await CreatePublicAsync("open");
        await _server.IngestAsync("open", landmarks, 4);
        await _server.Datasets.CreateDatasetAsync(NewDataset("rich", static r => r.Budget.Epsilon = 1000));
        await _server.IngestAsync("rich", values, 4);
        V1.Release built = await _server.BuildAsync(NewRelease("rich", "r", 500, static r =>
        {
            r.Spec.Sketch.Features = 0;
            r.Spec.Sketch.PublicDataset = "datasets/open";
        }));
        Assert.Equal(ReleaseState.Ready, built.State);
        Assert.Equal(
            (V1.SketchMethod.Landmark, 40u, "datasets/open"),
            (built.Spec.Sketch.Method, built.Spec.Sketch.Features, built.Spec.Sketch.PublicDataset));
        var points = new V1.Points { Dimension = 4, Values = { landmarks } };
        QueryResponse sums = await _server.Queries.QueryAsync(new QueryRequest { Release = built.Name, Points = points });
        double[] exact = ThinPathTests.ExactSums(values, points.Values);
        for (int q = 0; q < exact.Length; q++)
            Assert.InRange(Math.Abs(sums.Answers.Values[q] - exact[q]), 0, 0.1 + 6 * sums.Answers.NoiseStd[q]);
        Assert.InRange(sums.Answers.NoiseStd.Max(), 1e-3, 0.5);
    }

    async Task CreatePublicAsync(string id) => await _server.Datasets.CreateDatasetAsync(NewDataset(id, static r =>
    {
        r.Dataset.Kind = DatasetKind.Public;
        r.Budget = null;
    }));

    [Fact]
    public async Task A_function_that_needs_a_bound_is_refused_without_it()
    {
        await _server.Datasets.CreateDatasetAsync(NewDataset("boundless", static r =>
            r.Dataset.Domain = new V1.Domain { Dimension = 4 }));
        Failure refused = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(NewRelease("boundless", "r", 0.5, static r =>
            r.Spec.Sketch = new SketchSpec { Function = new V1.PairFunction { Name = "l1" } })));
        Assert.Equal(("DOMAIN_NOT_DECLARED", StatusCode.FailedPrecondition), (refused.Reason, refused.Code));
        Assert.NotEqual("", refused.Metadata["bound"]);
    }

    [Fact]
    public async Task The_limit_can_be_raised_but_not_below_what_is_used()
    {
        await _server.BuildAsync(NewRelease("people", "first", 1));
        var update = new UpdateBudgetRequest
        {
            Name = "datasets/people/budget",
            Limit = new V1.PrivacyLoss { Epsilon = 0.5, Delta = 1e-5 },
            Reason = "second study",
            RequestId = NewId(),
        };
        Failure below = await Failure.OfAsync(_server.Datasets.UpdateBudgetAsync(update));
        Assert.Equal(("LIMIT_BELOW_USED", StatusCode.FailedPrecondition), (below.Reason, below.Code));
        update.Limit.Epsilon = 2;
        update.RequestId = NewId();
        Budget raised = (await _server.Datasets.UpdateBudgetAsync(update)).Budget;
        Assert.True(raised.RemainingUnits > 0);
        await _server.BuildAsync(NewRelease("people", "second", 0.5));
    }

    [Fact]
    public async Task A_deleted_release_answers_no_more_and_refunds_nothing()
    {
        V1.Release release = await _server.BuildAsync(NewRelease("people", "r", 0.5));
        var query = new QueryRequest { Release = release.Name, Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } } };
        await _server.Queries.QueryAsync(query);
        var delete = new DeleteReleaseRequest { Name = release.Name, Etag = "old", RequestId = NewId() };
        Assert.Equal("ETAG_MISMATCH", (await Failure.OfAsync(_server.Releases.DeleteReleaseAsync(delete))).Reason);
        delete.Etag = release.Etag;
        delete.RequestId = NewId();
        DeleteReleaseResponse deleted = await _server.Releases.DeleteReleaseAsync(delete);
        Assert.Equal(ReleaseState.Deleted, deleted.Release.State);
        Assert.Equal(deleted, await _server.Releases.DeleteReleaseAsync(delete));
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(_server.Queries.QueryAsync(query))).Reason);
        using var download = _server.Releases.DownloadRelease(new DownloadReleaseRequest { Name = release.Name });
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(() => download.ResponseStream.MoveNext(CancellationToken.None))).Reason);
        Budget budget = (await _server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
        Assert.Equal(release.Cost.Units, budget.SpentUnits);
        Failure taken = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(NewRelease("people", "r", 0.1)));
        Assert.Equal("RELEASE_EXISTS", taken.Reason);
        var list = new ListReleasesRequest { Parent = "datasets/people" };
        Assert.Empty((await _server.Releases.ListReleasesAsync(list)).Releases);
        list.ShowDeleted = true;
        Assert.Single((await _server.Releases.ListReleasesAsync(list)).Releases);
    }

    [Fact]
    public async Task Releases_and_ledger_entries_come_in_pages()
    {
        for (int i = 0; i < 5; i++) await _server.BuildAsync(NewRelease("people", $"r{i}", 0.1));
        List<string> names = [];
        List<long> entries = [];
        var list = new ListReleasesRequest { Parent = "datasets/people", PageSize = 2 };
        do
        {
            ListReleasesResponse page = await _server.Releases.ListReleasesAsync(list);
            names.AddRange(page.Releases.Select(static r => r.Name[^2..]));
            list.PageToken = page.NextPageToken;
        }
        while (list.PageToken.Length > 0);
        Assert.Equal(["r4", "r3", "r2", "r1", "r0"], names);
        var ledger = new ListLedgerEntriesRequest { Parent = "datasets/people", AfterSequence = 2, PageSize = 3 };
        do
        {
            ListLedgerEntriesResponse page = await _server.Datasets.ListLedgerEntriesAsync(ledger);
            Assert.Equal(32, page.Head.Mac.Length);
            entries.AddRange(page.Entries.Select(static e => e.Position.Sequence));
            ledger.PageToken = page.NextPageToken;
        }
        while (ledger.PageToken.Length > 0);
        Assert.Equal(Enumerable.Range(3, 10).Select(static i => (long)i), entries);
    }
}
