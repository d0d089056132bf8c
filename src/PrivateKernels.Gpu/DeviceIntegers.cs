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

    /// <summary>sign(value) ((|value| factor) >> 30).</summary>
    public static int Shorten(int value, long factor)
    {
        long size = value < 0 ? -(long)value : value;
        int shortened = (int)((size * factor) >> 30);
        return value < 0 ? -shortened : shortened;
    }
}
