using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>Writes the parts of a server stream.</summary>
static class PartStream
{
    /// <summary>Writes one part; a client that does not read is cut off, and the pending write ends with its stream.</summary>
    internal static async Task WritePartAsync<T>(
        this IServerStreamWriter<T> responses, T part, TimeSpan timeout, ServerCallContext context)
    {
        Task write = responses.WriteAsync(part);
        try
        {
            await write.WaitAsync(timeout);
        }
        catch (TimeoutException) when (!write.IsCompleted)
        {
            context.GetHttpContext().Abort();
            await write;
        }
    }
}
