using System.Runtime.ExceptionServices;

namespace PrivateKernels.Server;

/// <summary>
/// The device's engine for queries: callers that wait for the device at the same time, with the same map and weights,
/// are answered in one run. Nobody waits for company, and few points go to the processor. Both have the same bits, so
/// who shares a run with whom cannot be seen in an answer.
/// </summary>
/// <remarks>
/// The caller that finds nobody at work takes everything queued, runs it, and goes on until the queue is empty or its
/// own points are done; the others wait. A caller whose call has ended leaves the queue and is never run. The length of the
/// queue is <see cref="QueryGate"/>'s business.
/// </remarks>
sealed class QueryBatcher(IEngine device, IEngine simd, int mostPoints, int simdBelowPoints) : ForwardingEngine(device)
{
    readonly object _lock = new();      // not a Lock: callers wait on it
    readonly LinkedList<Call> _queue = new();
    bool _busy;

    /// <summary>Callers that wait for a run to take them.</summary>
    internal int Waiting
    {
        get
        {
            lock (_lock) return _queue.Count;
        }
    }

    /// <summary>The engine for one call, which stops waiting when the call ends.</summary>
    internal IEngine For(CancellationToken cancellation) => new Caller(this, cancellation);

    public override void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums) =>
        Project(new(map, queries, weights.ToArray(), columns, sums.Length, CancellationToken.None), sums);

    public override void MultiplyRows(FourierMap map, Points points, Span<float> products) =>
        EngineFor(points.Count).MultiplyRows(map, points, products);

    public override void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features) =>
        EngineFor(queries.Count).LandmarkFeatures(map, queries, features);

    void Project(Call call, Span<double> sums)
    {
        using CancellationTokenRegistration wake = call.Cancellation.UnsafeRegister(
            static batcher => ((QueryBatcher)batcher!).WakeAll(), this);
        Monitor.Enter(_lock);
        try
        {
            _queue.AddLast(call);
            while (!call.IsDone)
            {
                if (call.Cancellation.IsCancellationRequested && _queue.Remove(call))
                    throw new OperationCanceledException(call.Cancellation);
                if (_busy)
                {
                    Monitor.Wait(_lock);
                    continue;
                }
                List<Call> batch = TakeBatch();
                if (batch.Count == 0) continue;
                _busy = true;
                Monitor.Exit(_lock);
                Exception? failure = Answer(batch);
                Monitor.Enter(_lock);
                _busy = false;
                foreach (Call answered in batch) answered.End(failure);
                Monitor.PulseAll(_lock);
            }
        }
        finally
        {
            Monitor.Exit(_lock);
        }
        call.CopyTo(sums);
    }

    void WakeAll()
    {
        lock (_lock) Monitor.PulseAll(_lock);
    }

    IEngine EngineFor(int points) => points < simdBelowPoints ? simd : Inner;

    /// <summary>The oldest call and those like it, up to the limit; calls that have ended stay behind.</summary>
    List<Call> TakeBatch()
    {
        var batch = new List<Call>();
        int points = 0;
        for (LinkedListNode<Call>? node = _queue.First, next; node is not null; node = next)
        {
            next = node.Next;
            if (node.Value.Cancellation.IsCancellationRequested) continue;
            bool fits = batch.Count == 0
                || (points + node.Value.Queries.Count <= mostPoints && node.Value.IsLike(batch[0]));
            if (!fits) continue;
            points += node.Value.Queries.Count;
            batch.Add(node.Value);
            _queue.Remove(node);
        }
        return batch;
    }

    /// <summary>Runs a batch; what it threw is every caller's.</summary>
    Exception? Answer(List<Call> batch)
    {
        try
        {
            Run(batch);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    void Run(List<Call> batch)
    {
        Call first = batch[0];
        int dimension = first.Queries.Dimension, count = batch.Sum(static call => call.Queries.Count);
        IEngine engine = EngineFor(count);
        if (batch.Count == 1)
        {
            engine.ProjectFourier(first.Map, first.Queries, first.Weights, first.Columns, first.Sums);
            return;
        }
        var values = new float[count * dimension];
        int at = 0;
        foreach (Call call in batch)
        {
            call.Queries.Values.Span.CopyTo(values.AsSpan(at));
            at += call.Queries.Values.Length;
        }
        var sums = new double[count * first.Columns * first.Map.Groups];
        engine.ProjectFourier(first.Map, new Points(values, dimension), first.Weights, first.Columns, sums);
        at = 0;
        foreach (Call call in batch)
        {
            sums.AsSpan(at, call.Sums.Length).CopyTo(call.Sums);
            at += call.Sums.Length;
        }
    }

    /// <summary>A caller and what it wants.</summary>
    sealed class Call(
        FourierMap map, Points queries, double[] weights, int columns, int sums, CancellationToken cancellation)
    {
        Exception? _failure;

        public FourierMap Map => map;

        public Points Queries => queries;

        public double[] Weights => weights;

        public int Columns => columns;

        public CancellationToken Cancellation => cancellation;

        public double[] Sums { get; } = new double[sums];

        public bool IsDone { get; private set; }

        public bool IsLike(Call other) =>
            ReferenceEquals(map, other.Map) && columns == other.Columns
                && weights.AsSpan().SequenceEqual(other.Weights);

        public void End(Exception? failure) => (_failure, IsDone) = (failure, true);

        public void CopyTo(Span<double> target)
        {
            if (_failure is not null) ExceptionDispatchInfo.Throw(_failure);
            Sums.CopyTo(target);
        }
    }

    /// <summary>The batcher as one call sees it.</summary>
    sealed class Caller(QueryBatcher batcher, CancellationToken cancellation) : ForwardingEngine(batcher)
    {
        public override void ProjectFourier(
            FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums) =>
            batcher.Project(new(map, queries, weights.ToArray(), columns, sums.Length, cancellation), sums);
    }
}
