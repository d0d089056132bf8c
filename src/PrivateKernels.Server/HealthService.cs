using Grpc.Core;
using Grpc.Health.V1;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace PrivateKernels.Server;

/// <summary>
/// The standard health service: every service of this server serves while <see cref="Readiness"/> holds. A watch ends
/// when streams are closed, so that it does not hold up the end of the server.
/// </summary>
sealed class HealthService(Readiness readiness, Drain drain) : Health.HealthBase
{
    static readonly TimeSpan Look = TimeSpan.FromSeconds(0.25);

    static readonly string[] Services =
    [
        "", V1.DatasetService.Descriptor.FullName, V1.ReleaseService.Descriptor.FullName, V1.QueryService.Descriptor.FullName,
        Google.LongRunning.Operations.Descriptor.FullName,
    ];

    ServingStatus Status => readiness.IsReady ? ServingStatus.Serving : ServingStatus.NotServing;

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        Services.Contains(request.Service)
            ? Task.FromResult(new HealthCheckResponse { Status = Status })
            : throw Refusal.NotFound(request.Service);

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        bool known = Services.Contains(request.Service);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, drain.Token);
        ServingStatus? told = null;
        while (true)
        {
            ServingStatus now = known ? Status : ServingStatus.ServiceUnknown;
            if (now != told) await responseStream.WriteAsync(new() { Status = now });
            told = now;
            try
            {
                await Task.Delay(Look, either.Token);
            }
            catch (OperationCanceledException) when (drain.Token.IsCancellationRequested)
            {
                throw Refusal.ShuttingDown();
            }
        }
    }
}
