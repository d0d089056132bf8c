using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Vectors that are no vectors, or lie outside the domain, in every call that takes vectors.</summary>
public sealed class HostileTests
{
    const int Dimension = 4;

    static readonly float[] Values =
    [
        float.NaN, BitConverter.UInt32BitsToSingle(0x7f800001), float.PositiveInfinity, float.NegativeInfinity, 3e38f, -3e38f,
        float.MaxValue, float.MinValue, -1.1e12f, -0.0f, float.Epsilon, -1e-40f, 1.0000001f, -1e-7f, 2, 1e13f, 0, 1,
    ];

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hostile_row_is_refused_by_name_or_moved_onto_the_bound_and_never_counted_by_halves()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = o.Limits with { Uploads = 1000 } });
        (string Id, bool Clamp, bool Replace)[] datasets = [("refuse", false, false), ("clamp", true, false), ("replace", true, true)];
        int cases = 0;
        foreach ((string id, bool clamp, bool replace) in datasets)
        {
            await server.Datasets.CreateDatasetAsync(NewDataset(id, r =>
            {
                r.Dataset.MaxRecords = 100_000;
                r.Dataset.OutOfDomain = clamp ? OutOfDomainPolicy.Clamp : OutOfDomainPolicy.Refuse;
                r.Dataset.Adjacency = replace ? V1.Adjacency.ReplaceOne : V1.Adjacency.AddOrRemoveOne;
            }), cancellationToken: Now);
            long rows = 0;
            foreach (float value in Values)
                foreach (int place in (int[])[0, 5, 11])
                {
                    cases++;
                    float[] values = Pattern(3, Dimension);
                    values[place] = value;
                    string reason = await ReasonAsync(() => server.IngestAsync(id, values, Dimension));
                    Assert.Equal(Expected(value, clamp, replace), reason);
                    if (reason.Length == 0) rows += 3;
                    Dataset now = (await server.Datasets.GetDatasetAsync(
                        new GetDatasetRequest { Name = $"datasets/{id}" }, cancellationToken: Now)).Dataset;
                    Assert.Equal(rows, now.RecordCount);
                }
            await server.BuildAsync(NewRelease(id, "r", 0.3));
        }
        Assert.Equal(3 * 3 * Values.Length, cases);
    }

    [Fact]
    public async Task A_hostile_query_point_is_refused_by_name_or_has_a_finite_answer()
    {
        await using TestServer server = await StartAsync();
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r => r.Dataset.Classes.Add(["a", "b"])), cancellationToken: Now);
        await server.IngestAsync("people", Pattern(20, Dimension), Dimension, [.. Enumerable.Range(0, 20).Select(static i => (uint)i % 2)]);
        await server.BuildAsync(NewRelease("people", "gaussian", 0.3, static r => r.Spec.Sketch.PerClass = true));
        await server.BuildAsync(NewRelease("people", "l1", 0.3, static r =>
        {
            r.Spec.Sketch = new SketchSpec { Function = new V1.PairFunction { Name = "l1" }, PerClass = true };
        }));
        int cases = 0;
        foreach (string id in (string[])["gaussian", "l1"])
            foreach (float value in Values)
                foreach (int place in (int[])[0, 7])
                {
                    var points = new V1.Points { Dimension = Dimension, Values = { Pattern(2, Dimension) } };
                    points.Values[place] = value;
                    string release = $"datasets/people/releases/{id}";
                    string query = await ReasonAsync(async () => AssertFinite((await server.Queries.QueryAsync(
                        new QueryRequest { Release = release, Points = points }, cancellationToken: Now)).Answers.Values));
                    string classify = await ReasonAsync(async () => AssertFinite((await server.Queries.ClassifyAsync(
                        new ClassifyRequest { Release = release, Points = points, Score = V1.ClassScore.Sum, IncludeScores = true },
                        cancellationToken: Now)).Predictions.SelectMany(static p => p.Scores)));
                    string stream = await ReasonAsync(async () =>
                    {
                        using var call = server.Queries.StreamQuery(cancellationToken: Now);
                        await call.RequestStream.WriteAsync(new StreamQueryRequest { Release = release, Sequence = 1, Points = points }, Now);
                        await call.RequestStream.CompleteAsync();
                        await foreach (StreamQueryResponse reply in call.ResponseStream.ReadAllAsync(Now)) AssertFinite(reply.Answers.Values);
                    });
                    cases += 3;
                    Assert.Equal((query, query), (classify, stream));
                    bool finite = float.IsFinite(value) && Math.Abs(value) < MathF.Pow(2, 40);
                    Assert.Contains(query, finite ? ["", "OUT_OF_DOMAIN"] : (string[])["NON_FINITE_VALUE"]);
                }
        Assert.Equal(2 * 2 * 3 * Values.Length, cases);
    }

    [Fact]
    public async Task Shapes_that_do_not_fit_are_refused_by_name_before_anything_is_stored()
    {
        await using TestServer server = await StartAsync(static o => o with { Limits = o.Limits with { Uploads = 1000 } });
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r => r.Dataset.Classes.Add(["a", "b"])), cancellationToken: Now);
        await server.Datasets.CreateDatasetAsync(NewDataset("plain"), cancellationToken: Now);
        await server.IngestAsync("people", Pattern(8, Dimension), Dimension, new uint[8]);
        await server.BuildAsync(NewRelease("people", "r", 0.3));
        float[] four = Pattern(1, Dimension);
        foreach ((IngestPointsRequest[] frames, string reason) in ((IngestPointsRequest[], string)[])
            [
                ([Batch(1, four, 0, [0])], "DIMENSION_MISMATCH"), ([Batch(1, four, 5, [0])], "DIMENSION_MISMATCH"),
                ([Batch(1, four, int.MaxValue, [0])], "DIMENSION_MISMATCH"), ([Batch(1, four[..3], 4, [0])], "INVALID_FIELD"),
                ([Batch(1, four, 4)], "COLUMN_MISMATCH"), ([Batch(1, four, 4, [0, 0])], "COLUMN_MISMATCH"),
                ([Batch(1, four, 4, [2])], "LABEL_OUT_OF_RANGE"), ([Batch(1, four, 4, [uint.MaxValue])], "LABEL_OUT_OF_RANGE"),
                ([Batch(2, four, 4, [0])], "SEQUENCE_GAP"), ([Batch(ulong.MaxValue, four, 4, [0])], "SEQUENCE_GAP"),
                ([Finish(1UL << 31, 0)], "ROW_COUNT_MISMATCH"), ([Finish(ulong.MaxValue, ulong.MaxValue)], "ROW_COUNT_MISMATCH"),
                ([Batch(1, four, 4, [0]), Finish(2, 1)], "ROW_COUNT_MISMATCH"), ([Start("people", NewId())], "INVALID_FIELD"),
                ([new IngestPointsRequest()], "INVALID_FIELD"), ([new IngestPointsRequest { Batch = new() { Sequence = 1 } }], "INVALID_FIELD"),
            ])
        {
            string refused = await ReasonAsync(() => server.SendAsync([Start("people", NewId()), .. frames]));
            Assert.True(reason == refused, $"{frames[0]}: {refused}, not {reason}");
        }
        Assert.Equal("COLUMN_MISMATCH", await ReasonAsync(() => server.SendAsync(Start("plain", NewId()), Batch(1, four, 4, [0]))));
        IngestPointsRequest damaged = Batch(1, four, 4, [0]);
        damaged.Batch.Crc32C ^= 1;
        Assert.Equal("CHECKSUM_MISMATCH", await ReasonAsync(() => server.SendAsync(Start("people", NewId()), damaged)));
        Assert.Equal(8, (await server.Datasets.GetDatasetAsync(
            new GetDatasetRequest { Name = "datasets/people" }, cancellationToken: Now)).Dataset.RecordCount);
        foreach ((uint dimension, int values, string reason) in ((uint, int, string)[])
            [
                (0, 4, "INVALID_FIELD"), (3, 3, "DIMENSION_MISMATCH"), (4, 3, "COLUMN_MISMATCH"), (16385, 4, "INVALID_FIELD"),
                (uint.MaxValue, 4, "INVALID_FIELD"), (4, 0, ""),
            ])
        {
            var request = new QueryRequest
            {
                Release = "datasets/people/releases/r",
                Points = new V1.Points { Dimension = dimension, Values = { new float[values] } },
            };
            string refused = await ReasonAsync(() => server.Queries.QueryAsync(request, cancellationToken: Now).ResponseAsync);
            Assert.True(refused == reason || (refused == "INVALID_FIELD" && reason == "COLUMN_MISMATCH"), $"{dimension} x {values}: {refused}");
        }
    }

    [Fact]
    public async Task Bombs_and_doubled_fields_are_read_for_what_they_are()
    {
        await using TestServer server = await StartAsync();
        using var raw = new RawCall(server.Host.Address);
        const string Method = "/privatekernels.v1.QueryService/Query";
        // A compressed message is not unpacked, however small it is.
        (int Code, string Message, byte[] Details) packed = await raw.SendAsync(Method, [Compressed(100 << 20)], Now, compressed: 1, "gzip");
        Assert.True(packed.Code == 12, $"{packed}");
        Assert.Equal(3, (await raw.SendAsync(Method, [Compressed(10 << 20)], Now, compressed: 1)).Code);
        Assert.Equal(3, (await raw.SendAsync("/privatekernels.v1.QueryService/StreamQuery", [Compressed(10 << 20)], Now, compressed: 1)).Code);
        // A packed field that claims 2^31 bytes; groups and lists that nest beyond every limit.
        byte[] claims = [0x12, 0x80, 0x80, 0x80, 0x80, 0x08];
        byte[] nested = [.. Enumerable.Repeat((byte)0x0b, 5000)];
        foreach (byte[] bytes in (byte[][])[claims, nested]) Assert.Equal(3, (await raw.SendAsync(Method, [bytes], Now)).Code);
        // The last of two values counts, as the format says.
        byte[] twice = [
            .. new GetDatasetRequest { Name = "datasets/one" }.ToByteArray(), .. new GetDatasetRequest { Name = "datasets/two" }.ToByteArray()];
        (int code, string message, _) = await raw.SendAsync("/privatekernels.v1.DatasetService/GetDataset", [twice], Now);
        Assert.Equal(5, code);
        Assert.DoesNotContain("one", message, StringComparison.Ordinal);
        await server.Queries.GetServerInfoAsync(new GetServerInfoRequest(), cancellationToken: Now);
    }

    /// <summary>The reason of the refusal, or "" if there was none.</summary>
    static async Task<string> ReasonAsync(Func<Task> call)
    {
        try
        {
            await call();
            return "";
        }
        catch (RpcException e)
        {
            return e.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason ?? $"{e.Status}";
        }
    }

    /// <summary>What a row of the unit box with this value in it comes to.</summary>
    static string Expected(float value, bool clamp, bool replace)
    {
        bool finite = float.IsFinite(value) && Math.Abs(value) <= MathF.Pow(2, 40);
        if (!finite) return replace || (clamp && float.IsFinite(value)) ? "" : "NON_FINITE_VALUE";
        return clamp || value is >= 0 and <= 1 ? "" : "OUT_OF_DOMAIN";
    }

    static void AssertFinite(IEnumerable<double> values) => Assert.All(values, static v => Assert.True(double.IsFinite(v)));

    static byte[] Compressed(int zeros)
    {
        using var memory = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(memory, System.IO.Compression.CompressionLevel.SmallestSize))
            gzip.Write(new byte[zeros]);
        return memory.ToArray();
    }
}
