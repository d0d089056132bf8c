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
/// <remarks>
/// To be disposed before its call returns: a read that is still pending then would be left behind in a pipe that the web
/// server gives to a later call.
/// </remarks>
sealed class StreamGuard<T> : IAsyncDisposable
    where T : class, IMessage<T>
{
    static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    /// <summary>Frames are counted together until so much time was waited for them: many small ones take no memory.</summary>
    static readonly TimeSpan Slice = Window / 64;

    readonly IAsyncStreamReader<T> _frames;
    readonly StreamLimits _limits;
    readonly TimeProvider _clock;
    readonly CancellationToken _draining;
    readonly CancellationTokenSource _reading;
    readonly Action _reset;
    readonly long _opened;
    readonly Queue<(TimeSpan Waited, long Bytes)> _window = new();
    (TimeSpan Waited, long Bytes) _newest;
    Task _pending = Task.CompletedTask;
    TimeSpan _windowWaited;
    long _windowBytes, _bytes;
    bool _first = true;

    /// <param name="frames">The stream of the client.</param>
    /// <param name="limits">What it must keep to.</param>
    /// <param name="clock">What the limits are measured with.</param>
    /// <param name="reset">Breaks the connection's stream off: for a client that does not read.</param>
    /// <param name="draining">The server goes away.</param>
    /// <param name="cancellation">The call is over.</param>
    internal StreamGuard(
        IAsyncStreamReader<T> frames, StreamLimits limits, TimeProvider clock, Action reset, CancellationToken draining,
        CancellationToken cancellation)
    {
        (_frames, _limits, _clock, _reset, _draining) = (frames, limits, clock, reset, draining);
        _reading = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _opened = clock.GetTimestamp();
    }

    /// <summary>Slices of the window that are kept.</summary>
    internal int Slices => _window.Count;

    internal static StreamGuard<T> Of(IAsyncStreamReader<T> frames, StreamLimits limits, ServerCallContext context, Drain drain) =>
        new(frames, limits, TimeProvider.System, context.GetHttpContext().Abort, drain.Token, context.CancellationToken);

    /// <summary>
    /// The next frame, or null at the end of the stream. Throws the reason for which the stream must close.
    /// </summary>
    internal async Task<T?> NextAsync()
    {
        TimeSpan left = _limits.Duration - _clock.GetElapsedTime(_opened);
        TimeSpan idle = _first ? _limits.FirstFrame : _limits.Idle;
        TimeSpan patience = left < idle ? left : idle;
        if (patience <= TimeSpan.Zero) throw Expired();
        long began = _clock.GetTimestamp();
        Task<bool> next = _frames.MoveNext(_reading.Token);
        _pending = next;
        try
        {
            if (!await next.WaitAsync(patience, _clock, _draining)) return null;
        }
        catch (TimeoutException)
        {
            throw left < idle ? Expired() : Breach("STREAM_IDLE", "no frame came", _first ? "first frame" : "idle", idle);
        }
        catch (OperationCanceledException) when (_draining.IsCancellationRequested && !_reading.IsCancellationRequested)
        {
            throw Refusal.ShuttingDown();
        }
        T frame = _frames.Current;
        Count(_clock.GetElapsedTime(began), frame.CalculateSize());
        _first = false;
        return frame;
    }

    /// <summary>Writes one response; a client that does not read is cut off.</summary>
    internal async Task WriteAsync<TResponse>(IServerStreamWriter<TResponse> responses, TResponse response)
    {
        Task write = responses.WriteAsync(response);
        try
        {
            await write.WaitAsync(_limits.WriteTimeout, _clock);
        }
        catch (TimeoutException)
        {
            _reset();
            await write.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw Breach("STREAM_TOO_SLOW", "a response could not be written", "write", _limits.WriteTimeout);
        }
    }

    /// <summary>Ends a read that is still pending.</summary>
    public async ValueTask DisposeAsync()
    {
        await _reading.CancelAsync();
        await _pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _reading.Dispose();
    }

    void Count(TimeSpan waited, long bytes)
    {
        _bytes += bytes;
        if (_bytes > _limits.Bytes) throw Refusal.Limit("Limits:StreamBytes", _limits.Bytes, "bytes of one stream");
        if (_limits.BytesPerSecond == 0) return;
        _newest = (_newest.Waited + waited, _newest.Bytes + bytes);
        _windowWaited += waited;
        _windowBytes += bytes;
        if (_newest.Waited < Slice) return;
        _window.Enqueue(_newest);
        _newest = default;
        while (_windowWaited - _window.Peek().Waited >= Window)
        {
            (TimeSpan oldWaited, long oldBytes) = _window.Dequeue();
            _windowWaited -= oldWaited;
            _windowBytes -= oldBytes;
        }
        if (_windowWaited >= Window && _windowBytes < _limits.BytesPerSecond * _windowWaited.TotalSeconds)
            throw Breach("STREAM_TOO_SLOW", "frames came too slowly", "rate", Window);
    }

    Refusal Expired() => Breach("STREAM_EXPIRED", "the stream was open too long", "duration", _limits.Duration);

    static Refusal Breach(string reason, string what, string guard, TimeSpan limit)
    {
        string seconds = limit.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        return new(reason, $"{what} within {seconds} s; open a new stream and resume.", ("guard", guard), ("seconds", seconds));
    }
}
