using System.Runtime.InteropServices;

namespace PrivateKernels.Tests;

/// <summary>Repeatable bits in place of the operating system's.</summary>
static class RepeatableBits
{
    public static SecretBits Of(ulong seed)
    {
        var random = new PublicRandom(seed);
        return new(bytes =>
        {
            foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(bytes)) word = random.NextBits();
        });
    }

    /// <summary>These words first, then repeatable ones.</summary>
    public static SecretBits Starting(params ulong[] words)
    {
        var random = new PublicRandom(7);
        int given = 0;
        return new(bytes =>
        {
            foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
                word = given < words.Length ? words[given++] : random.NextBits();
        });
    }
}
