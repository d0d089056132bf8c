using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Decides on which side of the Gaussian privacy curve a point lies, in exact arithmetic, for mu = sqrt(units / 2^40).
/// </summary>
/// <remarks>
/// Guarantee: "true" is a proof that the inequality holds. Both sides are enclosed to 128 bits and more (doubling)
/// until the enclosures part; at a limit no real request comes near, the answer is false, which is the side of less
/// privacy loss.
/// </remarks>
static class GaussianCurve
{
    const int LargestBits = 1 << 13;

    /// <summary>Whether delta(epsilon; mu) is at most <paramref name="delta"/>, for delta in (0, 1).</summary>
    /// <remarks>
    /// With a = epsilon/mu - mu/2, b = a + mu and R the Mills ratio, e^epsilon phi(b) = phi(a), so
    /// delta(epsilon; mu) = phi(a) (R(a) - R(b)), or 1 - phi(a) (R(-a) + R(b)) well below a = 0.
    /// </remarks>
    public static bool Covers(BigInteger units, Rational epsilon, Rational delta) =>
        Decide(bits => TryCovers(units, Enclosure.Of(epsilon, bits), Enclosure.Of(delta, bits)));

    /// <summary>
    /// Whether every pure <paramref name="epsilon"/> release is mu-GDP: mu/2 at least the upper 1/(1 + e^epsilon)
    /// quantile, that is P(N > mu/2) (1 + e^epsilon) at most 1.
    /// </summary>
    public static bool CoversPure(BigInteger units, Rational epsilon) =>
        Decide(bits => TryCoversPure(units, Enclosure.Of(epsilon, bits)));

    static bool Decide(Func<int, bool?> attempt)
    {
        for (int bits = 128; bits <= LargestBits; bits *= 2)
            if (attempt(bits) is { } decided) return decided;
        return false;
    }

    static bool? TryCovers(BigInteger units, Enclosure epsilon, Enclosure delta)
    {
        int bits = delta.Bits;
        Enclosure mu = Mu(units, bits), ratio = epsilon / mu, a = ratio - (mu / 2), b = ratio + (mu / 2);
        // phi(40) is below 2^-1150, the smallest delta that a double can hold is 2^-1074, the largest 1 - 2^-53.
        if (Enclosure.IsBelow(Enclosure.Of(40, bits), a) == true) return true;
        if (Enclosure.IsBelow(a, Enclosure.Of(-40, bits)) == true) return false;
        Enclosure scale = NormalTail.RootTwoPi(bits) * Enclosure.Exp(a * a / 2);
        if (a.Low > -BigInteger.One << bits)
            return Enclosure.IsBelow(NormalTail.Mills(a) - NormalTail.Mills(b), scale * delta);
        return Enclosure.IsBelow(
            scale * (Enclosure.Of(1, bits) - delta), NormalTail.Mills(Enclosure.Of(0, bits) - a) + NormalTail.Mills(b));
    }

    static bool? TryCoversPure(BigInteger units, Enclosure epsilon)
    {
        int bits = epsilon.Bits;
        Enclosure half = Mu(units, bits) / 2, zero = Enclosure.Of(0, bits);
        // P(N > m) = phi(m) R(m), so the claim is R(m) (e^-epsilon + 1) <= sqrt(2 pi) e^(m^2/2 - epsilon).
        Enclosure exponent = (half * half / 2) - epsilon;
        // R is at most sqrt(pi/2) and, for m below 2^12, above 2^-13: both make the far cases plain.
        if (Enclosure.IsBelow(zero, exponent) == true) return true;
        if (Enclosure.IsBelow(exponent, Enclosure.Of(-64, bits)) == true) return false;
        Enclosure left = NormalTail.Mills(half) * (Enclosure.Exp(zero - epsilon) + Enclosure.Of(1, bits));
        return Enclosure.IsBelow(left, NormalTail.RootTwoPi(bits) * Enclosure.Exp(exponent));
    }

    static Enclosure Mu(BigInteger units, int bits) =>
        Enclosure.Sqrt(Enclosure.Of(new Rational(units, BigInteger.One << 40), bits));
}
