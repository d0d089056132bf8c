using Google.Rpc;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class QueryTests : IAsyncLifetime
{
    TestServer _server = null!;
    string _plain = "", _perClass = "", _boxed = "";

    public async ValueTask InitializeAsync()
    {
        _server = await StartAsync(static o => o with { Limits = o.Limits with { QueryPoints = 1000, RequestBytes = 4 << 20 } });
        await _server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["a", "b", "c"]);
            r.Budget = new V1.PrivacyLoss { Epsilon = 1000, Delta = 1e-5 };
        }));
        await _server.IngestAsync("people", Pattern(40, 4), 4, [.. Enumerable.Range(0, 40).Select(static i => (uint)(i % 2))]);
        _plain = (await _server.BuildAsync(NewRelease("people", "plain", 100))).Name;
        _perClass = (await _server.BuildAsync(NewRelease("people", "classes", 500, static r => r.Spec.Sketch.PerClass = true))).Name;
        _boxed = (await _server.BuildAsync(NewRelease("people", "boxed", 100, static r =>
            r.Spec.Sketch = new SketchSpec { Function = new V1.PairFunction { Name = "l1" } }))).Name;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_same_point_gives_the_same_bits_in_any_batch_and_after_a_restart()
    {
        float[] values = Pattern(50, 4);
        V1.Answers together = (await AskAsync(_plain, values)).Answers;
        for (int i = 0; i < 50; i += 7)
            Assert.Equal(together.Values[i], (await AskAsync(_plain, values[(4 * i)..(4 * i + 4)])).Answers.Values[0]);
        Assert.Equal(together, (await AskAsync(_plain, values)).Answers);
        Assert.All(together.HalfWidth95, static w => Assert.True(w > 0));
    }

    [Theory]
    [InlineData("no points", "INVALID_FIELD")]
    [InlineData("dimension 0", "INVALID_FIELD")]
    [InlineData("dimension", "DIMENSION_MISMATCH")]
    [InlineData("dimension huge", "INVALID_FIELD")]
    [InlineData("ragged", "INVALID_FIELD")]
    [InlineData("nan", "NON_FINITE_VALUE")]
    [InlineData("infinite", "NON_FINITE_VALUE")]
    [InlineData("huge", "NON_FINITE_VALUE")]
    [InlineData("outside the box", "OUT_OF_DOMAIN")]
    [InlineData("too many", "LIMIT_EXCEEDED")]
    [InlineData("class of a plain release", "NOT_PER_CLASS")]
    [InlineData("unknown class", "INVALID_FIELD")]
    [InlineData("class and all", "INVALID_FIELD")]
    [InlineData("release", "INVALID_FIELD")]
    [InlineData("nobody", "RESOURCE_NOT_FOUND")]
    [InlineData("message", "MESSAGE_TOO_LARGE")]
    public async Task A_wrong_query_is_refused_whole(string what, string reason)
    {
        float[] values = Pattern(3, 4);
        var request = new QueryRequest { Release = _plain, Points = new V1.Points { Dimension = 4, Values = { values } } };
        switch (what)
        {
            case "no points": request.Points = null; break;
            case "dimension 0": request.Points.Dimension = 0; break;
            case "dimension": request.Points.Dimension = 3; break;
            case "dimension huge": request.Points.Dimension = 4_000_000_000; break;
            case "ragged": request.Points.Values.RemoveAt(0); break;
            case "nan": request.Points.Values[6] = float.NaN; break;
            case "infinite": request.Points.Values[6] = float.PositiveInfinity; break;
            case "huge": request.Points.Values[6] = -3e38f; break;
            case "outside the box": (request.Release, request.Points.Values[6]) = (_boxed, 1.5f); break;
            case "too many": request.Points.Values.Add(new float[4 * 998]); break;
            case "class of a plain release": request.AllClasses = true; break;
            case "unknown class": (request.Release, request.ClassName) = (_perClass, "z"); break;
            case "class and all": (request.Release, request.ClassName, request.AllClasses) = (_perClass, "a", true); break;
            case "release": request.Release = "plain"; break;
            case "nobody": request.Release = "datasets/people/releases/nobody"; break;
            default: request.Points.Values.Add(new float[1 << 20]); break;
        }
        string before = await _server.LedgerAsync("people");
        Failure refused = await Failure.OfAsync(_server.Queries.QueryAsync(request));
        Assert.Equal(reason, refused.Reason);
        if (reason is "NON_FINITE_VALUE" or "OUT_OF_DOMAIN")
            Assert.Equal(("1", "2"), (refused.Metadata["row"], refused.Metadata["column"]));
        if (reason == "DIMENSION_MISMATCH") Assert.Equal(("4", "3"), (refused.Metadata["expected"], refused.Metadata["actual"]));
        if (reason == "LIMIT_EXCEEDED") Assert.NotEmpty(refused.Detail<QuotaFailure>().Violations);
        Assert.Equal(before, await _server.LedgerAsync("people"));
    }

    [Fact]
    public async Task An_empty_class_is_never_predicted_but_listed()
    {
        ClassifyResponse response = await _server.Queries.ClassifyAsync(new ClassifyRequest
        {
            Release = _perClass,
            Points = new V1.Points { Dimension = 4, Values = { Pattern(20, 4) } },
            Score = V1.ClassScore.Mean,
            IncludeScores = true,
        });
        Assert.Equal([2u], response.ExcludedClasses);
        Assert.DoesNotContain(2u, response.Predictions.Select(static p => p.ClassIndex));
        Assert.All(response.Predictions, static p => Assert.True(double.IsNaN(p.Scores[2]) && double.IsFinite(p.Scores[0])));
    }

    [Theory]
    [InlineData("plain", V1.ClassScore.Mean, "NOT_PER_CLASS", StatusCode.FailedPrecondition)]
    [InlineData("classes", V1.ClassScore.LeastSquares, "INVALID_FIELD", StatusCode.InvalidArgument)]
    [InlineData("classes", (V1.ClassScore)99, "INVALID_FIELD", StatusCode.InvalidArgument)]
    public async Task A_wrong_classification_is_refused(string release, V1.ClassScore score, string reason, StatusCode code)
    {
        Failure refused = await Failure.OfAsync(_server.Queries.ClassifyAsync(new ClassifyRequest
        {
            Release = $"datasets/people/releases/{release}",
            Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } },
            Score = score,
        }));
        Assert.Equal((reason, code), (refused.Reason, refused.Code));
    }

    [Fact]
    public async Task When_noise_hides_every_class_that_is_the_answer()
    {
        string noisy = (await _server.BuildAsync(NewRelease("people", "noisy", 0.01, static r => r.Spec.Sketch.PerClass = true))).Name;
        var request = new ClassifyRequest { Release = noisy, Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } } };
        Failure refused = await Failure.OfAsync(_server.Queries.ClassifyAsync(request));
        Assert.Equal(("NO_CLASS_LARGE_ENOUGH", StatusCode.FailedPrecondition), (refused.Reason, refused.Code));
        request.Score = V1.ClassScore.Sum;
        Assert.Single((await _server.Queries.ClassifyAsync(request)).Predictions);
    }

    [Fact]
    public async Task A_stream_answers_in_order_may_change_its_release_and_refuses_a_sequence_that_does_not_grow()
    {
        float[] values = Pattern(2, 4);
        using AsyncDuplexStreamingCall<StreamQueryRequest, StreamQueryResponse> call = _server.Queries.StreamQuery();
        var points = new V1.Points { Dimension = 4, Values = { values } };
        await call.RequestStream.WriteAsync(new StreamQueryRequest { Release = _plain, Sequence = 5, Points = points });
        await call.RequestStream.WriteAsync(new StreamQueryRequest { Sequence = 6, Points = points });
        await call.RequestStream.WriteAsync(
            new StreamQueryRequest { Release = _perClass, Sequence = 9, Points = points, AllClasses = true });
        await call.RequestStream.WriteAsync(new StreamQueryRequest { Sequence = 9, Points = points });
        List<StreamQueryResponse> replies = [];
        Failure refused = await Failure.OfAsync(async () =>
        {
            await foreach (StreamQueryResponse reply in call.ResponseStream.ReadAllAsync()) replies.Add(reply);
        });
        Assert.Equal([5ul, 6ul, 9ul], replies.Select(static r => r.Sequence));
        Assert.Equal((await AskAsync(_plain, values)).Answers, replies[0].Answers);
        Assert.Equal(replies[0].Answers, replies[1].Answers);
        Assert.Equal(3, replies[2].ClassAnswers.Count);
        Assert.Equal(("INVALID_FIELD", "sequence"), (refused.Reason, refused.Metadata["field"]));
    }

    [Fact]
    public async Task A_caller_holds_only_so_many_streams()
    {
        List<AsyncDuplexStreamingCall<StreamQueryRequest, StreamQueryResponse>> open = [];
        var points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } };
        for (int i = 0; i < 8; i++)
        {
            AsyncDuplexStreamingCall<StreamQueryRequest, StreamQueryResponse> call = _server.Queries.StreamQuery();
            open.Add(call);
            await call.RequestStream.WriteAsync(new StreamQueryRequest { Release = _plain, Points = points });
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        }
        using AsyncDuplexStreamingCall<StreamQueryRequest, StreamQueryResponse> ninth = _server.Queries.StreamQuery();
        Failure refused = await Failure.OfAsync(() => ninth.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(("TOO_MANY_STREAMS", StatusCode.ResourceExhausted), (refused.Reason, refused.Code));
        Assert.NotNull(refused.Detail<RetryInfo>().RetryDelay);
        open.ForEach(static c => c.Dispose());
    }

    [Fact]
    public async Task A_reply_that_would_be_too_large_is_refused_with_the_number_that_fits()
    {
        await _server.Datasets.CreateDatasetAsync(NewDataset("many", static r =>
        {
            r.Dataset.Classes.Add(Enumerable.Range(0, 500).Select(static i => $"c{i}"));
            r.Budget = new V1.PrivacyLoss { Epsilon = 10, Delta = 1e-5 };
        }));
        await _server.IngestAsync("many", Pattern(2, 4), 4, [0, 1]);
        string name = (await _server.BuildAsync(NewRelease("many", "r", 1, static r => r.Spec.Sketch.PerClass = true))).Name;
        var request = new QueryRequest
        {
            Release = name,
            Points = new V1.Points { Dimension = 4, Values = { Pattern(1000, 4) } },
            AllClasses = true,
        };
        Failure refused = await Failure.OfAsync(_server.Queries.QueryAsync(request));
        Assert.Equal("LIMIT_EXCEEDED", refused.Reason);
        int fits = int.Parse(refused.Metadata["value"], System.Globalization.CultureInfo.InvariantCulture);
        request.Points = new V1.Points { Dimension = 4, Values = { Pattern(fits, 4) } };
        Assert.Equal(500, (await _server.Queries.QueryAsync(request)).ClassAnswers.Count);
    }

    [Fact]
    public async Task A_deadline_that_has_passed_ends_the_call_and_changes_nothing()
    {
        string before = await _server.LedgerAsync("people");
        RpcException late = await Assert.ThrowsAsync<RpcException>(() => _server.Releases.CreateReleaseAsync(
            NewRelease("people", "late", 1), deadline: DateTime.UtcNow.AddMilliseconds(-1)).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, late.StatusCode);
        Assert.Equal(before, await _server.LedgerAsync("people"));
    }

    Task<QueryResponse> AskAsync(string release, float[] values) => _server.Queries.QueryAsync(
        new QueryRequest { Release = release, Points = new V1.Points { Dimension = 4, Values = { values } } }).ResponseAsync;
}
