using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Two servers with the same history over datasets that differ in one record: an analyst must see no difference.</summary>
public sealed class NeighbourTests
{
    const int Rows = 30;

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Neighbouring_datasets_give_an_analyst_replies_of_equal_size_equal_lines_and_equal_stages()
    {
        int pairs = Scale.Of(20, 1_000);
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "*"), analyst = keys.Add("analyst", Role.Analyst, "*");
        List<string>[] seen = [[], []];
        string[] logs = new string[2];
        for (int side = 0; side < 2; side++)
        {
            await using TestServer server = await StartAsync(o => o with
            {
                Security = new() { KeysFile = keys.Path },
                Limits = o.Limits with { CallsPerSecond = 1_000_000, CallBurst = 1_000_000 },
            });
            KeyHolder owns = KeyHolder.Of(server.Channel, owner), asks = KeyHolder.Of(server.Channel, analyst);
            for (int pair = 0; pair < pairs; pair++) await RunAsync(owns, asks, $"d{pair:000}", pair, side, seen[side]);
            logs[side] = server.Log.ToString();
        }
        Assert.True(seen[0].Count >= 10 * pairs);
        Assert.Equal(seen[0], seen[1]);
        Assert.Equal(Lines(logs[0]), Lines(logs[1]));
    }

    /// <summary>
    /// The owner uploads rows, in the second server one of them left out, and releases; the analyst looks at everything.
    /// </summary>
    static async Task RunAsync(KeyHolder owner, KeyHolder analyst, string id, int pair, int side, List<string> seen)
    {
        string name = $"datasets/{id}";
        await owner.Datasets.CreateDatasetAsync(NewDataset(id, static r =>
        {
            r.Dataset.Classes.Add(["a", "b"]);
            r.Dataset.MaxRecords = 1_000_000;
        }), cancellationToken: Now);
        // In some pairs the record is the only one of its class.
        float[] values = Pattern(Rows + pair % 3, 4);
        uint[] labels = [.. Enumerable.Range(0, values.Length / 4).Select(i => i == 0 ? 1u : (uint)(pair % 2 * i % 2))];
        if (side == 1) (values, labels) = (values[4..], labels[1..]);
        await IngestAsync(owner, id, values, labels);
        CreateReleaseRequest build = NewRelease(id, "r", 0.3, static r => r.Spec.Sketch.PerClass = true);
        Google.LongRunning.Operation operation = (await owner.Releases.CreateReleaseAsync(build, cancellationToken: Now)).Operation;
        while (!operation.Done)
            operation = await owner.Operations.WaitOperationAsync(new() { Name = operation.Name }, cancellationToken: Now);
        void See(string what, IMessage reply) => seen.Add($"{what} {reply.CalculateSize()}");
        See("dataset", await analyst.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = name }, cancellationToken: Now));
        See("budget", await analyst.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = $"{name}/budget" }, cancellationToken: Now));
        See("releases", await analyst.Releases.ListReleasesAsync(new ListReleasesRequest { Parent = name }, cancellationToken: Now));
        GetReleaseResponse release = await analyst.Releases.GetReleaseAsync(
            new GetReleaseRequest { Name = $"{name}/releases/r" }, cancellationToken: Now);
        See($"release {release.Release.State} {release.Release.SizeBytes}", release);
        See("estimate", Rounded(await analyst.Releases.EstimateReleaseAsync(
            new EstimateReleaseRequest { Parent = name, Specs = { build.Spec } }, cancellationToken: Now)));
        var points = new V1.Points { Dimension = 4, Values = { Pattern(5, 4) } };
        foreach (bool all in (bool[])[false, true])
            See("query", await analyst.Queries.QueryAsync(
                new QueryRequest { Release = release.Release.Name, Points = points, AllClasses = all }, cancellationToken: Now));
        ClassifyResponse classes = await analyst.Queries.ClassifyAsync(
            new ClassifyRequest { Release = release.Release.Name, Points = points, Score = V1.ClassScore.Sum, IncludeScores = true },
            cancellationToken: Now);
        // Which class wins is an answer, post-processing of the noise; how it is told has one size.
        foreach (Prediction prediction in classes.Predictions) prediction.ClassIndex = 1;
        See("classes", classes);
        using AsyncServerStreamingCall<DownloadReleaseResponse> file = analyst.Releases.DownloadRelease(
            new DownloadReleaseRequest { Name = release.Release.Name }, cancellationToken: Now);
        await foreach (DownloadReleaseResponse part in file.ResponseStream.ReadAllAsync(Now)) See("file", part);
        Failure build404 = await Failure.OfAsync(analyst.Operations.GetOperationAsync(new() { Name = operation.Name }, cancellationToken: Now));
        seen.Add($"build {build404.Reason}");
    }

    /// <summary>Predicted seconds come from a measurement at the start of the server.</summary>
    static EstimateReleaseResponse Rounded(EstimateReleaseResponse reply)
    {
        foreach (ReleaseEstimate estimate in reply.Estimates)
        {
            estimate.BuildSeconds = 1;
            foreach (ReleaseAlternative other in estimate.Alternatives) other.BuildSeconds = 1;
        }
        return reply;
    }

    static async Task IngestAsync(KeyHolder owner, string id, float[] values, uint[] labels)
    {
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = owner.Datasets.IngestPoints(cancellationToken: Now);
        foreach (IngestPointsRequest frame in (IngestPointsRequest[])
            [Start(id, NewId()), Batch(1, values, 4, labels), Finish((ulong)labels.Length, 1)])
            await call.RequestStream.WriteAsync(frame, Now);
        await call.RequestStream.CompleteAsync();
        await foreach (IngestPointsResponse _ in call.ResponseStream.ReadAllAsync(Now))
        {
        }
    }

    /// <summary>The lines of the log without their times; waits are as many as it took.</summary>
    static IEnumerable<string> Lines(string log) =>
        from line in log.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        let fields = JsonDocument.Parse(line).RootElement.EnumerateObject()
            .Where(static f => f.Name is not ("time" or "ms" or "endpoint" or "records_per_second"))
            .Select(static f => (f.Name, Value: f.Value.ToString()))
            .Select(static f => f.Name == "resource" && f.Value.StartsWith("operations/", StringComparison.Ordinal)
                ? "resource=operation" : $"{f.Name}={f.Value}")
        let text = string.Join(' ', fields)
        where !text.Contains("WaitOperation", StringComparison.Ordinal)
        select text;
}
