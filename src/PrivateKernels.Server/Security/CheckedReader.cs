using Google.Protobuf;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>
/// Frames of a client stream, each looked at for datasets without a grant: a stream may name others as it goes on, and the
/// key may have been revoked since it began.
/// </summary>
sealed class CheckedReader<T>(IAsyncStreamReader<T> frames, AccessRule rule, Caller caller, Access access) : IAsyncStreamReader<T>
{
    public T Current => frames.Current;

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (!await frames.MoveNext(cancellationToken)) return false;
        if (frames.Current is IMessage frame) rule.Check(access.Current(caller), frame);
        return true;
    }
}
