using System.Collections.Concurrent;

namespace PrivateKernels;

/// <summary>
/// Long-lived threads that share out the items of a job. The caller always works on its own job, so it never waits for
/// the job of another caller: idle threads help whoever came first.
/// </summary>
sealed class Workers : IDisposable
{
    const long MostFloats = 1 << 26;

    readonly ConcurrentBag<AlignedFloats> _scratch = [];
    readonly Queue<Job> _jobs = [];
    readonly Thread[] _threads;
    bool _disposed;

    /// <param name="threads">Threads per job, the caller's included; at least 1.</param>
    public Workers(int threads)
    {
        _threads = new Thread[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Help) { IsBackground = true, Name = $"SIMD worker {i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads per job, the caller's included.</summary>
    public int Count => _threads.Length + 1;

    /// <summary>
    /// Runs <paramref name="body"/> for the items 0 .. <paramref name="items"/> - 1, each once, in any order and on any
    /// thread, and returns when all are done. The second argument is scratch memory for the item's use alone.
    /// </summary>
    public void Run(int items, Action<int, AlignedFloats> body)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var job = new Job(items, body, _scratch);
        int helpers = Math.Min(items, Count) - 1;
        if (helpers > 0)
            lock (_jobs)
            {
                for (int i = 0; i < helpers; i++) _jobs.Enqueue(job);
                Monitor.PulseAll(_jobs);
            }
        job.Work();
        job.Wait();
    }

    /// <summary>
    /// Chunks of records to prepare at a time where each makes <paramref name="items"/> items: four items per thread, but
    /// no more than 256 MiB of prepared floats.
    /// </summary>
    public int ChunksAtATime(int items, long chunkFloats) =>
        (int)Math.Clamp(4L * Count / items + 4, 1, Math.Max(1, MostFloats / chunkFloats));

    public AlignedFloats Rent() => _scratch.TryTake(out AlignedFloats? scratch) ? scratch : new AlignedFloats();

    public void Return(AlignedFloats scratch) => _scratch.Add(scratch);

    public void Dispose()
    {
        lock (_jobs)
        {
            _disposed = true;
            Monitor.PulseAll(_jobs);
        }
        foreach (Thread thread in _threads) thread.Join();
        while (_scratch.TryTake(out AlignedFloats? scratch)) scratch.Dispose();
    }

    void Help()
    {
        while (Next() is { } job) job.Work();
    }

    Job? Next()
    {
        lock (_jobs)
        {
            while (_jobs.Count == 0 && !_disposed) Monitor.Wait(_jobs);
            return _disposed ? null : _jobs.Dequeue();
        }
    }

    sealed class Job(int items, Action<int, AlignedFloats> body, ConcurrentBag<AlignedFloats> scratches)
    {
        readonly object _gate = new();
        int _next;
        int _done;
        Exception? _failure;

        public void Work()
        {
            int item = Interlocked.Increment(ref _next) - 1;
            if (item >= items) return;
            AlignedFloats scratch = scratches.TryTake(out AlignedFloats? idle) ? idle : new AlignedFloats();
            for (; item < items; item = Interlocked.Increment(ref _next) - 1)
            {
                try
                {
                    body(item, scratch);
                }
#pragma warning disable CA1031 // whatever an item throws belongs to the caller of Run, which is another thread
                catch (Exception e)
#pragma warning restore CA1031
                {
                    _failure ??= e;
                }
                if (Interlocked.Increment(ref _done) == items)
                    lock (_gate) Monitor.PulseAll(_gate);
            }
            scratches.Add(scratch);
        }

        public void Wait()
        {
            // Items are short: the last one is most often done within a few microseconds.
            var spin = default(SpinWait);
            while (Volatile.Read(ref _done) < items && !spin.NextSpinWillYield) spin.SpinOnce();
            lock (_gate)
                while (Volatile.Read(ref _done) < items) Monitor.Wait(_gate);
            if (_failure is { } failure) throw new AggregateException(failure);
        }
    }
}
