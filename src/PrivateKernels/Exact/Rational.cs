using System.Globalization;
using System.Numerics;

namespace PrivateKernels;

/// <summary>An exact fraction; the denominator is positive, and common factors may remain.</summary>
readonly record struct Rational(BigInteger Numerator, BigInteger Denominator)
{
    /// <summary>Largest integer that is not above the fraction.</summary>
    public BigInteger Floor => FloorDivide(Numerator, Denominator);

    public static Rational operator +(Rational x, Rational y) =>
        new((x.Numerator * y.Denominator) + (y.Numerator * x.Denominator), x.Denominator * y.Denominator);

    public static Rational operator *(Rational x, Rational y) =>
        new(x.Numerator * y.Numerator, x.Denominator * y.Denominator);

    public static bool operator <(Rational x, Rational y) => x.Numerator * y.Denominator < y.Numerator * x.Denominator;

    public static bool operator >(Rational x, Rational y) => y < x;

    /// <summary>
    /// What the shortest decimal that reads back as <paramref name="value"/> stands for: 0.1 is one tenth, as the
    /// caller wrote it, not the binary fraction next to it. Finite values only.
    /// </summary>
    public static Rational OfDecimal(double value)
    {
        string[] parts = value.ToString("R", CultureInfo.InvariantCulture).Split('E');
        string[] digits = parts[0].Split('.');
        string fraction = digits.Length > 1 ? digits[1] : "";
        int exponent = (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0) - fraction.Length;
        var whole = BigInteger.Parse(digits[0] + fraction, CultureInfo.InvariantCulture);
        return exponent >= 0 ? new(whole * BigInteger.Pow(10, exponent), 1) : new(whole, BigInteger.Pow(10, -exponent));
    }

    /// <summary>Floor of x/y for y above 0.</summary>
    public static BigInteger FloorDivide(BigInteger x, BigInteger y)
    {
        var quotient = BigInteger.DivRem(x, y, out BigInteger remainder);
        return remainder.Sign < 0 ? quotient - 1 : quotient;
    }

    /// <summary>Largest integer whose square is at most <paramref name="x"/>, for x at least 0.</summary>
    public static BigInteger FloorSqrt(BigInteger x)
    {
        if (x.IsZero) return x;
        // Newton from above decreases to the floor and then stops decreasing.
        var root = BigInteger.One << (((int)x.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (root + (x / root)) >> 1;
            if (next >= root) return root;
            root = next;
        }
    }
}
