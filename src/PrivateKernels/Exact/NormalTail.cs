using System.Collections.Concurrent;
using System.Numerics;

namespace PrivateKernels;

/// <summary>Mills ratio of the standard normal law, R(x) = P(N > x) / phi(x), enclosed in integers.</summary>
static class NormalTail
{
    static readonly ConcurrentDictionary<int, Enclosure> RootsTwoPi = new();

    /// <summary>R(x); narrow for x above -2 or so.</summary>
    public static Enclosure Mills(Enclosure x) =>
        x.Low >= BigInteger.One << (x.Bits + 2)
            ? ByFraction(x)
            : (RootTwoPi(x.Bits) / 2 * Enclosure.Exp(x * x / 2)) - Series(x);

    /// <summary>sqrt(2 pi), which is 1/phi(0).</summary>
    public static Enclosure RootTwoPi(int bits) =>
        RootsTwoPi.GetOrAdd(bits, static bits => Enclosure.Sqrt(Enclosure.Pi(bits) * 2));

    /// <summary>
    /// R = 1/(x + 1/(x + 2/(x + 3/(x + ...)))). Guarantee: every tail k/(x + ...) lies in [0, k/x], so starting from
    /// that interval at any depth the result is an enclosure; the depth only decides how narrow it is.
    /// </summary>
    static Enclosure ByFraction(Enclosure x)
    {
        // The error falls as exp(-2 x sqrt(depth)): this depth makes it about a unit.
        double least = Math.Min((double)(x.Low >> x.Bits), 1e6);
        int depth = 20 + (int)(Math.Pow(x.Bits / least, 2) / 8);
        Enclosure tail = new(0, (Enclosure.Of(depth, x.Bits) / x).High, x.Bits);
        for (int k = depth - 1; k >= 0; k--) tail = Enclosure.Of(Math.Max(k, 1), x.Bits) / (x + tail);
        return tail;
    }

    /// <summary>
    /// (Phi(x) - 1/2)/phi(x) = x + x^3/3 + x^5/(3 5) + ... for x of either sign, cut where a term is a unit or two and
    /// each later one is less than half the one before it, so that all of them sum to less than the last one added.
    /// </summary>
    static Enclosure Series(Enclosure x)
    {
        Enclosure square = x * x, term = x, sum = x;
        for (int k = 1; ; k++)
        {
            term = term * square / ((2 * k) + 1);
            sum += term;
            if (term.Magnitude <= 2 && square.High >> x.Bits < k) return sum.Widen(term.Magnitude);
        }
    }
}
