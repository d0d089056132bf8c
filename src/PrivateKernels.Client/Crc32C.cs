using System.Numerics;
using System.Runtime.InteropServices;

namespace PrivateKernels.Client;

/// <summary>CRC-32C (Castagnoli) over several pieces, by the processor's instruction where there is one.</summary>
struct Crc32C()
{
    uint _state = uint.MaxValue;

    public readonly uint Value => ~_state;

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = new Crc32C();
        crc.Append(bytes);
        return crc.Value;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        uint state = _state;
        foreach (ulong word in words) state = BitOperations.Crc32C(state, word);
        foreach (byte b in bytes[(words.Length * sizeof(ulong))..]) state = BitOperations.Crc32C(state, b);
        _state = state;
    }
}
