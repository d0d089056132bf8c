using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Exponential, square root and reciprocal from fused multiply-adds alone: no vendor's function, no division, so every
/// device gives the same bits.
/// </summary>
public static class DeviceMath
{
    /// <summary>2^120: what <see cref="Reciprocal"/> takes at most.</summary>
    public const float Largest = PrivateKernels.Profiles.LargestDivisor;

    const float Small = 8.67361738e-19f, PowerOf34 = 17179869184f, PowerOf68 = PowerOf34 * PowerOf34;
    const float Magic = 12582912f, LargestExponent = 125f;
    const float E1 = 0.693147182f, E2 = 0.240226507f, E3 = 0.0555035956f;
    const float E4 = 0.00961806253f, E5 = 0.00133909844f, E6 = 0.000154628753f;

    /// <summary>2^(-s c) for s and c at least 0; 0 where s c is above 125.</summary>
    public static float Exp2Minus(float s, float c)
    {
        float minusC = Negate(c);
        bool valid = s * c <= LargestExponent;
        float argument = valid ? s : 0f;
        float shifted = Fused.Fma(argument, minusC, Magic);
        float whole = shifted - Magic;
        float rest = Fused.Fma(argument, minusC, Negate(whole));
        float p = Fused.Fma(Fused.Fma(Fused.Fma(E6, rest, E5), rest, E4), rest, E3);
        p = Fused.Fma(Fused.Fma(Fused.Fma(p, rest, E2), rest, E1), rest, 1f);
        uint bits = Interop.FloatAsInt(p) + ((Interop.FloatAsInt(shifted) - 0x4B400000u) << 23);
        return valid ? Interop.IntAsFloat(bits) : 0f;
    }

    /// <summary>
    /// Correctly rounded square root of 0 and of normal numbers. Found so for all of [2^-60, 2^60); every step keeps its
    /// bits when x is multiplied by a power of four, until an intermediate result leaves the normal numbers.
    /// </summary>
    public static float Sqrt(float x)
    {
        bool small = x < Small;                                 // residuals would become subnormal
        float v = x * (small ? PowerOf68 : 1f);
        float y = Interop.IntAsFloat(0x5F3759DFu - (Interop.FloatAsInt(v) >> 1)), half = 0.5f * v;
        y = Fused.Fma(Fused.Fma(Negate(half * y), y, 0.5f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(half * y), y, 0.5f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(half * y), y, 0.5f), y, y);
        float s = v * y, g = 0.5f * y;
        s = Fused.Fma(Fused.Fma(Negate(s), s, v), g, s);
        s = Fused.Fma(Fused.Fma(Negate(s), s, v), g, s);
        return x > 0f ? s * (small ? 1f / PowerOf34 : 1f) : 0f;
    }

    /// <summary>Correctly rounded 1 / x for 2^-60 to 2^120; see <see cref="Sqrt"/> for the range.</summary>
    public static float Reciprocal(float x)
    {
        float y = Interop.IntAsFloat(0x7EF311C7u - Interop.FloatAsInt(x));
        y = Fused.Fma(Fused.Fma(Negate(x), y, 1f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(x), y, 1f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(x), y, 1f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(x), y, 1f), y, y);
        y = Fused.Fma(Fused.Fma(Negate(x), y, 1f), y, y);
        // The one mantissa where Newton's method stops one unit low.
        uint correction = (Interop.FloatAsInt(x) & 0x7FFFFFu) == 0x7FFFFFu ? 1u : 0u;
        return Interop.IntAsFloat(Interop.FloatAsInt(y) + correction);
    }

    static float Negate(float x) => Interop.IntAsFloat(Interop.FloatAsInt(x) ^ 0x80000000u);
}
