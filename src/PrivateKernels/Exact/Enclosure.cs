using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// A real number known to lie in [Low, High] 2^-Bits. Every operation returns an interval that holds the result for all
/// reals in its operands, so a comparison of two enclosures that do not touch is a proof.
/// </summary>
/// <remarks>
/// Guarantee: lower ends are rounded down and upper ends up, in integers; no floating-point number takes part.
/// Operands of one operation have the same number of bits.
/// </remarks>
readonly record struct Enclosure(BigInteger Low, BigInteger High, int Bits)
{
    /// <summary>Largest absolute value, in units of 2^-Bits.</summary>
    public BigInteger Magnitude => BigInteger.Max(BigInteger.Abs(Low), BigInteger.Abs(High));

    public static Enclosure Of(BigInteger value, int bits) => new(value << bits, value << bits, bits);

    public static Enclosure Of(Rational value, int bits) =>
        new(
            Rational.FloorDivide(value.Numerator << bits, value.Denominator),
            -Rational.FloorDivide(-value.Numerator << bits, value.Denominator), bits);

    public static Enclosure operator +(Enclosure x, Enclosure y) => new(x.Low + y.Low, x.High + y.High, x.Bits);

    public static Enclosure operator -(Enclosure x, Enclosure y) => new(x.Low - y.High, x.High - y.Low, x.Bits);

    public static Enclosure operator *(Enclosure x, Enclosure y)
    {
        if (x.Low.Sign >= 0 && y.Low.Sign >= 0) return Shrink(x.Low * y.Low, x.High * y.High, x.Bits, x.Bits);
        BigInteger p = x.Low * y.Low, q = x.Low * y.High, r = x.High * y.Low, s = x.High * y.High;
        return Shrink(
            BigInteger.Min(BigInteger.Min(p, q), BigInteger.Min(r, s)),
            BigInteger.Max(BigInteger.Max(p, q), BigInteger.Max(r, s)), x.Bits, x.Bits);
    }

    /// <summary>Quotient by an enclosure that lies above 0.</summary>
    public static Enclosure operator /(Enclosure x, Enclosure y)
    {
        BigInteger low = x.Low << x.Bits, high = x.High << x.Bits;
        return new(
            Rational.FloorDivide(low, low.Sign >= 0 ? y.High : y.Low),
            -Rational.FloorDivide(-high, high.Sign >= 0 ? y.Low : y.High), x.Bits);
    }

    public static Enclosure operator *(Enclosure x, uint y) => new(x.Low * y, x.High * y, x.Bits);

    public static Enclosure operator /(Enclosure x, int y) =>
        new(Rational.FloorDivide(x.Low, y), -Rational.FloorDivide(-x.High, y), x.Bits);

    /// <summary>The enclosure with <paramref name="units"/> 2^-Bits more room at both ends.</summary>
    public Enclosure Widen(BigInteger units) => new(Low - units, High + units, Bits);

    /// <summary>
    /// True or false if it holds for all, respectively no, pairs of reals enclosed; null if not decided.
    /// </summary>
    public static bool? IsBelow(Enclosure x, Enclosure y) => x.High < y.Low ? true : x.Low >= y.High ? false : null;

    /// <summary>Square root of an enclosure whose upper end is at least 0; a lower end below 0 counts as 0.</summary>
    public static Enclosure Sqrt(Enclosure x)
    {
        var low = Rational.FloorSqrt(BigInteger.Max(x.Low, 0) << x.Bits);
        return new(low, Rational.FloorSqrt(x.High << x.Bits) + 1, x.Bits);
    }

    /// <summary>
    /// e^x: Taylor's series at x/2^k, |x/2^k| at most 1/16, and k squarings. The series is cut at a term of a unit or
    /// two; what is left out sums to less than that term, since each is less than half the one before it.
    /// </summary>
    public static Enclosure Exp(Enclosure x)
    {
        int halvings = Math.Max(0, (int)x.Magnitude.GetBitLength() - x.Bits + 4);
        // Each squaring doubles the relative error; the guard bits pay for that.
        int bits = x.Bits + halvings + 8;
        var small = Shrink(x.Low << (bits - x.Bits), x.High << (bits - x.Bits), halvings, bits);
        Enclosure sum = Of(BigInteger.One, bits), term = sum;
        for (int n = 1; ; n++)
        {
            term = term * small / n;
            sum += term;
            if (term.Magnitude <= 2) break;
        }
        sum = sum.Widen(term.Magnitude);
        for (int k = 0; k < halvings; k++) sum *= sum;
        return Shrink(sum.Low, sum.High, bits - x.Bits, x.Bits);
    }

    /// <summary>Pi = 16 arctan(1/5) - 4 arctan(1/239) (Machin).</summary>
    public static Enclosure Pi(int bits)
    {
        Enclosure fifth = ArcTangentOfInverse(5, bits + 8), other = ArcTangentOfInverse(239, bits + 8);
        return Shrink((fifth.Low << 4) - (other.High << 2), (fifth.High << 4) - (other.Low << 2), 8, bits);
    }

    static Enclosure ArcTangentOfInverse(int n, int bits)
    {
        // Alternating with falling terms: the rest is smaller than the first term left out.
        Enclosure power = Of(BigInteger.One, bits) / n, sum = power;
        for (int k = 1; power.High > 1; k++)
        {
            power /= n * n;
            Enclosure term = power / ((2 * k) + 1);
            sum = k % 2 == 0 ? sum + term : sum - term;
        }
        return sum.Widen(power.High);
    }

    static Enclosure Shrink(BigInteger low, BigInteger high, int shift, int bits) =>
        new(low >> shift, -(-high >> shift), bits);
}
