using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>One classification job on its way through <see cref="JobQueue"/>.</summary>
sealed class JobRun(JobRow job, long rows) : IDisposable
{
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _cancelled = new();
    long _done;
    int _taken;

    internal JobRow Job { get; } = job;

    /// <summary>Rows classified so far. They are public, so this may be exact.</summary>
    internal long Done => Volatile.Read(ref _done);

    internal uint Percent => rows == 0 ? 0 : (uint)(100 * Done / rows);

    internal bool IsRunning { get; set; }

    /// <summary>Completes when the job has ended, or the server stops with the job still queued.</summary>
    internal Task Ended => _ended.Task;

    internal CancellationToken Cancelled => _cancelled.Token;

    /// <summary>True for the first caller: whoever takes a job ends it.</summary>
    internal bool Take() => Interlocked.Exchange(ref _taken, 1) == 0;

    internal void Add(long count) => Interlocked.Add(ref _done, count);

    internal void Cancel() => _cancelled.Cancel();

    internal void End() => _ended.TrySetResult();

    public void Dispose() => _cancelled.Dispose();
}
