namespace PrivateKernels.Server;

/// <summary>Lets so many query batches compute at once, and so many wait.</summary>
sealed class QueryGate(int concurrency, int queueLength) : IDisposable
{
    readonly SemaphoreSlim _turns = new(concurrency);
    int _inside;

    internal async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellation)
    {
        try
        {
            if (Interlocked.Increment(ref _inside) > concurrency + queueLength)
                throw new Refusal("OVERLOADED", $"{queueLength} query batches are waiting; retry in a moment.",
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
