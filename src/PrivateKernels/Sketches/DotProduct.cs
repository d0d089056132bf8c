using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>Inner products of fp64 vectors in an order that no processor changes: eight sums side by side, then a tree.</summary>
static class DotProduct
{
    /// <summary>
    /// Element i goes to sum i mod 8, i rising, by a product and an addition, each rounded; then sum l + 4 is added to sum
    /// l, l + 2, l + 1.
    /// </summary>
    public static double Of(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        ReadOnlySpan<Vector512<double>> x = MemoryMarshal.Cast<double, Vector512<double>>(a);
        ReadOnlySpan<Vector512<double>> y = MemoryMarshal.Cast<double, Vector512<double>>(b[..a.Length]);
        Vector512<double> sums = default;
        for (int i = 0; i < x.Length; i++) sums += x[i] * y[i];
        Span<double> lanes = stackalloc double[Vector512<double>.Count];
        sums.CopyTo(lanes);
        for (int i = 8 * x.Length; i < a.Length; i++) lanes[i % 8] += a[i] * b[i];
        for (int half = 4; half >= 1; half /= 2)
            for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
        return lanes[0];
    }
}
