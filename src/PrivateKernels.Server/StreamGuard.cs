using System.Globalization;
using Google.Protobuf;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>What a client stream must keep to. Rate 0 = not guarded.</summary>
sealed record StreamLimits(
    TimeSpan FirstFrame, TimeSpan Idle, int BytesPerSecond, TimeSpan Duration, long Bytes, TimeSpan WriteTimeout)
{
    internal static StreamLimits Ingest(LimitsOptions l) =>
        new(l.FirstFrame, l.StreamIdle, l.StreamRate, l.StreamDuration, l.StreamBytes, l.WriteTimeout);

    internal static StreamLimits Query(LimitsOptions l) =>
        new(l.FirstFrame, l.QueryStreamIdle, 0, l.StreamDuration, l.StreamBytes, l.WriteTimeout);
}

/// <summary>
/// Reads the frames of a client stream under limits: the server framework takes its own guards off client streams, so a
/// stalled one would stay open for ever. Only time spent waiting for the client counts against the client.
/// </summary>
sealed class StreamGuard<T>(IAsyncStreamReader<T> frames, StreamLimits limits, TimeProvider clock, CancellationToken draining)
    where T : class, IMessage<T>
{
    static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    readonly long _opened = clock.GetTimestamp();
    readonly Queue<(TimeSpan Waited, long Bytes)> _window = new();
    TimeSpan _windowWaited;
    long _windowBytes;
    long _bytes;
    bool _first = true;

    /// <summary>The next frame, or null at the end of the stream. Throws the reason for which the stream must close.</summary>
    internal async Task<T?> NextAsync(CancellationToken cancellation)
    {
        TimeSpan left = limits.Duration - clock.GetElapsedTime(_opened);
        TimeSpan idle = _first ? limits.FirstFrame : limits.Idle;
        TimeSpan patience = left < idle ? left : idle;
        if (patience <= TimeSpan.Zero) throw Expired();
        long began = clock.GetTimestamp();
        Task<bool> next = frames.MoveNext(cancellation);
        try
        {
            if (!await next.WaitAsync(patience, clock, draining)) return null;
        }
        catch (TimeoutException)
        {
            Abandon(next);
            throw left < idle ? Expired() : Breach("STREAM_IDLE", "no frame came", _first ? "first frame" : "idle", idle);
        }
        catch (OperationCanceledException) when (draining.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            Abandon(next);
            throw Refusal.ShuttingDown();
        }
        T frame = frames.Current;
        Count(clock.GetElapsedTime(began), frame.CalculateSize());
        _first = false;
        return frame;
    }

    /// <summary>Writes one response; a client that does not read is cut off.</summary>
    internal async Task WriteAsync<TResponse>(IServerStreamWriter<TResponse> responses, TResponse response)
    {
        try
        {
            await responses.WriteAsync(response).WaitAsync(limits.WriteTimeout, clock);
        }
        catch (TimeoutException)
        {
            throw Breach("STREAM_TOO_SLOW", "a response could not be written", "write", limits.WriteTimeout);
        }
    }

    void Count(TimeSpan waited, long bytes)
    {
        _bytes += bytes;
        if (_bytes > limits.Bytes) throw Refusal.Limit("Limits:StreamBytes", limits.Bytes, "bytes of one stream");
        if (limits.BytesPerSecond == 0) return;
        _window.Enqueue((waited, bytes));
        _windowWaited += waited;
        _windowBytes += bytes;
        while (_windowWaited - _window.Peek().Waited >= Window)
        {
            (TimeSpan oldWaited, long oldBytes) = _window.Dequeue();
            _windowWaited -= oldWaited;
            _windowBytes -= oldBytes;
        }
        if (_windowWaited >= Window && _windowBytes < limits.BytesPerSecond * _windowWaited.TotalSeconds)
            throw Breach("STREAM_TOO_SLOW", "frames came too slowly", "rate", Window);
    }

    Refusal Expired() => Breach("STREAM_EXPIRED", "the stream was open too long", "duration", limits.Duration);

    static Refusal Breach(string reason, string what, string guard, TimeSpan limit)
    {
        string seconds = limit.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        return new(reason, $"{what} within {seconds} s; open a new stream and resume.", ("guard", guard), ("seconds", seconds));
    }

    /// <summary>The read is still pending when the call ends and fails then; nobody is left to see it.</summary>
    static void Abandon(Task<bool> next) =>
        _ = next.ContinueWith(static t => _ = t.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
