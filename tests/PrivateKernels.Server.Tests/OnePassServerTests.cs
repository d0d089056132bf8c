using System.Text.Json;
using Grpc.Core;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.V1;

namespace PrivateKernels.Tests;

/// <summary>One pass over the wire, from the program and across a restart.</summary>
[Collection("environment")]
public sealed class OnePassServerTests : IAsyncLifetime
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-one-pass-");
    TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        Storage.EncryptionKey.CreateFile(At("key"));
        _server = await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Rows_are_folded_and_every_release_of_an_accumulator_is_charged_and_answers()
    {
        Dataset created = (await _server.Datasets.CreateDatasetAsync(OnePass("folded"))).Dataset;
        Assert.Equal(V1.Retention.OnePass, created.Retention);
        Assert.Equal(["density", "spread"], created.Accumulators.Select(static a => a.Id));
        Assert.All(created.Accumulators, static a => Assert.True(a.Sketch.Features > 0 || a.Sketch.Function.Name != "gaussian"));
        Assert.True(created.Accumulators[0].Sketch.HasSeed);
        float[] rows = TestServer.Pattern(300, 4);
        string upload = TestServer.NewId();
        List<IngestPointsResponse> half = await _server.SendAsync(
            TestServer.Start("folded", upload), TestServer.Batch(1, rows[..400], 4), TestServer.Batch(2, rows[400..800], 4));
        Assert.Equal(2u, half[^1].Acknowledged.Sequence);
        Assert.Empty(Directory.GetFiles(At("data"), "*.seg", SearchOption.AllDirectories));

        await _server.DisposeAsync();
        _server = await StartAsync();
        List<IngestPointsResponse> rest = await _server.SendAsync(
            TestServer.Start("folded", upload), TestServer.Batch(2, rows[400..800], 4), TestServer.Batch(3, rows[800..], 4),
            TestServer.Finish(300, 3));
        Assert.Equal(3u, rest[0].Started.NextSequence);
        Assert.Equal(300u, rest[^1].Finished.RowCount);
        Assert.Equal(300, (await _server.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/folded" })).Dataset.RecordCount);

        CreateReleaseRequest first = Release("folded", "first", "spread"), second = Release("folded", "second", "spread");
        V1.Release a = await _server.BuildAsync(first), b = await _server.BuildAsync(second);
        Assert.Equal(("spread", "l2_squared"), (a.Spec.Accumulator, a.Spec.Sketch.Function.Name));
        Assert.NotEqual(a.Sha256, b.Sha256);
        Budget budget = (await _server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/folded/budget" })).Budget;
        Assert.Equal(a.Cost.Units + b.Cost.Units, budget.SpentUnits);
        // Asked again under the same request id it is the same release at no price.
        Assert.Equal(a.Sha256, (await _server.EndAsync((await _server.Releases.CreateReleaseAsync(first)).Operation))
            .Response.Unpack<V1.Release>().Sha256);

        float[] y = [0.5f, 0.5f, 0.5f, 0.5f];
        double truth = 0;
        for (int i = 0; i < rows.Length; i++) truth += Math.Pow(rows[i] - 0.5, 2);
        QueryResponse answer = await _server.Queries.QueryAsync(new QueryRequest
        {
            Release = a.Name,
            Points = new V1.Points { Dimension = 4, Values = { y } },
        });
        Assert.InRange(answer.Answers.Values[0], truth - 6 * answer.Answers.NoiseStd[0], truth + 6 * answer.Answers.NoiseStd[0]);
    }

    [Fact]
    public async Task An_estimate_prices_an_accumulator_and_its_spec_can_be_asked_for_as_it_is()
    {
        await _server.Datasets.CreateDatasetAsync(OnePass("priced"));
        CreateReleaseRequest request = Release("priced", "r", "density");
        EstimateReleaseResponse response = await _server.Releases.EstimateReleaseAsync(
            new EstimateReleaseRequest { Parent = "datasets/priced", Specs = { request.Spec } });
        ReleaseEstimate estimate = Assert.Single(response.Estimates);
        Assert.True(estimate.Affordable && estimate.Accuracy.NoiseStd > 0);
        Assert.Empty(estimate.Alternatives);
        request.Spec = estimate.Spec;
        Assert.Equal(estimate.Cost.Units, (await _server.BuildAsync(request)).Cost.Units);
    }

    [Theory]
    [InlineData("no accumulator", "INVALID_FIELD", "spec.accumulator")]
    [InlineData("unknown accumulator", "INVALID_FIELD", "spec.accumulator")]
    [InlineData("another sketch", "INVALID_FIELD", "spec.sketch")]
    [InlineData("other noise", "INVALID_FIELD", "privacy.mechanism")]
    [InlineData("no privacy", "INVALID_FIELD", "spec.privacy")]
    [InlineData("too much", "BUDGET_EXHAUSTED", "")]
    [InlineData("stored dataset", "NOT_ONE_PASS", "spec.accumulator")]
    public async Task A_wrong_release_of_an_accumulator_is_refused_and_spends_nothing(string what, string reason, string field)
    {
        await _server.Datasets.CreateDatasetAsync(OnePass("people"));
        await _server.Datasets.CreateDatasetAsync(TestServer.NewDataset("stored"));
        string before = await _server.LedgerAsync("people");
        CreateReleaseRequest request = Release("people", "r", "density");
        switch (what)
        {
            case "no accumulator": request.Spec.Accumulator = ""; break;
            case "unknown accumulator": request.Spec.Accumulator = "other"; break;
            case "another sketch": request.Spec.Sketch = new() { Function = new() { Name = "l1" } }; break;
            case "other noise": request.Spec.Privacy.Mechanism = V1.Mechanism.DiscreteLaplace; request.Spec.Privacy.Loss.Delta = 0; break;
            case "no privacy": request.Spec.Privacy = null; break;
            case "too much": request.Spec.Privacy.Loss.Epsilon = 9; break;
            default: request.Parent = "datasets/stored"; break;
        }
        Failure refused = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(request));
        Assert.Equal(reason, refused.Reason);
        if (field.Length > 0) Assert.Equal(field, refused.Metadata["field"]);
        Assert.Equal(before, await _server.LedgerAsync("people"));
    }

    [Theory]
    [InlineData("none", "INVALID_FIELD")]
    [InlineData("twice", "INVALID_FIELD")]
    [InlineData("too many", "LIMIT_EXCEEDED")]
    [InlineData("public", "INVALID_FIELD")]
    [InlineData("function", "UNKNOWN_PAIR_FUNCTION")]
    [InlineData("features", "LIMIT_EXCEEDED")]
    [InlineData("no budget", "INVALID_FIELD")]
    public async Task A_wrong_one_pass_dataset_is_refused(string what, string reason)
    {
        CreateDatasetRequest request = OnePass("wrong");
        switch (what)
        {
            case "none": request.Dataset.Accumulators.Clear(); break;
            case "twice": request.Dataset.Accumulators[1].Id = "density"; break;
            case "too many":
                request.Dataset.Accumulators.Add(Enumerable.Range(0, 15).Select(i => Sketch($"a{i}", "l2_squared"))); break;
            case "public": (request.Dataset.Kind, request.Budget) = (V1.DatasetKind.Public, null); break;
            case "function": request.Dataset.Accumulators[0].Sketch.Function.Name = "gausian"; break;
            case "features": request.Dataset.Accumulators[0].Sketch.Features = 200_000; break;
            default: request.Budget = null; break;
        }
        Assert.Equal(reason, (await Failure.OfAsync(_server.Datasets.CreateDatasetAsync(request))).Reason);
        Assert.Empty((await _server.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets);
    }

    [Fact]
    public async Task Without_a_key_one_pass_is_refused()
    {
        await using TestServer open = await TestServer.StartAsync();
        Failure refused = await Failure.OfAsync(open.Datasets.CreateDatasetAsync(OnePass("folded")));
        Assert.Equal(("ENCRYPTION_REQUIRED", StatusCode.FailedPrecondition), (refused.Reason, refused.Code));
    }

    [Fact]
    public async Task The_program_creates_fills_and_releases_one_pass_datasets()
    {
        NpyFile.Write<float>(At("rows.npy"), TestServer.Pattern(200, 4), 4);
        JsonElement created = await RunAsync(
            "dataset", "create", "seen", "--dimension", "4", "--budget-epsilon", "5", "--budget-delta", "1e-5", "--max-norm", "2",
            "--one-pass", "--accumulator", "near=gaussian,bandwidth=1,features=64", "--accumulator", "mean=inner_product");
        Assert.Equal("one_pass", created.GetProperty("retention").GetString());
        Assert.Equal(2, created.GetProperty("accumulators").GetArrayLength());
        Assert.Equal(200, (await RunAsync("dataset", "import", "seen", At("rows.npy"))).GetProperty("rows").GetInt64());
        JsonElement estimate = await RunAsync("release", "estimate", "seen", "--accumulator", "near", "--epsilon", "1");
        Assert.Equal(64, estimate.GetProperty("features").GetInt32());
        await RunAsync("release", "create", "seen", "r", "--accumulator", "near", "--epsilon", "2");
        JsonElement shown = await RunAsync("release", "show", "seen/r");
        Assert.Equal(("ready", "gaussian"), (shown.GetProperty("state").GetString(), shown.GetProperty("function").GetString()));
        var error = new StringWriter();
        Assert.Equal(64, await CommandLine.RunAsync(
            [.. Server("release", "create", "seen", "x", "--epsilon", "1")], TextWriter.Null, error, TestContext.Current.CancellationToken));
        Assert.Contains("--accumulator", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_program_changes_texts_and_shows_and_discards_uploads()
    {
        await _server.Datasets.CreateDatasetAsync(OnePass("texts"));
        JsonElement changed = await RunAsync("dataset", "update", "texts", "--display-name", "People");
        Assert.Equal(("People", ""), (changed.GetProperty("display_name").GetString(), changed.GetProperty("description").GetString()));
        await RunAsync("dataset", "update", "texts", "--description", "of one town");
        JsonElement shown = await RunAsync("dataset", "show", "texts");
        Assert.Equal(("People", "of one town"), (
            shown.GetProperty("display_name").GetString(), shown.GetProperty("description").GetString()));
        string upload = TestServer.NewId();
        await _server.SendAsync(TestServer.Start("texts", upload), TestServer.Batch(1, TestServer.Pattern(10, 4), 4));
        JsonElement status = await RunAsync("dataset", "upload", "texts", upload);
        Assert.Equal((2, false), (status.GetProperty("next_sequence").GetInt32(), status.GetProperty("finished").GetBoolean()));
        await RunAsync("dataset", "abort", "texts", upload);
        Assert.Empty(Directory.GetFiles(At("data"), "*.cells", SearchOption.AllDirectories));
        var error = new StringWriter();
        Assert.Equal(1, await CommandLine.RunAsync(
            Server("dataset", "upload", "texts", upload), TextWriter.Null, error, TestContext.Current.CancellationToken));
        Assert.Contains("RESOURCE_NOT_FOUND", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("near")]
    [InlineData("near=gaussian,width=1")]
    [InlineData("near=gaussian,bandwidth=wide")]
    public void A_wrong_accumulator_option_is_refused_by_its_text(string text)
    {
        var refused = Assert.Throws<InvalidFieldException>(() => AccumulatorOption.Read(true, [text]));
        Assert.Equal("accumulator", refused.Field);
    }

    static CreateDatasetRequest OnePass(string id) => TestServer.NewDataset(id, static r =>
    {
        r.Dataset.Retention = V1.Retention.OnePass;
        r.Dataset.Accumulators.Add([Sketch("density", "gaussian"), Sketch("spread", "l2_squared")]);
    });

    static V1.Accumulator Sketch(string id, string function) => new()
    {
        Id = id,
        Sketch = new SketchSpec
        {
            Function = new V1.PairFunction { Name = function, Bandwidth = function == "gaussian" ? 1 : 0 },
            Features = function == "gaussian" ? 64u : 0,
        },
    };

    static CreateReleaseRequest Release(string dataset, string id, string accumulator) => new()
    {
        Parent = $"datasets/{dataset}",
        ReleaseId = id,
        Spec = new ReleaseSpec
        {
            Accumulator = accumulator,
            Privacy = new PrivacySpec { Loss = new V1.PrivacyLoss { Epsilon = 0.4, Delta = 1e-5 } },
        },
        RequestId = TestServer.NewId(),
    };

    Task<TestServer> StartAsync() => TestServer.StartAsync(o => o with { Encryption = new() { KeyFile = At("key") } }, At("data"));

    string[] Server(params string[] arguments) => [.. arguments, "--server", $"{_server.Host.Address}", "--json"];

    async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync(Server(arguments), output, error, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    string At(string name) => Path.Combine(_folder.FullName, name);
}
