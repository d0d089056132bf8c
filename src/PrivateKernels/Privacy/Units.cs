using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Turns the privacy asked into integer ledger units of 2^-40: of epsilon in a pure account, of mu squared in a
/// Gaussian one. The same functions serve charges and limits.
/// </summary>
/// <remarks>
/// Guarantee: units 2^-40 is at most what was asked, so noise computed from the units spends no more than that, and the
/// integer sum of a ledger bounds what was really spent. Nothing that fits is refused: floor(a) + floor(b) is at most
/// floor(a + b). A double stands for the shortest decimal that reads back as it, exactly.
/// </remarks>
public static class Units
{
    internal const int FractionBits = 40;

    static readonly Rational One = new(BigInteger.One << FractionBits, 1);

    /// <summary>floor(2^40 epsilon).</summary>
    /// <exception cref="InvalidFieldException">Not above 0, below 2^-40, or 2^23 and more.</exception>
    public static long OfEpsilon(double epsilon) =>
        Checked("epsilon", epsilon, Positive("epsilon", epsilon) * One);

    /// <summary>floor(2^40 mu^2).</summary>
    /// <exception cref="InvalidFieldException">Not above 0, or a square below 2^-40 or of 2^23 and more.</exception>
    public static long OfMu(double mu)
    {
        Rational exact = Positive("mu", mu);
        return Checked("mu", mu, exact * exact * One);
    }

    /// <summary>
    /// With delta 0 as <see cref="OfEpsilon"/>; otherwise the largest u for which the curve of mu = sqrt(u/2^40) lies
    /// within (epsilon, delta), decided in exact arithmetic.
    /// </summary>
    /// <exception cref="InvalidFieldException">No unit fits, or 2^63 and more do.</exception>
    public static long OfLoss(PrivacyLoss loss)
    {
        if (loss.Delta == 0) return OfEpsilon(loss.Epsilon);
        Rational epsilon = Rational.OfDecimal(loss.Epsilon), delta = Rational.OfDecimal(loss.Delta);
        BigInteger units = LastBefore(
            u => !GaussianCurve.Covers(u, epsilon, delta), Guess(GaussianDp.Mu(loss.Epsilon, loss.Delta)));
        return Checked("epsilon", loss.Epsilon, new(units, 1));
    }

    /// <summary>
    /// What a pure release of <paramref name="epsilonUnits"/> 2^-40 costs in a Gaussian account, rounded up: the least
    /// u with u 2^-40 at least mu^2, mu = 2 Phi^-1(e^epsilon / (1 + e^epsilon)).
    /// </summary>
    /// <remarks>Guarantee: rounded up, because the noise is fixed by epsilon already.</remarks>
    /// <exception cref="InvalidFieldException">Not above 0, or a cost of 2^63 and more.</exception>
    public static long OfPureInGaussian(long epsilonUnits)
    {
        if (epsilonUnits < 1) throw new InvalidFieldException("epsilon", epsilonUnits, "must be at least one unit");
        var epsilon = new Rational(epsilonUnits, One.Numerator);
        double shown = Math.ScaleB((double)epsilonUnits, -FractionBits);
        BigInteger last = LastBefore(u => GaussianCurve.CoversPure(u, epsilon), Guess(GaussianDp.PureToMu(shown)));
        return Checked("epsilon", shown, new(last + 1, 1));
    }

    static Rational Positive(string field, double value) =>
        value > 0 && double.IsFinite(value)
            ? Rational.OfDecimal(value)
            : throw new InvalidFieldException(field, value, "must be finite and above 0");

    static long Checked(string field, double asked, Rational units)
    {
        BigInteger whole = units.Floor;
        if (whole < 1) throw new InvalidFieldException(field, asked, "is less than one ledger unit (2^-40)");
        if (whole > long.MaxValue)
            throw new InvalidFieldException(field, asked, "is more than a ledger can count (2^23)");
        return (long)whole;
    }

    static BigInteger Guess(double mu) => new(Math.Ceiling(Math.ScaleB(Math.Min(mu * mu, 1e9), FractionBits)));

    /// <summary>
    /// Largest integer, 0 or above, at which a predicate that turns from false to true once is false (0 counts as
    /// false); the guess only saves time. Searches up to 2^72.
    /// </summary>
    static BigInteger LastBefore(Func<BigInteger, bool> predicate, BigInteger guess)
    {
        BigInteger low = 0, high = BigInteger.One << 72;
        for (BigInteger step = 1, at = guess; at > low && at < high; step *= 16)
        {
            if (predicate(at))
            {
                high = at;
                at -= step;
            }
            else
            {
                low = at;
                at += step;
            }
            if (high - low == 1) return low;
        }
        while (high - low > 1)
        {
            BigInteger middle = (low + high) >> 1;
            if (predicate(middle)) high = middle; else low = middle;
        }
        return low;
    }
}
