using System.Diagnostics;
using Grpc.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// One ingest stream: start, then batches, then finish. Batches are appended as they come and acknowledged once they
/// are durable, many at a time.
/// </summary>
sealed class IngestSession(
    DatasetStore datasets, OpenAccumulators accumulators, LimitsOptions limits, StreamGuard<V1.IngestPointsRequest> frames,
    IServerStreamWriter<V1.IngestPointsResponse> responses)
{
    /// <summary>Batches that a client may send beyond the last acknowledged one.</summary>
    internal const int MaxUnacknowledged = 256;
    static readonly TimeSpan StoredDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>In one pass an acknowledgement costs a checkpoint of all cells.</summary>
    static readonly TimeSpan OnePassDelay = TimeSpan.FromSeconds(1);

    TimeSpan _flushDelay = StoredDelay;
    ulong _appended;
    ulong _acknowledged;
    long _firstUnflushed;

    internal static string CheckedUploadId(string id, string field) =>
        Guid.TryParseExact(id, "D", out Guid uuid) ? uuid.ToString("D") : throw Refusal.Field(field, "must be a UUID");

    internal async Task RunAsync(CancellationToken cancellation)
    {
        V1.IngestStart start = (await frames.NextAsync())?.Start
            ?? throw Refusal.Field("start", "must be the first frame, once");
        string dataset = Names.Dataset(start.Dataset, "start.dataset");
        using Upload upload = await datasets.OpenUploadAsync(
            dataset, CheckedUploadId(start.UploadId, "start.upload_id"), accumulators);
        if (upload.Dataset.Definition.IsOnePass) _flushDelay = OnePassDelay;
        _appended = _acknowledged = upload.NextSequence - 1;
        await frames.WriteAsync(responses, new V1.IngestPointsResponse
        {
            Started = new V1.IngestStarted
            {
                NextSequence = upload.NextSequence,
                MaxBatchBytes = (uint)limits.BatchBytes,
                MaxUnacknowledged = MaxUnacknowledged,
                Finished = upload.Finished,
            },
        });
        try
        {
            await ReceiveAsync(upload, cancellation);
        }
        catch (Exception failure) when (failure is Refusal or StorageException { Reason: not Storage.Reasons.UploadTakenOver })
        {
            // What was good before the refusal stays, and the client hears how far that is.
            await AcknowledgeAsync(upload);
            throw;
        }
    }

    async Task ReceiveAsync(Upload upload, CancellationToken cancellation)
    {
        Task<V1.IngestPointsRequest?> next = frames.NextAsync();
        while (true)
        {
            if (_appended > _acknowledged && !next.IsCompleted) await WaitOrAcknowledgeAsync(next, upload, cancellation);
            V1.IngestPointsRequest? frame = await next;
            switch (frame?.FrameCase)
            {
                case null:
                    // The client went away or half-closed without finish: keep what came, so that it can resume.
                    await AcknowledgeAsync(upload);
                    return;
                case V1.IngestPointsRequest.FrameOneofCase.Batch:
                    next = frames.NextAsync();
                    await AppendAsync(upload, frame.Batch);
                    break;
                case V1.IngestPointsRequest.FrameOneofCase.Finish:
                    await AcknowledgeAsync(upload);
                    long rows = await upload.FinishAsync(Checked(frame.Finish.RowCount), Checked(frame.Finish.BatchCount));
                    var finished = new V1.IngestFinished { RowCount = (ulong)rows };
                    await frames.WriteAsync(responses, new V1.IngestPointsResponse { Finished = finished });
                    return;
                default:
                    throw Refusal.Field("frame", "must be a batch or finish after start");
            }
        }
    }

    async Task AppendAsync(Upload upload, V1.IngestBatch batch)
    {
        int size = batch.CalculateSize();
        if (size > limits.BatchBytes) throw Refusal.TooLarge(limits.BatchBytes);
        V1.Points points = batch.Points ?? throw Refusal.Field("batch.points", "must be set");
        upload.Append(new IngestBatch(
            batch.Sequence, points.Dimension <= int.MaxValue ? (int)points.Dimension : int.MaxValue,
            FieldMemory<float>.Of(points.Values), FieldMemory<uint>.Of(batch.Labels), FieldMemory<float>.Of(batch.Values),
            batch.Crc32C));
        if (_appended == _acknowledged) _firstUnflushed = Stopwatch.GetTimestamp();
        _appended = Math.Max(_appended, batch.Sequence);
        if (upload.WantsFlush || _appended - _acknowledged >= MaxUnacknowledged
            || Stopwatch.GetElapsedTime(_firstUnflushed) >= _flushDelay)
            await AcknowledgeAsync(upload);
    }

    /// <summary>Waits for a frame, but not longer than a client should wait for its acknowledgement.</summary>
    async Task WaitOrAcknowledgeAsync(Task next, Upload upload, CancellationToken cancellation)
    {
        TimeSpan left = _flushDelay - Stopwatch.GetElapsedTime(_firstUnflushed);
        if (left > TimeSpan.Zero) await Task.WhenAny(next, Task.Delay(left, cancellation));
        if (!next.IsCompleted) await AcknowledgeAsync(upload);
    }

    async Task AcknowledgeAsync(Upload upload)
    {
        if (_appended <= _acknowledged) return;
        _acknowledged = upload.Flush();
        _appended = Math.Max(_appended, _acknowledged);
        await frames.WriteAsync(responses, new V1.IngestPointsResponse
        {
            Acknowledged = new V1.IngestAcknowledged { Sequence = _acknowledged },
        });
    }

    static long Checked(ulong count) => count <= long.MaxValue ? (long)count : long.MaxValue;
}
