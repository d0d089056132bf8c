using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

public sealed class StreamGuardTests
{
    static readonly StreamLimits Limits = new(
        FirstFrame: TimeSpan.FromSeconds(5), Idle: TimeSpan.FromSeconds(30), BytesPerSecond: 1000,
        Duration: TimeSpan.FromHours(1), Bytes: 1_000_000, WriteTimeout: TimeSpan.FromSeconds(30));

    [Fact]
    public async Task Frames_above_the_rate_pass_and_frames_below_it_close_the_stream()
    {
        // 20 s between frames: 30 KB each are 1500 B/s, 10 KB each are 500 B/s.
        await ReadAsync(TimeSpan.FromSeconds(20), 30_000, frames: 20, TimeSpan.Zero);
        Refusal slow = await Assert.ThrowsAsync<Refusal>(() => ReadAsync(TimeSpan.FromSeconds(20), 10_000, frames: 20, TimeSpan.Zero));
        Assert.Equal("STREAM_TOO_SLOW", slow.Reason);
    }

    [Fact]
    public async Task Many_small_frames_take_no_memory_and_are_still_measured()
    {
        var clock = new HandClock();
        await using var guard = new StreamGuard<BytesValue>(
            new Frames(clock, TimeSpan.FromMilliseconds(1), 10, 100_000), Limits with { Bytes = long.MaxValue }, clock, static () => { },
            default, default);
        int most = 0;
        while (await guard.NextAsync() is not null) most = Math.Max(most, guard.Slices);
        Assert.InRange(most, 30, 65);
        // Ten bytes in 30 ms are a third of the rate.
        await Assert.ThrowsAsync<Refusal>(() => ReadAsync(TimeSpan.FromMilliseconds(30), 10, frames: 2_000, TimeSpan.Zero));
    }

    [Fact]
    public async Task Time_in_which_the_server_holds_back_does_not_count() =>
        await ReadAsync(TimeSpan.FromSeconds(1), 2_000, frames: 20, serverTime: TimeSpan.FromSeconds(60));

    [Fact]
    public async Task A_stream_may_live_only_so_long_and_hold_only_so_many_bytes()
    {
        Refusal old = await Assert.ThrowsAsync<Refusal>(() => ReadAsync(
            TimeSpan.FromSeconds(20), 30_000, frames: 500, TimeSpan.Zero, Limits with { Bytes = long.MaxValue }));
        Assert.Equal("STREAM_EXPIRED", old.Reason);
        Refusal large = await Assert.ThrowsAsync<Refusal>(() => ReadAsync(TimeSpan.FromSeconds(1), 30_000, frames: 50, TimeSpan.Zero));
        Assert.Equal("LIMIT_EXCEEDED", large.Reason);
    }

    [Fact]
    public async Task A_server_that_drains_ends_the_wait()
    {
        using var draining = new CancellationTokenSource();
        await using var guard = new StreamGuard<BytesValue>(
            new Silence(), Limits, TimeProvider.System, static () => { }, draining.Token, CancellationToken.None);
        Task<BytesValue?> next = guard.NextAsync();
        await draining.CancelAsync();
        Assert.Equal("SHUTTING_DOWN", (await Assert.ThrowsAsync<Refusal>(() => next)).Reason);
    }

    static async Task ReadAsync(TimeSpan between, int size, int frames, TimeSpan serverTime, StreamLimits? limits = null)
    {
        var clock = new HandClock();
        await using var guard = new StreamGuard<BytesValue>(
            new Frames(clock, between, size, frames), limits ?? Limits, clock, static () => { }, default, default);
        while (await guard.NextAsync() is not null) clock.Advance(serverTime);
    }

    /// <summary>Frames of one size that take their time on a clock turned by hand.</summary>
    sealed class Frames(HandClock clock, TimeSpan between, int size, int count) : IAsyncStreamReader<BytesValue>
    {
        int _sent;

        public BytesValue Current { get; } = new() { Value = Google.Protobuf.ByteString.CopyFrom(new byte[size]) };

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            // The first frame comes at once: it has a guard of its own.
            if (_sent > 0) clock.Advance(between);
            return Task.FromResult(_sent++ < count);
        }
    }

    sealed class Silence : IAsyncStreamReader<BytesValue>
    {
        public BytesValue Current => throw new InvalidOperationException();

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return false;
        }
    }
}
