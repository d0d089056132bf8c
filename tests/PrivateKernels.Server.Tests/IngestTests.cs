using Grpc.Core;
using Google.Rpc;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class IngestTests : IAsyncLifetime
{
    TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await StartAsync(static o => o with
    {
        Limits = o.Limits with
        {
            Uploads = 2,
            BatchBytes = 64 << 10,
            StreamIdle = TimeSpan.FromMilliseconds(300),
            FirstFrame = TimeSpan.FromMilliseconds(300),
        },
    });

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Batches_are_acknowledged_and_rows_count_only_once_finish_is_answered()
    {
        await CreateAsync("a");
        string upload = NewId();
        float[] values = Pattern(10, 4);
        List<IngestPointsResponse> replies = await _server.SendAsync(
            Start("a", upload), Batch(1, values, 4), Batch(2, values, 4));
        Assert.Equal(1u, replies[0].Started.NextSequence);
        Assert.Equal(2u, replies[^1].Acknowledged.Sequence);
        Assert.Equal(0, await RecordsAsync("a"));
        GetUploadResponse status = await _server.Datasets.GetUploadAsync(
            new GetUploadRequest { Dataset = "datasets/a", UploadId = upload });
        Assert.Equal((3u, false), ((uint)status.NextSequence, status.Finished));

        replies = await _server.SendAsync(Start("a", upload), Batch(2, values, 4), Batch(3, values, 4), Finish(30, 3));
        Assert.Equal(3u, replies[0].Started.NextSequence);
        Assert.Equal(30u, replies[^1].Finished.RowCount);
        Assert.Equal(30, await RecordsAsync("a"));

        replies = await _server.SendAsync(Start("a", upload), Finish(30, 3));
        Assert.True(replies[0].Started.Finished);
        Assert.Equal(30u, replies[^1].Finished.RowCount);
        Assert.Equal(30, await RecordsAsync("a"));
    }

    [Fact]
    public async Task A_bad_row_is_named_and_what_came_before_it_is_kept()
    {
        await CreateAsync("b");
        string upload = NewId();
        float[] good = Pattern(3, 4);
        foreach ((float value, string reason, string bound) in
            ((float, string, string)[])[(float.NaN, "NON_FINITE_VALUE", ""), (float.NegativeInfinity, "NON_FINITE_VALUE", ""),
                (3e38f, "NON_FINITE_VALUE", ""), (-0.25f, "OUT_OF_DOMAIN", "lower"), (1.5f, "OUT_OF_DOMAIN", "upper")])
        {
            float[] bad = [.. good];
            bad[2 * 4 + 1] = value;
            Failure refused = await Failure.OfAsync(() => _server.SendAsync(
                Start("b", upload), Batch(1, good, 4), Batch(2, bad, 4), Finish(6, 2)));
            Assert.Equal((reason, StatusCode.InvalidArgument), (refused.Reason, refused.Code));
            Assert.Equal(("2", "1"), (refused.Metadata["row"], refused.Metadata["column"]));
            if (bound.Length > 0) Assert.Equal(bound, refused.Metadata["bound"]);
            Assert.NotEmpty(refused.Detail<BadRequest>().FieldViolations);
            Assert.DoesNotContain("0.25", refused.Status.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("1.5", refused.Status.ToString(), StringComparison.Ordinal);
        }
        GetUploadResponse status = await _server.Datasets.GetUploadAsync(
            new GetUploadRequest { Dataset = "datasets/b", UploadId = upload });
        Assert.Equal(2u, (uint)status.NextSequence);
    }

    [Fact]
    public async Task A_refused_stream_leaves_nothing_behind_for_the_next_call_on_the_connection()
    {
        await CreateAsync("r");
        string upload = NewId();
        for (int i = 0; i < 100; i++)
        {
            Failure refused = await Failure.OfAsync(() => _server.SendAsync(
                Start("r", upload), Batch(1, [2, 2, 2, 2], 4), Batch(2, [2, 2, 2, 2], 4)));
            Assert.Equal("OUT_OF_DOMAIN", refused.Reason);
            Assert.Equal(0, await RecordsAsync("r"));
        }
    }

    [Fact]
    public async Task A_dataset_that_clamps_takes_vectors_from_outside()
    {
        await CreateAsync("c", static r =>
        {
            r.Dataset.OutOfDomain = OutOfDomainPolicy.Clamp;
            r.Dataset.Adjacency = V1.Adjacency.ReplaceOne;
        });
        await _server.IngestAsync("c", [5, -5, 0, 0, float.NaN, 0, 0, 0], 4);
        Assert.Equal(2, await RecordsAsync("c"));
    }

    [Theory]
    [InlineData("dimension", "DIMENSION_MISMATCH", StatusCode.InvalidArgument)]
    [InlineData("ragged", "INVALID_FIELD", StatusCode.InvalidArgument)]
    [InlineData("no points", "INVALID_FIELD", StatusCode.InvalidArgument)]
    [InlineData("checksum", "CHECKSUM_MISMATCH", StatusCode.InvalidArgument)]
    [InlineData("label", "LABEL_OUT_OF_RANGE", StatusCode.InvalidArgument)]
    [InlineData("labels missing", "COLUMN_MISMATCH", StatusCode.InvalidArgument)]
    [InlineData("values", "COLUMN_MISMATCH", StatusCode.InvalidArgument)]
    [InlineData("gap", "SEQUENCE_GAP", StatusCode.OutOfRange)]
    [InlineData("conflict", "SEQUENCE_CONFLICT", StatusCode.Aborted)]
    [InlineData("rows", "ROW_COUNT_MISMATCH", StatusCode.InvalidArgument)]
    [InlineData("start twice", "INVALID_FIELD", StatusCode.InvalidArgument)]
    [InlineData("too large", "MESSAGE_TOO_LARGE", StatusCode.ResourceExhausted)]
    [InlineData("too many", "LIMIT_EXCEEDED", StatusCode.ResourceExhausted)]
    [InlineData("bad upload id", "INVALID_FIELD", StatusCode.InvalidArgument)]
    [InlineData("no dataset", "RESOURCE_NOT_FOUND", StatusCode.NotFound)]
    public async Task A_wrong_frame_is_refused_by_reason(string what, string reason, StatusCode code)
    {
        string id = "w" + what.Replace(' ', '-');
        await CreateAsync(id, static r => r.Dataset.Classes.Add(["x", "y"]));
        float[] values = Pattern(2, 4);
        uint[] labels = [0, 1];
        IngestPointsRequest good = Batch(1, values, 4, labels), other = Batch(1, Pattern(4, 4)[8..], 4, labels);
        IngestPointsRequest wrongChecksum = good.Clone(), column = good.Clone(), ragged = good.Clone();
        wrongChecksum.Batch.Crc32C++;
        column.Batch.Values.Add([1, 2]);
        ragged.Batch.Points.Values.RemoveAt(7);
        IngestPointsRequest start = Start(id, NewId());
        IngestPointsRequest[] frames = what switch
        {
            "dimension" => [start, Batch(1, values, 2, [0, 1, 0, 1])],
            "ragged" => [start, ragged],
            "no points" => [start, new() { Batch = new IngestBatch { Sequence = 1 } }],
            "checksum" => [start, wrongChecksum],
            "label" => [start, Batch(1, values, 4, [0, 2])],
            "labels missing" => [start, Batch(1, values, 4)],
            "values" => [start, column],
            "gap" => [start, Batch(2, values, 4, labels)],
            "conflict" => [start, good, other],
            "rows" => [start, good, Finish(3, 1)],
            "start twice" => [start, start],
            "too large" => [start, Batch(1, new float[20_000], 4, new uint[5000])],
            "too many" => [start, Batch(1, new float[4 * 1001], 4, new uint[1001]), Finish(1001, 1)],
            "bad upload id" => [Start(id, "x")],
            _ => [Start("nobody", NewId())],
        };
        string before = await _server.LedgerAsync(id);
        Failure refused = await Failure.OfAsync(() => _server.SendAsync(frames));
        Assert.Equal((reason, code), (refused.Reason, refused.Code));
        Assert.Equal(before, await _server.LedgerAsync(id));
        Assert.Equal(0, await RecordsAsync(id));
    }

    [Fact]
    public async Task A_second_stream_takes_the_upload_over()
    {
        await CreateAsync("t");
        string upload = NewId();
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> first = _server.Datasets.IngestPoints();
        await first.RequestStream.WriteAsync(Start("t", upload));
        Assert.True(await first.ResponseStream.MoveNext(CancellationToken.None));
        await _server.SendAsync(Start("t", upload), Batch(1, Pattern(1, 4), 4), Finish(1, 1));
        await first.RequestStream.WriteAsync(Batch(1, Pattern(1, 4), 4));
        Failure lost = await Failure.OfAsync(async () => { while (await first.ResponseStream.MoveNext(CancellationToken.None)) { } });
        Assert.Equal(("UPLOAD_TAKEN_OVER", StatusCode.Aborted), (lost.Reason, lost.Code));
    }

    [Fact]
    public async Task A_stalled_stream_is_closed_with_its_reason_after_its_last_acknowledgement()
    {
        await CreateAsync("s");
        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = _server.Datasets.IngestPoints();
        await call.RequestStream.WriteAsync(Start("s", NewId()));
        await call.RequestStream.WriteAsync(Batch(1, Pattern(1, 4), 4));
        ulong acknowledged = 0;
        Failure closed = await Failure.OfAsync(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
                acknowledged = call.ResponseStream.Current.Acknowledged?.Sequence ?? acknowledged;
        });
        Assert.Equal(("STREAM_IDLE", StatusCode.DeadlineExceeded), (closed.Reason, closed.Code));
        Assert.Equal(1u, acknowledged);

        using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> silent = _server.Datasets.IngestPoints();
        Failure first = await Failure.OfAsync(() => silent.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(("STREAM_IDLE", "first frame"), (first.Reason, first.Metadata["guard"]));
    }

    [Fact]
    public async Task An_aborted_upload_is_gone_and_open_uploads_are_limited()
    {
        await CreateAsync("u");
        string[] uploads = [NewId(), NewId()];
        foreach (string upload in uploads) await _server.SendAsync(Start("u", upload), Batch(1, Pattern(1, 4), 4));
        Failure third = await Failure.OfAsync(() => _server.SendAsync(Start("u", NewId()), Batch(1, Pattern(1, 4), 4)));
        Assert.Equal("LIMIT_EXCEEDED", third.Reason);
        var abort = new AbortUploadRequest { Dataset = "datasets/u", UploadId = uploads[0] };
        await _server.Datasets.AbortUploadAsync(abort);
        Failure gone = await Failure.OfAsync(_server.Datasets.GetUploadAsync(
            new GetUploadRequest { Dataset = "datasets/u", UploadId = uploads[0] }));
        Assert.Equal("RESOURCE_NOT_FOUND", gone.Reason);
        await _server.SendAsync(Start("u", uploads[1]), Finish(1, 1));
        Failure finished = await Failure.OfAsync(_server.Datasets.AbortUploadAsync(
            new AbortUploadRequest { Dataset = "datasets/u", UploadId = uploads[1] }));
        Assert.Equal(("UPLOAD_FINISHED", StatusCode.FailedPrecondition), (finished.Reason, finished.Code));
    }

    async Task CreateAsync(string id, Action<CreateDatasetRequest>? change = null) =>
        await _server.Datasets.CreateDatasetAsync(NewDataset(id, change));

    async Task<long> RecordsAsync(string id) =>
        (await _server.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = $"datasets/{id}" })).Dataset.RecordCount;
}
