namespace PrivateKernels.Server;

/// <summary>Lets so many query batches, or estimates, compute at once, and so many wait.</summary>
sealed class QueryGate(int concurrency, int queueLength) : IDisposable
{
    readonly SemaphoreSlim _turns = new(concurrency);
    int _inside;

    /// <summary>Callers that wait or compute.</summary>
    internal int Inside => Volatile.Read(ref _inside);

    /// <param name="work">What to compute.</param>
    /// <param name="cancellation">Gives up waiting.</param>
    /// <param name="waits">Wait however many do: for work that nobody waits for.</param>
    internal async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellation, bool waits = false)
    {
        try
        {
            if (Interlocked.Increment(ref _inside) > concurrency + queueLength && !waits)
                throw new Refusal("OVERLOADED", $"{queueLength} callers are waiting; retry in a moment.",
                    ("limit", "Query:QueueLength"));
            await _turns.WaitAsync(cancellation);
            try
            {
                return work();
            }
            finally
            {
                _turns.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }

    public void Dispose() => _turns.Dispose();
}
