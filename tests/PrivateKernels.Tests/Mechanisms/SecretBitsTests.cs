using System.Runtime.InteropServices;

namespace PrivateKernels.Tests;

public sealed class SecretBitsTests
{
    [Fact]
    public unsafe void Words_are_wiped_when_handed_out_and_the_rest_on_disposal()
    {
        byte* buffer = null;
        int length = 0, fills = 0;
        var bits = new SecretBits(bytes =>
        {
            // The buffer is pinned: it stays where it is.
            buffer = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(bytes));
            length = bytes.Length;
            fills++;
            bytes.Fill(0xA5);
        });
        for (int i = 0; i < 10; i++) Assert.Equal(0xA5A5A5A5A5A5A5A5, bits.Next());
        var words = new Span<byte>(buffer, length);
        Assert.Equal(80, words.IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, words[80..].IndexOfAnyExcept((byte)0xA5));
        bits.Dispose();
        Assert.Equal(-1, words.IndexOfAnyExcept((byte)0));
        Assert.Equal(1, fills);
        // After disposal it does not hand out the zeros.
        Assert.Equal(0xA5A5A5A5A5A5A5A5, bits.Next());
        GC.KeepAlive(bits);
    }

    [Fact]
    public void No_word_comes_twice()
    {
        using var first = new SecretBits();
        using var second = new SecretBits();
        var seen = new HashSet<ulong>();
        for (int i = 0; i < 10_000; i++)
        {
            Assert.True(seen.Add(first.Next()));
            Assert.True(seen.Add(second.Next()));
        }
    }
}
