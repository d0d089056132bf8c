namespace PrivateKernels.Server;

/// <summary>Counts open streams: so many for one caller, so many in all.</summary>
sealed class StreamSlots(int perCaller, int total)
{
    readonly Dictionary<string, int> _open = [];
    int _total;

    internal int Open
    {
        get
        {
            lock (_open) return _total;
        }
    }

    /// <summary>Takes a slot until disposed; throws TOO_MANY_STREAMS.</summary>
    internal IDisposable Take(string caller)
    {
        lock (_open)
        {
            int open = _open.GetValueOrDefault(caller);
            if (open >= perCaller || _total >= total)
                throw new Refusal("TOO_MANY_STREAMS", open >= perCaller
                        ? $"a caller may hold {perCaller} streams open; close one."
                        : $"{total} streams are open; retry in a moment.",
                    ("limit", open >= perCaller ? "Limits:StreamsPerKey" : "Limits:Streams"));
            _open[caller] = open + 1;
            _total++;
        }
        return new Slot(this, caller);
    }

    void Return(string caller)
    {
        lock (_open)
        {
            _total--;
            if (--_open[caller] == 0) _open.Remove(caller);
        }
    }

    sealed class Slot(StreamSlots owner, string caller) : IDisposable
    {
        StreamSlots? _owner = owner;

        public void Dispose() => Interlocked.Exchange(ref _owner, null)?.Return(caller);
    }
}
