using System.Security.Cryptography;
using Google.LongRunning;
using Google.Protobuf.Collections;
using Grpc.Core;
using Grpc.Health.V1;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class ThinPathTests
{
    [Fact]
    public async Task Rows_go_in_a_release_is_built_and_clients_query_classify_and_download_it()
    {
        await using TestServer server = await StartAsync();
        CreateDatasetResponse created = await server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right"]);
            r.Budget = new V1.PrivacyLoss { Epsilon = 1000, Delta = 1e-5 };
        }));
        Assert.Equal("datasets/people", created.Dataset.Name);
        Assert.Equal(0, created.Budget.SpentUnits);

        // Two clusters of 50, far apart: left near 0.1, right near 0.9.
        float[] values = Pattern(100, 4);
        for (int i = 0; i < values.Length; i++) values[i] = values[i] * 0.1f + (i < 200 ? 0.05f : 0.85f);
        uint[] labels = [.. Enumerable.Range(0, 100).Select(static i => i < 50 ? 0u : 1u)];
        await server.IngestAsync("people", values, 4, labels);

        CreateReleaseResponse asked = await server.Releases.CreateReleaseAsync(NewRelease("people", "r1", 500, static r =>
        {
            r.Spec.Sketch.PerClass = true;
            r.Spec.Sketch.Features = 1024;
        }));
        Assert.Equal(ReleaseState.Building, asked.Release.State);
        Assert.True(asked.Release.Spec.Sketch.HasSeed);
        Operation ended = await server.EndAsync(asked.Operation);
        Assert.Equal(BuildStage.Done, ended.Metadata.Unpack<BuildMetadata>().Stage);
        V1.Release release = ended.Response.Unpack<V1.Release>();
        Assert.Equal(ReleaseState.Ready, release.State);
        Assert.Equal(["left", "right"], release.Classes);

        var points = new V1.Points { Dimension = 4, Values = { 0.1f, 0.1f, 0.1f, 0.1f, 0.9f, 0.9f, 0.9f, 0.9f } };
        QueryResponse sums = await server.Queries.QueryAsync(new QueryRequest { Release = release.Name, Points = points });
        double[] exact = ExactSums(values, points.Values);
        for (int q = 0; q < 2; q++)
            Assert.InRange(Math.Abs(sums.Answers.Values[q] - exact[q]), 0, 3 * sums.Answers.HalfWidth95[q]);
        Assert.Equal(release.Sha256, sums.ReleaseSha256);

        QueryResponse byClass = await server.Queries.QueryAsync(
            new QueryRequest { Release = release.Name, Points = points, AllClasses = true });
        QueryResponse left = await server.Queries.QueryAsync(
            new QueryRequest { Release = release.Name, Points = points, ClassName = "left" });
        Assert.Equal(byClass.ClassAnswers[0].Answers, left.Answers);
        Assert.InRange(byClass.ClassAnswers[1].Count, 30, 70);

        ClassifyResponse classes = await server.Queries.ClassifyAsync(
            new ClassifyRequest { Release = release.Name, Points = points, IncludeScores = true });
        Assert.Equal([0u, 1u], classes.Predictions.Select(static p => p.ClassIndex));
        Assert.Equal(V1.ClassScore.NearestKernelMean, (V1.ClassScore)classes.Score);

        byte[] file = await DownloadAsync(server, release.Name, 0);
        Assert.Equal(release.Sha256.ToByteArray(), SHA256.HashData(file));
        Answers offline = ReleaseFile.Read(file).Estimate(new Points(points.Values.ToArray(), 4), new SimdEngine(1));
        Assert.Equal(sums.Answers.Values, offline.Values);

        Budget budget = (await server.Datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
        Assert.Equal(release.Cost.Units, budget.SpentUnits);
        Assert.Equal(0, budget.ReservedUnits);
        Assert.Equal(
            [LedgerEntryKind.Open, LedgerEntryKind.Dataset, LedgerEntryKind.Reserve, LedgerEntryKind.Post],
            (await server.Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest { Parent = "datasets/people" }))
                .Entries.Select(static e => e.Kind));
    }

    [Fact]
    public async Task A_download_resumes_at_any_offset()
    {
        await using TestServer server = await StartAsync();
        await server.Datasets.CreateDatasetAsync(NewDataset("people"));
        await server.IngestAsync("people", Pattern(10, 4), 4);
        V1.Release release = await server.BuildAsync(NewRelease("people", "r1", 0.5));
        byte[] whole = await DownloadAsync(server, release.Name, 0);
        Assert.Equal(whole[100..], await DownloadAsync(server, release.Name, 100));
        Assert.Empty(await DownloadAsync(server, release.Name, whole.Length));
        Failure past = await Failure.OfAsync(() => DownloadAsync(server, release.Name, whole.Length + 1));
        Assert.Equal(("OFFSET_PAST_END", StatusCode.OutOfRange), (past.Reason, past.Code));
        Assert.Equal($"{whole.Length}", past.Metadata["size"]);
    }

    [Fact]
    public async Task Health_serves_every_service_and_says_so_by_name()
    {
        await using TestServer server = await StartAsync();
        var health = new Health.HealthClient(server.Channel);
        foreach (string service in (string[])["", "privatekernels.v1.QueryService", "google.longrunning.Operations"])
            Assert.Equal(
                HealthCheckResponse.Types.ServingStatus.Serving,
                (await health.CheckAsync(new HealthCheckRequest { Service = service })).Status);
    }

    [Fact]
    public async Task The_server_tells_its_limits_its_engines_and_its_functions()
    {
        await using TestServer server = await StartAsync();
        GetServerInfoResponse told = await server.Queries.GetServerInfoAsync(new GetServerInfoRequest());
        Assert.Equal(16384u, told.Limits.MaxQueryPoints);
        Assert.Equal(V1.EngineKind.Simd, (V1.EngineKind)told.Engines[0].Kind);
        ListPairFunctionsResponse functions = await server.Queries.ListPairFunctionsAsync(new ListPairFunctionsRequest());
        Assert.Equal(Catalog.Functions.Select(static e => e.Name), functions.Functions.Select(static f => f.Name));
    }

    static async Task<byte[]> DownloadAsync(TestServer server, string name, long offset)
    {
        using AsyncServerStreamingCall<DownloadReleaseResponse> call =
            server.Releases.DownloadRelease(new DownloadReleaseRequest { Name = name, Offset = offset });
        List<byte> file = [];
        await foreach (DownloadReleaseResponse part in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(offset + file.Count, part.Offset);
            Assert.Equal(Crc32C.Compute(part.Data.Span), part.Crc32C);
            Assert.Equal(file.Count == 0, part.PostedAt is not null);
            file.AddRange(part.Data);
        }
        return [.. file];
    }

    internal static double[] ExactSums(float[] values, RepeatedField<float> queries)
    {
        PairFunction f = Catalog.Create("gaussian", 1, 0);
        var sums = new double[queries.Count / 4];
        for (int q = 0; q < sums.Length; q++)
            for (int x = 0; x < values.Length; x += 4)
                sums[q] += f.Evaluate(values.AsSpan(x, 4), [.. queries.Skip(4 * q).Take(4)]);
        return sums;
    }
}
