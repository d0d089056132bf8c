using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>
/// Uniform bits for noise, from the operating system's generator. Not for threads to share; make one each.
/// </summary>
/// <remarks>
/// Guarantee: the only place that noise takes randomness from; nothing seeds it and no word is handed out twice. A
/// word is wiped from the buffer as it is handed out, the rest on disposal; the buffer is pinned, so the collector
/// leaves no copy.
/// </remarks>
sealed class SecretBits : IDisposable
{
    readonly Action<Span<byte>> _fill;
    readonly ulong[] _words = GC.AllocateUninitializedArray<ulong>(4096, pinned: true);
    int _next;

    public SecretBits()
        : this(RandomNumberGenerator.Fill)
    {
    }

    /// <summary>For tests, which need the same bits each time.</summary>
    internal SecretBits(Action<Span<byte>> fill) => (_fill, _next) = (fill, _words.Length);

    /// <summary>64 fresh bits.</summary>
    public ulong Next()
    {
        if (_next == _words.Length) Refill();
        ulong word = _words[_next];
        _words[_next++] = 0;
        return word;
    }

    public void Dispose()
    {
        Array.Clear(_words);
        _next = _words.Length;
    }

    void Refill()
    {
        _fill(MemoryMarshal.AsBytes(_words.AsSpan()));
        _next = 0;
    }
}
