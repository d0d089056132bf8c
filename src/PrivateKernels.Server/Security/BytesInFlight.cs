using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>
/// Bytes of messages that the whole server holds at once. A message counts from its announced length on, before memory is
/// taken for it; a frame of a stream, whose size is bounded by the limit on messages, once it is there.
/// </summary>
/// <param name="most">Bytes at once.</param>
/// <param name="whole">Of which these are a part, and count there too; null for all.</param>
sealed class BytesInFlight(long most, BytesInFlight? whole = null)
{
    /// <summary>A byte that tells compression, then the length, big-endian.</summary>
    const int PrefixBytes = 5;

    long _bytes;

    internal long Now => Interlocked.Read(ref _bytes);

    /// <summary>Takes so many bytes until disposed; OVERLOADED beyond the limit.</summary>
    internal IDisposable Take(long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) > most)
        {
            Interlocked.Add(ref _bytes, -bytes);
            throw new Refusal("OVERLOADED", "the server has its hands full; retry in a moment.", ("limit", "Limits:BytesInFlight"));
        }
        try
        {
            return new Held(this, bytes, whole?.Take(bytes));
        }
        catch
        {
            Interlocked.Add(ref _bytes, -bytes);
            throw;
        }
    }

    /// <summary>Takes the length that the one message of a call announces. One that is too large is left for the framework to refuse.</summary>
    internal async Task<IDisposable> TakeAnnouncedAsync(HttpContext http, MethodType type, int largest)
    {
        long length = await AnnouncedAsync(http, type);
        return Take(length <= largest ? length : 0);
    }

    /// <summary>Length that the one message of a call announces; 0 where there may be many.</summary>
    internal static async Task<long> AnnouncedAsync(HttpContext http, MethodType type)
    {
        if (type is not (MethodType.Unary or MethodType.ServerStreaming)) return 0;
        PipeReader body = http.Request.BodyReader;
        ReadResult head = await body.ReadAtLeastAsync(PrefixBytes, http.RequestAborted);
        long length = head.Buffer.Length < PrefixBytes ? 0 : Length(head.Buffer);
        // Nothing is consumed and nothing examined: whoever reads next sees the same bytes.
        body.AdvanceTo(head.Buffer.Start);
        return length;
    }

    static uint Length(ReadOnlySequence<byte> head)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        head.Slice(0, PrefixBytes).CopyTo(prefix);
        return BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
    }

    sealed class Held(BytesInFlight owner, long bytes, IDisposable? ofWhole) : IDisposable
    {
        BytesInFlight? _owner = owner;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _owner, null) is not { } owner) return;
            Interlocked.Add(ref owner._bytes, -bytes);
            ofWhole?.Dispose();
        }
    }
}
