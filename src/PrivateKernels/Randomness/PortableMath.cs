namespace PrivateKernels;

/// <summary>
/// Elementary functions with the same bits on every platform: only + - * / of IEEE doubles, which are correctly rounded
/// everywhere. Relative error of a few 1e-15; used for public maps alone.
/// </summary>
static class PortableMath
{
    const double Ln2High = 0.693147180369123816490, Ln2Low = 1.90821492927058770002e-10;

    /// <summary>Natural logarithm of a normal positive number, by ln((1+s)/(1-s)) = 2 (s + s^3/3 + s^5/5 + ...).</summary>
    public static double Log(double x)
    {
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)(bits >> 52) - 1023;
        double mantissa = BitConverter.Int64BitsToDouble((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
        if (mantissa > 1.4142135623730951)
        {
            mantissa *= 0.5;
            exponent++;
        }
        double s = (mantissa - 1) / (mantissa + 1), s2 = s * s, sum = 0;
        for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * s2;
        return exponent * Ln2High + (2 * s + (2 * s * sum + exponent * Ln2Low));
    }

    /// <summary>e^x for |x| at most 700: x = n ln 2 + r with |r| at most 0.35, and the Taylor series at r.</summary>
    public static double Exp(double x)
    {
        double n = Math.Round(x / Ln2High), r = (x - n * Ln2High) - n * Ln2Low, sum = 1;
        for (int k = 18; k >= 1; k--) sum = 1 + sum * r / k;
        return Math.ScaleB(sum, (int)n);
    }

    /// <summary>x^p for x at least 0 and p above 0.</summary>
    public static double Pow(double x, double p) => x == 0 ? 0 : Exp(p * Log(x));

    /// <summary>tan(pi v) for |v| below 1/2, from the Taylor series of sine and cosine at an argument of at most pi/4.</summary>
    public static double TanPi(double v)
    {
        double a = Math.Abs(v);
        bool complement = a > 0.25;
        double t = (complement ? 0.5 - a : a) * Math.PI, t2 = t * t, sine = 0, cosine = 0;
        for (int k = 20; k >= 2; k -= 2)
        {
            cosine = (1 - cosine) * t2 / (k * (k - 1));
            sine = (1 - sine) * t2 / (k * (k + 1));
        }
        double tangent = t * (1 - sine) / (1 - cosine);
        if (complement) tangent = 1 / tangent;
        return v < 0 ? -tangent : tangent;
    }
}
