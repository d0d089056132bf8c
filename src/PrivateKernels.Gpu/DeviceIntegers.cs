using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Exact 64-bit integers on devices.</summary>
public static class DeviceIntegers
{
    /// <summary>floor(sqrt n) for n at least 0.</summary>
    public static long SquareRoot(long n)
    {
        ulong root = 0;
        for (ulong bit = 1UL << 31; bit > 0; bit >>= 1)
            if ((root + bit) * (root + bit) <= (ulong)n) root += bit;
        return (long)root;
    }

    /// <summary>ceil(sqrt n) for n at least 1.</summary>
    public static long CeilingSquareRoot(long n) => SquareRoot(n - 1) + 1;

    /// <summary>
    /// The nearest integer of a number of at most 2^22 in size, ties to even; from its bits, because a sum with a large
    /// constant could be contracted with the product that the number is.
    /// </summary>
    public static int Nearest(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        int exponent = (int)((bits >> 23) & 255) - 127, shift = 23 - exponent;
        if (exponent < -1) return 0;
        int mantissa = (int)((bits & 0x7FFFFFu) | 0x800000u), half = 1 << (shift - 1);
        int whole = mantissa >> shift, rest = mantissa & ((1 << shift) - 1);
        if (rest > half || (rest == half && (whole & 1) != 0)) whole++;
        return bits >= 0x80000000u ? -whole : whole;
    }

    /// <summary>The weight of a record; 1 where there are no weights, which changes no bit of a product.</summary>
    public static float WeightOf(ArrayView<float> weights, int record) => weights.Length > 0 ? weights[record] : 1f;

    /// <summary>
    /// trunc(value weight / 4096), without a division: of negative numbers it would become a shift, which rounds down.
    /// </summary>
    public static long Scale(long value, int weight)
    {
        long product = value * weight;
        return product < 0 ? -(-product >> 12) : product >> 12;
    }

    /// <summary>sign(value) ((|value| factor) >> 30).</summary>
    public static int Shorten(int value, long factor)
    {
        long size = value < 0 ? -(long)value : value;
        int shortened = (int)((size * factor) >> 30);
        return value < 0 ? -shortened : shortened;
    }
}
