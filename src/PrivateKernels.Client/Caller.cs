using System.Diagnostics;
using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>
/// Makes calls: deadline, retry of what may be retried, failures as <see cref="PrivateKernelsException"/>.
/// </summary>
sealed class Caller(ClientOptions options)
{
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    public ClientOptions Options { get; } = options;

    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> method, TRequest request, CancellationToken cancellation,
        TimeSpan? timeout = null)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                DateTime deadline = DateTime.UtcNow + (timeout ?? Options.CallTimeout);
                using AsyncUnaryCall<TResponse> call =
                    method(request, new(deadline: deadline, cancellationToken: cancellation));
                return await call.ResponseAsync;
            }
            catch (RpcException e)
            {
                await PauseAsync(e, attempt, cancellation);
            }
        }
    }

    /// <summary>Waits before the next attempt, or throws the failure if there is no point in one.</summary>
    public async Task PauseAsync(RpcException e, int attempt, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        PrivateKernelsException failure = PrivateKernelsException.From(e);
        if (attempt >= Options.Attempts || !failure.IsTransient) throw failure;
        TimeSpan pause = failure.RetryDelay ?? TimeSpan.FromSeconds(0.1 * Math.Pow(2, attempt - 1));
        // Clients that were refused together shall not come back together.
        double spread = 0.75 + 0.5 * (Stopwatch.GetTimestamp() % 1024 / 1024.0);
        await Task.Delay(pause < LongestPause ? pause * spread : LongestPause * spread, cancellation);
    }
}
