namespace PrivateKernels.Server;

/// <summary>Tells everything that waits that the server is going away.</summary>
sealed class Drain : IDisposable
{
    readonly CancellationTokenSource _source = new();

    internal CancellationToken Token => _source.Token;

    internal void Begin() => _source.Cancel();

    public void Dispose() => _source.Dispose();
}
