namespace PrivateKernels.Tests;

/// <summary>The fp32 recipes of the kernels that landmarks serve, one operation at a time.</summary>
static class PlainProfile
{
    public static float Of(PairFunction function, float s)
    {
        double h = function.Bandwidth;
        float inverse = (float)(1 / h), square = (float)(1 / (h * h)), root = MathF.Sqrt(s);
        switch (function)
        {
            case Gaussian: return Exp(s, square);
            case Laplacian: return Exp(s, inverse);
            case Exponential: return Exp(root, inverse);
            case Cauchy: return 1f / MathF.FusedMultiplyAdd(s, square, 1f);
            case InverseL1: return 1f / MathF.FusedMultiplyAdd(s, inverse, 1f);
            case InverseL2: return 1f / MathF.FusedMultiplyAdd(root, inverse, 1f);
            case InverseMultiquadric: return 1f / MathF.Sqrt(MathF.FusedMultiplyAdd(s, square, 1f));
            case Matern32:
                float three = (float)(Math.Sqrt(3) / h);
                return MathF.FusedMultiplyAdd(root, three, 1f) * Exp(root, three);
            case Matern52:
                float five = (float)(Math.Sqrt(5) / h), r = Math.Min(root * five, 1000f);
                return MathF.FusedMultiplyAdd(r, MathF.FusedMultiplyAdd(r, 1f / 3, 1f), 1f) * Exp(root, five);
            default: throw new InvalidOperationException($"landmarks do not serve {function.Entry.Name}");
        }
    }

    /// <summary>exp(-c v): the nearest power of two, times a polynomial; 0 below 2^-125.</summary>
    static float Exp(float v, float c)
    {
        float rate = -1.44269504f * c;
        if (!(v * rate >= -125f)) return 0f;
        float shifted = MathF.FusedMultiplyAdd(v, rate, 12582912f);
        float r = MathF.FusedMultiplyAdd(v, rate, 12582912f - shifted);
        float[] coefficients = [0.00133909844f, 0.00961806253f, 0.0555035956f, 0.240226507f, 0.693147182f, 1f];
        float p = 0.000154628753f;
        foreach (float next in coefficients) p = MathF.FusedMultiplyAdd(p, r, next);
        int power = BitConverter.SingleToInt32Bits(shifted) - 0x4B400000;
        return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(p) + (power << 23));
    }
}
