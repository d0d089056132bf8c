namespace PrivateKernels.Server;

/// <summary>Tells everything that waits that the server is going away.</summary>
sealed class Drain : IDisposable
{
    readonly CancellationTokenSource _source = new();

    /// <summary>Health says so from here on, while calls are still answered.</summary>
    internal bool IsAnnounced { get; private set; }

    internal CancellationToken Token => _source.Token;

    internal void Announce() => IsAnnounced = true;

    internal void Begin()
    {
        Announce();
        _source.Cancel();
    }

    public void Dispose() => _source.Dispose();
}
