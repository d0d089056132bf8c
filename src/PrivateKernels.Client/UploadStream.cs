using System.Runtime.InteropServices;
using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>How rows are sent.</summary>
public sealed record IngestOptions
{
    /// <summary>
    /// Names the upload. Sent again with the same rows from the beginning, it goes on where it stopped; rows never count twice.
    /// </summary>
    public Guid UploadId { get; init; } = Guid.NewGuid();

    /// <summary>
    /// Of a file: the column with the value of each row, by its name or by its number from 0; null = rows carry no values.
    /// </summary>
    public string? ValuesColumn { get; init; }

    /// <summary>Hears how far it is.</summary>
    public IProgress<IngestProgress>? Progress { get; init; }
}

/// <summary>How far an upload is.</summary>
/// <param name="Fraction">About how much of the rows has been sent, 0 to 1.</param>
/// <param name="Rows">Rows sent.</param>
public readonly record struct IngestProgress(double Fraction, long Rows);

/// <summary>
/// Sends rows as batches of a fixed number of rows, so that the same rows make the same batches whenever they are sent.
/// Batches are kept until the server says that they are durable; a broken stream is taken up where the server stands.
/// </summary>
sealed class UploadStream(PrivateKernelsClient client, string dataset, IRowReader rows, IngestOptions options)
    : IDisposable
{
    /// <summary>Bytes of frame and sequence around a batch, generously.</summary>
    const int FrameBytes = 256;

    readonly Queue<V1.IngestBatch> _unacknowledged = new();
    readonly SemaphoreSlim _room = new(0);
    RowBlock _block;
    ulong _made;
    ulong _acknowledged;
    long _rowsMade;
    bool _atEnd;

    public async Task<long> RunAsync(CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            ulong before = _acknowledged;
            try
            {
                return await SendAllAsync(cancellation);
            }
            catch (RpcException e)
            {
                if (_acknowledged > before) attempt = 1;
                try
                {
                    await client.Caller.PauseAsync(e, attempt, cancellation);
                }
                catch (PrivateKernelsException failure)
                {
                    // Batches before the refused one have been acknowledged, so it is known which one it was.
                    throw failure.WithRowsAfter((long)_acknowledged * _block.Rows);
                }
            }
        }
    }

    public void Dispose() => _room.Dispose();

    async Task<long> SendAllAsync(CancellationToken cancellation)
    {
        using AsyncDuplexStreamingCall<V1.IngestPointsRequest, V1.IngestPointsResponse> call =
            client.Datasets.IngestPoints(cancellationToken: cancellation);
        var start = new V1.IngestStart { Dataset = dataset, UploadId = options.UploadId.ToString("D") };
        V1.IngestStarted? started = null;
        await WriteAsync(call, new() { Start = start }, cancellation);
        if (await call.ResponseStream.MoveNext(cancellation)) started = call.ResponseStream.Current.Started;
        if (started is null) throw new RpcException(new(StatusCode.Unavailable, "the stream ended before it began"));
        PrepareBlock(started.MaxBatchBytes);
        Acknowledge(started.NextSequence - 1);
        while (_made < started.NextSequence - 1 && await MakeAsync(cancellation) is not null) _unacknowledged.Dequeue();
        if (started.Finished)
        {
            while (await MakeAsync(cancellation) is not null) _unacknowledged.Clear();
            return _rowsMade;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<long> replies = ReadRepliesAsync(call, stop);
        try
        {
            await SendBatchesAsync(call, started, stop.Token);
        }
        catch (Exception e)
        {
            // A write only notices that nobody listens; what the server said is in the replies.
            if (e is not (RpcException or OperationCanceledException)) await stop.CancelAsync();
            await ((Task)replies).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (e is RpcException or OperationCanceledException) await replies;
            throw;
        }
        return await replies;
    }

    async Task SendBatchesAsync(
        AsyncDuplexStreamingCall<V1.IngestPointsRequest, V1.IngestPointsResponse> call, V1.IngestStarted started,
        CancellationToken cancellation)
    {
        V1.IngestBatch[] again;
        lock (_unacknowledged) again = [.. _unacknowledged];
        foreach (V1.IngestBatch batch in again) await WriteAsync(call, new() { Batch = batch }, cancellation);
        Task write = Task.CompletedTask;
        // The next batch is made while the one before is on its way.
        while (await MakeAsync(cancellation) is { } batch)
        {
            await write;
            while (batch.Sequence - Volatile.Read(ref _acknowledged) > started.MaxUnacknowledged)
                await _room.WaitAsync(cancellation);
            write = WriteAsync(call, new() { Batch = batch }, cancellation);
            options.Progress?.Report(new(rows.Fraction, _rowsMade));
        }
        await write;
        var finish = new V1.IngestFinish { RowCount = (ulong)_rowsMade, BatchCount = _made };
        await WriteAsync(call, new() { Finish = finish }, cancellation);
        await call.RequestStream.CompleteAsync();
    }

    async Task<long> ReadRepliesAsync(
        AsyncDuplexStreamingCall<V1.IngestPointsRequest, V1.IngestPointsResponse> call, CancellationTokenSource stop)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(stop.Token))
            {
                V1.IngestPointsResponse reply = call.ResponseStream.Current;
                if (reply.Finished is { } finished) return (long)finished.RowCount;
                if (reply.Acknowledged is { } acknowledged) Acknowledge(acknowledged.Sequence);
            }
        }
        catch (RpcException)
        {
            // Whoever waits to send would wait for ever.
            await stop.CancelAsync();
            throw;
        }
        await stop.CancelAsync();
        throw new RpcException(new(StatusCode.Unavailable, "the stream ended early"));
    }

    void Acknowledge(ulong sequence)
    {
        lock (_unacknowledged)
            while (_unacknowledged.TryPeek(out V1.IngestBatch? first) && first.Sequence <= sequence)
                _unacknowledged.Dequeue();
        Volatile.Write(ref _acknowledged, sequence);
        _room.Release();
    }

    void PrepareBlock(uint maxBatchBytes)
    {
        if (_block.Rows > 0) return;
        long rowBytes = sizeof(float) * (rows.Dimension + (rows.HasValues ? 1L : 0)) + (rows.HasLabels ? 5 : 0);
        long bytes = Math.Min(client.Caller.Options.MessageBytes, maxBatchBytes - FrameBytes);
        _block = RowBlock.For(rows, (int)Math.Clamp(bytes / rowBytes, 1, 1 << 20));
    }

    /// <summary>The next batch of the rows, kept until it is acknowledged; null at the end.</summary>
    async Task<V1.IngestBatch?> MakeAsync(CancellationToken cancellation)
    {
        int count = _atEnd ? 0 : await rows.ReadAsync(_block, cancellation);
        _atEnd = count < _block.Rows;
        if (count == 0) return null;
        ReadOnlyMemory<float> values = _block.Values[..(count * rows.Dimension)];
        ReadOnlyMemory<uint> labels = rows.HasLabels ? _block.Labels[..count] : default;
        ReadOnlyMemory<float> rowValues = rows.HasValues ? _block.RowValues[..count] : default;
        uint crc = Crc32C.Compute(MemoryMarshal.AsBytes(values.Span));
        crc = Crc32C.Compute(MemoryMarshal.AsBytes(labels.Span), crc);
        crc = Crc32C.Compute(MemoryMarshal.AsBytes(rowValues.Span), crc);
        var batch = new V1.IngestBatch
        {
            Sequence = ++_made,
            Points = ClientWire.ToWire(new Points(values, rows.Dimension)),
            Crc32C = crc,
        };
        ClientWire.Fill(batch.Labels, labels.Span);
        ClientWire.Fill(batch.Values, rowValues.Span);
        _rowsMade += count;
        lock (_unacknowledged) _unacknowledged.Enqueue(batch);
        return batch;
    }

    static async Task WriteAsync(
        AsyncDuplexStreamingCall<V1.IngestPointsRequest, V1.IngestPointsResponse> call, V1.IngestPointsRequest frame,
        CancellationToken cancellation)
    {
        try
        {
            await call.RequestStream.WriteAsync(frame, cancellation);
        }
        catch (InvalidOperationException e)
        {
            throw new RpcException(new(StatusCode.Unavailable, "the stream is closed", e));
        }
    }
}
