using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Logarithm, exponential and angle in fp64, good to 1e-14 or so, for exact sums that fp32 cannot carry; not for cells.
/// </summary>
public static class PreciseMath
{
    const double Magic = 6755399441055744, Ln2 = 0.69314718055994530942, TwoOverLn2 = 2.8853900817779268147;
    const double LowTangent = 0.41421356237309504880;
    const double Sqrt2 = 1.41421356237309504880, HalfPi = 1.57079632679489661923, SmallestExponent = -1000;

    /// <summary>log2 of a normal number above 0.</summary>
    public static double Log2(double x)
    {
        ulong bits = Interop.FloatAsInt(x);
        int exponent = (int)(bits >> 52) - 1023;
        double m = Interop.IntAsFloat((bits & 0xFFFFFFFFFFFFFUL) | 0x3FF0000000000000UL);
        bool high = m > Sqrt2;
        m = high ? 0.5 * m : m;
        exponent = high ? exponent + 1 : exponent;
        // 2 artanh z, |z| at most 0.172.
        double z = (m - 1) / (m + 1), s = z * z, p = 1.0 / 19;
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 17), s, 1.0 / 15);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 13), s, 1.0 / 11);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 9), s, 1.0 / 7);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 5), s, 1.0 / 3);
        p = Fused.Fma(p, s, 1);
        return Fused.Fma(z * TwoOverLn2, p, exponent);
    }

    /// <summary>2^x for x up to 1000; 0 below -1000.</summary>
    public static double Exp2(double x)
    {
        bool valid = x >= SmallestExponent;
        double shifted = (valid ? x : 0) + Magic, r = ((valid ? x : 0) - (shifted - Magic)) * Ln2, p = 1.0 / 6227020800;
        p = Fused.Fma(Fused.Fma(p, r, 1.0 / 479001600), r, 1.0 / 39916800);
        p = Fused.Fma(Fused.Fma(p, r, 1.0 / 3628800), r, 1.0 / 362880);
        p = Fused.Fma(Fused.Fma(p, r, 1.0 / 40320), r, 1.0 / 5040);
        p = Fused.Fma(Fused.Fma(p, r, 1.0 / 720), r, 1.0 / 120);
        p = Fused.Fma(Fused.Fma(p, r, 1.0 / 24), r, 1.0 / 6);
        p = Fused.Fma(Fused.Fma(Fused.Fma(p, r, 0.5), r, 1), r, 1);
        // The low bits of the shifted number are the integer; the shift pushes out the magic number.
        ulong bits = Interop.FloatAsInt(p) + (Interop.FloatAsInt(shifted) << 52);
        return valid ? Interop.IntAsFloat(bits) : 0;
    }

    /// <summary>The angle of the vector (x, y), both at least 0 and not both 0.</summary>
    public static double Angle(double y, double x)
    {
        // Half of the angle has a tangent of at most 1.
        double t = y / (x + Math.Sqrt(Fused.Fma(x, x, y * y)));
        // Up to tan(pi / 8) as it is, beyond it atan t = pi / 4 + atan((t - 1) / (t + 1)): |z| is at most 0.415.
        bool low = t <= LowTangent;
        double z = (low ? t : t - 1) / (low ? 1 : t + 1), s = z * z, p = -1.0 / 39;
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 37), s, -1.0 / 35);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 33), s, -1.0 / 31);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 29), s, -1.0 / 27);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 25), s, -1.0 / 23);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 21), s, -1.0 / 19);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 17), s, -1.0 / 15);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 13), s, -1.0 / 11);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 9), s, -1.0 / 7);
        p = Fused.Fma(Fused.Fma(p, s, 1.0 / 5), s, -1.0 / 3);
        p = Fused.Fma(p, s, 1);
        return 2 * Fused.Fma(z, p, low ? 0 : HalfPi / 2);
    }
}
