using Google.Protobuf;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>
/// Frames of a client stream, each looked at for datasets without a grant, and counted while it is handled: a stream may name
/// other datasets as it goes on, and since it began the key may have been revoked, or lost a role or the dataset of its start.
/// </summary>
sealed class CheckedReader<T>(IAsyncStreamReader<T> frames, AccessRule rule, Caller caller, Access access) : IAsyncStreamReader<T>, IDisposable
{
    IDisposable? _held;
    IMessage? _start;

    public T Current => frames.Current;

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        Dispose();
        if (!await frames.MoveNext(cancellationToken)) return false;
        if (frames.Current is not IMessage frame) return true;
        Caller now = access.Current(caller, rule);
        rule.Check(now, frame);
        rule.Check(now, _start ??= frame);
        _held = access.InFlightOf(now).Take(frame.CalculateSize());
        return true;
    }

    public void Dispose() => _held?.Dispose();
}
