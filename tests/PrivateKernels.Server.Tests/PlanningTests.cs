using System.Text.Json;
using Grpc.Core;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.V1;

namespace PrivateKernels.Tests;

/// <summary>Estimates with goals, alternatives and advice over the wire, and 'pk bandwidth'.</summary>
public sealed class PlanningTests : IAsyncLifetime
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-planning-");
    TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Alternatives_across_methods_can_be_asked_for_as_they_are()
    {
        await _server.Datasets.CreateDatasetAsync(TestServer.NewDataset("plane", static r =>
        {
            r.Dataset.Domain.Dimension = 2;
            r.Budget = new V1.PrivacyLoss { Epsilon = 2 };
        }));
        CreateReleaseRequest wanted = TestServer.NewRelease("plane", "r", 1, static r =>
        {
            r.Spec.Sketch.Features = 0;
            r.Spec.Privacy.Loss.Delta = 0;
        });
        ReleaseEstimate told = Assert.Single((await _server.Releases.EstimateReleaseAsync(
            new EstimateReleaseRequest { Parent = "datasets/plane", Specs = { wanted.Spec } })).Estimates);
        V1.SketchMethod[] methods = [.. told.Alternatives.Select(static a => a.Spec.Sketch.Method).Append(told.Spec.Sketch.Method)];
        Assert.Superset(
            new HashSet<V1.SketchMethod> { V1.SketchMethod.Fourier, V1.SketchMethod.FrequencyGrid, V1.SketchMethod.Paper },
            methods.ToHashSet());
        foreach (ReleaseAlternative other in told.Alternatives)
        {
            Assert.NotEmpty(other.Reason);
            Assert.Equal(told.Cost, other.Cost);
            Assert.True(other.BuildSeconds > 0);
            CreateReleaseResponse would = await _server.Releases.CreateReleaseAsync(
                TestServer.NewRelease("plane", "r", 1, r => (r.Spec, r.ValidateOnly) = (other.Spec, true)));
            Assert.Equal(other.Spec.Sketch.Features, would.Release.Spec.Sketch.Features);
            Assert.Equal(other.Accuracy, would.Release.Accuracy);
        }
        Failure drowned = await Failure.OfAsync(_server.Releases.CreateReleaseAsync(
            TestServer.NewRelease("plane", "r", 1e-5, static r => r.Spec.Privacy.Loss.Delta = 0)));
        Assert.Equal(("INVALID_FIELD", "privacy.loss.epsilon"), (drowned.Reason, drowned.Metadata["field"]));
    }

    [Fact]
    public async Task Estimates_that_take_long_wait_for_each_other_and_keep_no_query_waiting()
    {
        await using TestServer server = await TestServer.StartAsync(static o => o with { Query = new() { QueueLength = 1 } });
        await server.Datasets.CreateDatasetAsync(TestServer.NewDataset("people"));
        V1.Release release = await server.BuildAsync(TestServer.NewRelease("people", "r", 0.1));
        // A delta next to 0 takes hundreds of digits, for each of the specs.
        V1.ReleaseSpec slow = TestServer.NewRelease("people", "s", 0.1, static r => r.Spec.Privacy.Loss.Delta = 1e-300).Spec;
        var request = new EstimateReleaseRequest { Parent = "datasets/people", Specs = { Enumerable.Repeat(slow, 64) } };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Now);
        // One more than compute and wait, whichever comes last.
        Task<Failure>[] estimates = [.. Enumerable.Range(0, Math.Max(1, Environment.ProcessorCount / 2) + 2)
            .Select(_ => Failure.OfAsync(server.Releases.EstimateReleaseAsync(request, cancellationToken: stop.Token)))];
        Assert.Equal("OVERLOADED", (await await Task.WhenAny(estimates)).Reason);
        await server.Queries.QueryAsync(
            new QueryRequest { Release = release.Name, Points = new V1.Points { Dimension = 4, Values = { 0, 0, 0, 0 } } });
        Assert.Equal(1, estimates.Count(static e => e.IsCompleted));
        await stop.CancelAsync();
        await Task.WhenAll(estimates);
    }

    [Fact]
    public async Task The_command_line_shows_goals_alternatives_and_advice()
    {
        await _server.Datasets.CreateDatasetAsync(TestServer.NewDataset("people", static r =>
        {
            r.Dataset.Domain.Dimension = 16;
            r.Dataset.MaxRecords = 60_000;
        }));
        string[] asked = ["release", "estimate", "people", "--function", "gaussian", "--epsilon", "0.5", "--bandwidth"];
        JsonElement free = await RunAsync([.. asked, "2"]);
        Assert.DoesNotContain("noise will dominate", free.GetProperty("reason").GetString());
        JsonElement[] others = [.. free.GetProperty("alternatives").EnumerateArray()];
        Assert.All(others, static a => Assert.NotEmpty(a.GetProperty("reason").GetString()!));
        Assert.Contains(others, static a => a.GetProperty("method").GetString() == "fourier");
        JsonElement narrow = await RunAsync([.. asked, "0.2"]);
        Assert.Contains("noise will dominate", narrow.GetProperty("reason").GetString());

        double total = free.GetProperty("total_std_at_max_records").GetDouble();
        JsonElement better = await RunAsync([.. asked, "2", "--target-std", FormattableString.Invariant($"{total / 1.5}")]);
        Assert.True(better.GetProperty("features").GetInt32() > free.GetProperty("features").GetInt32());
        JsonElement small = await RunAsync([.. asked, "2", "--max-file-bytes", "30000"]);
        Assert.InRange(small.GetProperty("file_bytes").GetInt64(), 1, 30_000);
        JsonElement never = await RunAsync([.. asked, "2", "--target-std", "0.001"]);
        Assert.Contains("privacy noise alone", never.GetProperty("reason").GetString());
        JsonElement quick = await RunAsync([.. asked, "2", "--max-build-seconds", "1e-9"]);
        Assert.Contains("time wanted", quick.GetProperty("reason").GetString());

        var table = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(
            [.. asked, "2", "--server", $"{_server.Host.Address}"], table, TextWriter.Null, Now));
        Assert.Contains("or 1: ", $"{table}", StringComparison.Ordinal);
        Assert.All($"{table}".Split('\n'), static line => Assert.InRange(line.TrimEnd().Length, 0, 120));
    }

    [Fact]
    public async Task Bandwidths_are_suggested_without_a_server_and_a_public_sample_says_more_than_the_box()
    {
        string[] facts = ["bandwidth", "--max-records", "60000", "--epsilon", "1", "--delta", "1e-6", "--bandwidth", "0.1", "3"];
        JsonElement box = await RunLocallyAsync(0, [.. facts, "--dimension", "16", "--lower", "0", "--upper", "1"]);
        Assert.Equal("box", box.GetProperty("source").GetString());
        Assert.True(box.GetProperty("low").GetDouble() < box.GetProperty("high").GetDouble());
        JsonElement[] readings = [.. box.GetProperty("readings").EnumerateArray()];
        Assert.Equal(5, readings.Length);
        Assert.Contains("noise will dominate", readings[0].GetProperty("warning").GetString());
        Assert.Equal(4.22, box.GetProperty("noise_std").GetDouble(), 0.01);

        // Public points in a tenth of the box.
        string sample = Path.Combine(_folder.FullName, "sample.npy");
        var random = new PublicRandom(4);
        NpyFile.Write<float>(sample, [.. Enumerable.Range(0, 200 * 16).Select(_ => (float)random.NextUnit() / 10)], 16);
        JsonElement near = await RunLocallyAsync(0, [.. facts, "--sample", sample]);
        Assert.Equal("sample", near.GetProperty("source").GetString());
        Assert.InRange(near.GetProperty("low").GetDouble() / box.GetProperty("low").GetDouble(), 0.05, 0.2);

        JsonElement refusal = await RunLocallyAsync(64, [.. facts, "--dimension", "16"]);
        Assert.Equal("sample", refusal.GetProperty("details").GetProperty("field").GetString());
        refusal = await RunLocallyAsync(64, [.. facts, "--sample", sample, "--function", "l1"]);
        Assert.Equal("function", refusal.GetProperty("details").GetProperty("field").GetString());
    }

    Task<JsonElement> RunAsync(string[] arguments) =>
        RunLocallyAsync(0, [.. arguments, "--server", $"{_server.Host.Address}"]);

    static async Task<JsonElement> RunLocallyAsync(int exitCode, string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        Assert.True(exitCode == await CommandLine.RunAsync([.. arguments, "--json"], output, error, Now), $"{error}");
        return JsonDocument.Parse(exitCode == 0 ? $"{output}" : $"{error}").RootElement;
    }
}
