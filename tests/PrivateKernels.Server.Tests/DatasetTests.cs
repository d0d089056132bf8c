using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class DatasetTests : IAsyncLifetime
{
    TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("id", "INVALID_FIELD", "dataset_id")]
    [InlineData("no dataset", "INVALID_FIELD", "dataset")]
    [InlineData("no domain", "INVALID_FIELD", "dataset.domain")]
    [InlineData("dimension 0", "INVALID_FIELD", "domain.dimension")]
    [InlineData("dimension huge", "LIMIT_EXCEEDED", "")]
    [InlineData("box upside down", "INVALID_FIELD", "domain.upper")]
    [InlineData("nan bound", "INVALID_FIELD", "domain.lower")]
    [InlineData("kind", "INVALID_FIELD", "dataset.kind")]
    [InlineData("one pass", "ENCRYPTION_REQUIRED", "")]
    [InlineData("accumulators", "INVALID_FIELD", "dataset.accumulators")]
    [InlineData("values", "INVALID_FIELD", "dataset.max_abs_value")]
    [InlineData("replace without clamp", "INVALID_FIELD", "dataset.out_of_domain")]
    [InlineData("same class twice", "INVALID_FIELD", "dataset.classes")]
    [InlineData("too many classes", "LIMIT_EXCEEDED", "")]
    [InlineData("too many records", "LIMIT_EXCEEDED", "")]
    [InlineData("population", "INVALID_FIELD", "dataset.population")]
    [InlineData("long name", "INVALID_FIELD", "dataset.display_name")]
    [InlineData("long description", "INVALID_FIELD", "dataset.description")]
    [InlineData("epsilon 0", "INVALID_FIELD", "budget.epsilon")]
    [InlineData("epsilon nan", "INVALID_FIELD", "budget.epsilon")]
    [InlineData("epsilon tiny", "INVALID_FIELD", "budget.epsilon")]
    [InlineData("epsilon huge", "INVALID_FIELD", "budget.epsilon")]
    [InlineData("delta 1", "INVALID_FIELD", "budget.delta")]
    [InlineData("public with budget", "INVALID_FIELD", "budget")]
    [InlineData("no request id", "REQUEST_ID_MISSING", "request_id")]
    public async Task A_wrong_dataset_is_refused_by_field(string what, string reason, string field)
    {
        CreateDatasetRequest request = NewDataset("wrong", r =>
        {
            Dataset d = r.Dataset;
            switch (what)
            {
                case "id": r.DatasetId = "Wrong_Id"; break;
                case "no dataset": r.Dataset = null; break;
                case "no domain": d.Domain = null; break;
                case "dimension 0": d.Domain.Dimension = 0; break;
                case "dimension huge": d.Domain.Dimension = 4_000_000_000; break;
                case "box upside down": d.Domain.Upper = -1; break;
                case "nan bound": d.Domain.Lower = double.NaN; break;
                case "kind": d.Kind = (DatasetKind)9; break;
                case "one pass": d.Retention = Retention.OnePass; break;
                case "accumulators": d.Accumulators.Add(new V1.Accumulator { Id = "a" }); break;
                case "values": d.MaxAbsValue = -1; break;
                case "replace without clamp": d.Adjacency = V1.Adjacency.ReplaceOne; break;
                case "same class twice": d.Classes.Add(["a", "a"]); break;
                case "too many classes": d.Classes.Add(Enumerable.Range(0, 4097).Select(static i => $"c{i}")); break;
                case "too many records": d.MaxRecords = (1L << 36) + 1; break;
                case "population": d.Population = "People!"; break;
                case "long name": d.DisplayName = new string('x', 257); break;
                case "long description": d.Description = new string('x', 4097); break;
                case "epsilon 0": r.Budget.Epsilon = 0; break;
                case "epsilon tiny": r.Budget = new() { Epsilon = 1e-13 }; break;
                case "epsilon huge": r.Budget = new() { Epsilon = 1e300, Delta = 1e-6 }; break;
                case "epsilon nan": r.Budget.Epsilon = double.NaN; break;
                case "delta 1": r.Budget.Delta = 1; break;
                case "public with budget": d.Kind = DatasetKind.Public; break;
                default: r.RequestId = "not a uuid"; break;
            }
        });
        Failure refused = await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(request));
        Assert.Equal(reason, refused.Reason);
        if (reason is "INVALID_FIELD" or "REQUEST_ID_MISSING")
            Assert.Equal(field, Assert.Single(refused.Detail<BadRequest>().FieldViolations).Field);
        if (reason == "LIMIT_EXCEEDED") Assert.NotEmpty(refused.Detail<QuotaFailure>().Violations);
        Assert.Empty((await _server.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets);
    }

    [Fact]
    public async Task The_same_request_id_creates_once_and_another_body_under_it_is_refused()
    {
        CreateDatasetRequest request = NewDataset("once");
        CreateDatasetResponse first = await _server.Datasets.CreateDatasetAsync(request);
        Assert.Equal(first, await _server.Datasets.CreateDatasetAsync(request));
        CreateDatasetRequest other = request.Clone();
        other.Dataset.DisplayName = "another";
        Failure reused = await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(other));
        Assert.Equal(("REQUEST_ID_REUSED", StatusCode.AlreadyExists), (reused.Reason, reused.Code));
        Failure exists = await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(NewDataset("once")));
        Assert.Equal(("DATASET_EXISTS", StatusCode.AlreadyExists), (exists.Reason, exists.Code));
        Assert.Equal("datasets/once", exists.Detail<ResourceInfo>().ResourceName);
    }

    [Fact]
    public async Task Validate_only_answers_as_if_and_changes_nothing()
    {
        CreateDatasetResponse would = await _server.Datasets.CreateDatasetAsync(NewDataset("maybe", static r => r.ValidateOnly = true));
        Assert.Equal("datasets/maybe", would.Dataset.Name);
        Assert.True(would.Budget.LimitUnits > 0);
        Failure missing = await Failure.OfAsync(_server.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/maybe" }));
        Assert.Equal(("RESOURCE_NOT_FOUND", StatusCode.NotFound), (missing.Reason, missing.Code));
        Assert.Equal("datasets/maybe", missing.Detail<ResourceInfo>().ResourceName);
    }

    [Fact]
    public async Task Only_texts_can_be_updated_and_an_old_etag_is_refused()
    {
        Dataset dataset = (await _server.Datasets.CreateDatasetAsync(NewDataset("text"))).Dataset;
        var update = new UpdateDatasetRequest
        {
            Dataset = new Dataset { Name = dataset.Name, Etag = dataset.Etag, DisplayName = "People", Description = "ignored" },
            UpdateMask = FieldMask.FromString("display_name"),
            RequestId = NewId(),
        };
        Dataset changed = (await _server.Datasets.UpdateDatasetAsync(update)).Dataset;
        Assert.Equal(("People", ""), (changed.DisplayName, changed.Description));
        Assert.NotEqual(dataset.Etag, changed.Etag);
        UpdateDatasetRequest stale = update.Clone();
        stale.RequestId = NewId();
        Failure old = await Failure.OfAsync(_server.Datasets.UpdateDatasetAsync(stale));
        Assert.Equal(("ETAG_MISMATCH", StatusCode.Aborted, changed.Etag), (old.Reason, old.Code, old.Metadata["etag"]));
        stale.UpdateMask = FieldMask.FromString("domain");
        Assert.Equal("INVALID_FIELD", (await Failure.OfAsync(_server.Datasets.UpdateDatasetAsync(stale))).Reason);
    }

    [Fact]
    public async Task A_deleted_dataset_leaves_a_tombstone_and_its_spend()
    {
        await _server.Datasets.CreateDatasetAsync(NewDataset("gone"));
        await _server.IngestAsync("gone", Pattern(10, 4), 4);
        V1.Release release = await _server.BuildAsync(NewRelease("gone", "r", 0.5));
        var delete = new DeleteDatasetRequest { Name = "datasets/gone", RequestId = NewId() };
        Failure kept = await Failure.OfAsync(_server.Datasets.DeleteDatasetAsync(delete));
        Assert.Equal(("DATASET_HAS_RELEASES", StatusCode.FailedPrecondition), (kept.Reason, kept.Code));
        Assert.NotEmpty(kept.Detail<PreconditionFailure>().Violations);
        delete.Force = true;
        delete.RequestId = NewId();
        Assert.Equal(DatasetState.Deleted, (await _server.Datasets.DeleteDatasetAsync(delete)).Dataset.State);
        Assert.Empty((await _server.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets);
        Assert.Single((await _server.Datasets.ListDatasetsAsync(new ListDatasetsRequest { ShowDeleted = true })).Datasets);
        Failure upload = await Failure.OfAsync(() => _server.SendAsync(Start("gone", NewId())));
        Assert.Equal(("DATASET_DELETED", StatusCode.FailedPrecondition), (upload.Reason, upload.Code));
        Failure query = await Failure.OfAsync(_server.Queries.QueryAsync(
            new QueryRequest { Release = release.Name, Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } } }));
        Assert.Equal("RESOURCE_NOT_FOUND", query.Reason);

        Failure other = await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(
            NewDataset("gone", static r => r.Dataset.Population = "others")));
        Assert.Equal(("ACCOUNT_MISMATCH", StatusCode.FailedPrecondition), (other.Reason, other.Code));
        CreateDatasetResponse again = await _server.Datasets.CreateDatasetAsync(NewDataset("gone"));
        Assert.Equal(release.Cost.Units, again.Budget.SpentUnits);
    }

    [Fact]
    public async Task Pages_go_through_all_datasets_in_name_order_and_tokens_are_bound_to_their_list()
    {
        for (int i = 0; i < 7; i++) await _server.Datasets.CreateDatasetAsync(NewDataset($"d{i}"));
        List<string> names = [];
        string token = "", second = "";
        do
        {
            ListDatasetsResponse page = await _server.Datasets.ListDatasetsAsync(
                new ListDatasetsRequest { PageSize = 3, PageToken = token });
            Assert.InRange(page.Datasets.Count, 1, 3);
            names.AddRange(page.Datasets.Select(static d => d.Name));
            token = page.NextPageToken;
            if (second.Length == 0) second = token;
        }
        while (token.Length > 0);
        Assert.Equal(Enumerable.Range(0, 7).Select(static i => $"datasets/d{i}"), names);

        foreach (ListDatasetsRequest wrong in (ListDatasetsRequest[])[
            new() { PageToken = second, ShowDeleted = true }, new() { PageToken = "!" }, new() { PageToken = "AAAA" },
            new() { PageToken = second[..^1] + (second[^1] == 'A' ? 'B' : 'A') + "xxxx" }, new() { PageToken = new string('A', 5000) }])
        {
            Failure refused = await Failure.OfAsync(_server.Datasets.ListDatasetsAsync(wrong));
            Assert.Equal(("INVALID_PAGE_TOKEN", StatusCode.InvalidArgument), (refused.Reason, refused.Code));
        }
        Failure negative = await Failure.OfAsync(_server.Datasets.ListDatasetsAsync(new ListDatasetsRequest { PageSize = -1 }));
        Assert.Equal("page_size", negative.Metadata["field"]);
        Failure elsewhere = await Failure.OfAsync(_server.Datasets.ListLedgerEntriesAsync(
            new ListLedgerEntriesRequest { PageToken = second }));
        Assert.Equal("INVALID_PAGE_TOKEN", elsewhere.Reason);
    }

    [Fact]
    public async Task Two_datasets_about_the_same_people_share_one_account()
    {
        await _server.Datasets.CreateDatasetAsync(NewDataset("visits", static r => r.Dataset.Population = "patients"));
        CreateDatasetResponse joined = await _server.Datasets.CreateDatasetAsync(NewDataset("scans", static r =>
        {
            r.Dataset.Population = "patients";
            r.Budget = null;
        }));
        Assert.Equal("patients", joined.Budget.Population);
        Failure other = await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(NewDataset("labs", static r =>
        {
            r.Dataset.Population = "patients";
            r.Budget.Epsilon = 2;
        })));
        Assert.Equal(("ACCOUNT_MISMATCH", "limit"), (other.Reason, other.Metadata["field"]));
        await _server.IngestAsync("visits", Pattern(5, 4), 4);
        V1.Release release = await _server.BuildAsync(NewRelease("visits", "r", 0.5));
        Assert.Equal(release.Cost.Units, (await _server.Datasets.GetBudgetAsync(
            new GetBudgetRequest { Name = "datasets/scans/budget" })).Budget.SpentUnits);
    }
}
