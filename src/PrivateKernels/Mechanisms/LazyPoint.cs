using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// A real x = (offset + width U) 2^-32 with U uniform and lazily drawn: what is left of a sample whose leading digits
/// did not settle everything.
/// </summary>
sealed class LazyPoint(BigInteger offset, BigInteger width, LazyUniform uniform)
{
    public Enclosure At(int bits)
    {
        Enclosure digits = uniform.At(bits);
        BigInteger origin = offset << bits;
        return new((origin + (digits.Low * width)) >> 32, -(-(origin + (digits.High * width)) >> 32), bits);
    }

    /// <summary>floor(scale x + 1/2) or floor(scale x), whichever digits it takes; saturates at int64.</summary>
    public long Round(Rational scale, bool toNearest)
    {
        for (int bits = 128; ; bits *= 2)
        {
            Enclosure x = At(bits);
            BigInteger denominator = scale.Denominator << (bits + 1), half = toNearest ? denominator >> 1 : 0;
            BigInteger low = ((scale.Numerator * x.Low * 2) + half) / denominator;
            BigInteger high = ((scale.Numerator * x.High * 2) + half) / denominator;
            if (low == high) return (long)BigInteger.Min(low, long.MaxValue);
        }
    }
}
