using System.Numerics;
using System.Runtime.InteropServices;

namespace PrivateKernels.Server;

/// <summary>CRC-32C (Castagnoli), by the processor's instruction where there is one.</summary>
static class Crc32C
{
    internal static uint Of(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words) crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : Reverse(word));
        foreach (byte b in bytes[(words.Length * 8)..]) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    static ulong Reverse(ulong word) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(word);
}
