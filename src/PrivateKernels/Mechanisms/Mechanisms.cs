using System.Numerics;

namespace PrivateKernels;

/// <summary>Calibrates noise from integer units and an integer sensitivity.</summary>
public static class Mechanisms
{
    /// <summary>Largest noise scale: int64 cells hold it with room to spare.</summary>
    const int LargestScaleBits = 52;

    /// <summary>
    /// Rounded normal noise of the least scale s, a multiple of 2^-10, with s^2 units at least Delta_2^2 2^40; or
    /// discrete Laplace noise of the scale Delta_1 2^40 / units, exactly.
    /// </summary>
    /// <remarks>
    /// Guarantee: rounded normal noise of scale s on integer cells is (Delta_2/s)-GDP, and (Delta_2/s)^2 is at most
    /// units 2^-40 by the choice of s, in integers; discrete Laplace noise is (Delta_1/s)-DP, and Delta_1/s is units
    /// 2^-40.
    /// </remarks>
    /// <exception cref="InvalidFieldException">No units, no sensitivity, or a scale above 2^52.</exception>
    public static INoise Calibrate(PrivacyStrength strength, Sensitivity sensitivity)
    {
        long units = strength.Strength;
        if (units < 1) throw new InvalidFieldException("privacy", units, "must be at least one unit");
        bool normal = strength.Mechanism == MechanismKind.RoundedNormal;
        BigInteger distance = normal ? sensitivity.SquaredL2 : sensitivity.L1;
        if (distance < 1) throw new InvalidFieldException("sensitivity", distance, "must be at least 1");
        if (normal)
        {
            BigInteger scaled = LeastRoot(distance << (Units.FractionBits + (2 * RoundedNormal.FractionBits)), units);
            Refuse(scaled > BigInteger.One << (LargestScaleBits + RoundedNormal.FractionBits), units);
            return new RoundedNormal((long)scaled);
        }
        var scale = new Rational(distance << Units.FractionBits, units);
        Refuse(scale > new Rational(BigInteger.One << LargestScaleBits, 1), units);
        return new DiscreteLaplace(scale);
    }

    /// <summary>Least S with S^2 units at least <paramref name="target"/>.</summary>
    static BigInteger LeastRoot(BigInteger target, BigInteger units)
    {
        // S^2 >= target/units if and only if S^2 >= its ceiling, and S >= its root if and only if S > floor root of
        // one less.
        BigInteger ceiling = -Rational.FloorDivide(-target, units);
        return Rational.FloorSqrt(ceiling - 1) + 1;
    }

    static void Refuse(bool tooLarge, long units)
    {
        if (tooLarge)
            throw new InvalidFieldException(
                "privacy", units, "asks for a noise scale above 2^52; spend more or use fewer features");
    }
}
