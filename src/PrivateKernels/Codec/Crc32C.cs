using System.Numerics;
using System.Runtime.InteropServices;

namespace PrivateKernels;

/// <summary>CRC-32C (Castagnoli, RFC 3720): detects damage, not intent.</summary>
public static class Crc32C
{
    /// <summary>Checksum of <paramref name="bytes"/>; pass the checksum of what came before to continue.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes, uint before = 0)
    {
        uint crc = ~before;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
        foreach (byte b in bytes[(words.Length * 8)..]) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
