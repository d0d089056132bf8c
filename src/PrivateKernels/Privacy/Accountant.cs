using System.Numerics;

namespace PrivateKernels;

/// <summary>Reads ledger units as (epsilon, delta), always rounded up.</summary>
/// <remarks>
/// Guarantee: every epsilon returned is proven, in exact arithmetic, to be at least the true one for its units. Composition is
/// addition of units: mu squared adds for Gaussian DP, epsilon for pure DP. Within a limit that is fixed beforehand, as an
/// account's is, charges may be chosen after seeing releases: the epsilon of the limit holds then too. That of what is spent so
/// far is proven for charges that were fixed beforehand, and a reading of the account otherwise.
/// </remarks>
public static class Accountant
{
    /// <summary>
    /// An epsilon with delta(epsilon; mu) at most <paramref name="delta"/> for mu^2 = units/2^40; 0 for 0 units.
    /// </summary>
    public static double EpsilonAtMost(long muSquaredUnits, double delta) => EpsilonAtMost(muSquaredUnits, delta, 1);

    /// <summary>
    /// The same for groups of <paramref name="records"/> units of protection: mu grows by that factor.
    /// </summary>
    public static double EpsilonAtMost(long muSquaredUnits, double delta, int records)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(muSquaredUnits);
        ArgumentOutOfRangeException.ThrowIfLessThan(records, 1);
        if (!(delta > 0 && delta < 1)) throw new InvalidFieldException("delta", delta, "must be above 0 and below 1");
        if (muSquaredUnits == 0) return 0;
        BigInteger units = (BigInteger)muSquaredUnits * records * records;
        Rational exactDelta = Rational.OfDecimal(delta);
        double mu = Math.Sqrt(Math.ScaleB((double)units, -Units.FractionBits));
        double epsilon = GaussianDp.Epsilon(delta, mu);
        // fp64 is right to a few units in its last places: seldom more than a second step.
        for (double step = Math.Max(8 * (Math.BitIncrement(epsilon) - epsilon), 1e-15 * mu); ; step *= 4)
        {
            if (GaussianCurve.Covers(units, Rational.OfDecimal(epsilon), exactDelta)) return epsilon;
            epsilon += step;
        }
    }

    /// <summary>
    /// Pure epsilon of <paramref name="epsilonUnits"/>, for groups of <paramref name="records"/>; rounded up.
    /// </summary>
    public static double PureEpsilonAtMost(long epsilonUnits, int records = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epsilonUnits);
        ArgumentOutOfRangeException.ThrowIfLessThan(records, 1);
        var exact = new Rational((BigInteger)epsilonUnits * records, BigInteger.One << Units.FractionBits);
        double shown = Math.ScaleB((double)exact.Numerator, -Units.FractionBits);
        while (Rational.OfDecimal(shown) < exact) shown = Math.BitIncrement(shown);
        return shown;
    }
}
