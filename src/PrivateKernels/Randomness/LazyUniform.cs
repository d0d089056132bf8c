using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// A uniform real of [0, 1) whose binary digits are drawn when they are needed, 64 at a time, and then stay.
/// </summary>
sealed class LazyUniform(ulong leading, SecretBits bits)
{
    BigInteger _digits = leading;
    int _drawn = 64;

    /// <summary>
    /// Draws digits until at least <paramref name="count"/> are known, and says where the real must lie.
    /// </summary>
    public Enclosure At(int count)
    {
        for (; _drawn < count; _drawn += 64) _digits = (_digits << 64) | bits.Next();
        BigInteger low = _digits >> (_drawn - count);
        return new(low, low + 1, count);
    }
}
