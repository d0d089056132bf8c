namespace PrivateKernels.Tests;

/// <summary>
/// Points and queries whose distances are hard to get from norms and inner products: what exact sums must survive.
/// </summary>
static class HardSums
{
    public const int Count = 40;

    public static IReadOnlyList<string> Names { get; } =
        ["normal", "near", "equal and far from the origin", "equal coordinates", "one large coordinate", "fading", "outlier"];

    public static IReadOnlyList<string> Functions { get; } =
        [.. Catalog.Functions.Where(static f => f.UsesBandwidth && f.Create(1, 0).Smooth is not null).Select(static f => f.Name)];

    /// <summary>Forty points and as many queries.</summary>
    public static (Points Points, Points Queries) Of(string name, int d)
    {
        var random = new PublicRandom(77, (ulong)d);
        float[] x = new float[Count * d], y = new float[Count * d];
        for (int i = 0; i < x.Length; i++)
        {
            (int n, int k) = Math.DivRem(i, d);
            float sign = n % 2 == 0 ? 1 : -1, z = (float)random.NextNormal(), noise = (float)random.NextNormal();
            (x[i], y[i]) = name switch
            {
                "normal" => (z, noise),
                "near" => (z, z + 1e-3f * noise),
                "equal and far from the origin" => (sign * 0.1f * z + 3000, sign * 0.1f * z + 3000),
                // Two clusters on a diagonal: all steps of a chain would round alike.
                "equal coordinates" => (sign * (0.1f + n * 1e-4f), sign * 0.1f),
                // Squares of the small coordinates are half a unit in the last place of the large one's.
                "one large coordinate" => k == 0 ? (sign, sign) : (2.4e-4f, 2.3e-4f),
                "fading" => (z / (1 + k), z / (1 + k) + noise * 1e-4f),
                _ => (n == 7 ? 1e4f * z : z, noise),
            };
        }
        return (new(x, d), new(y, d));
    }

    /// <summary>The smallest bandwidth, to one part in a thousand, for which norms and inner products are used.</summary>
    public static double SmallestBandwidth(string function, Points points, Points queries)
    {
        double none = 1e-6, some = 1e6;
        while (some > none * 1.001)
        {
            double h = Math.Sqrt(none * some);
            if (IsExpanded(Catalog.Create(function, h, 0), points, queries)) some = h;
            else none = h;
        }
        return some;
    }

    public static bool IsExpanded(PairFunction function, Points points, Points queries) =>
        ExpandedForm.For(function, points, queries, Serially) is not null;

    static void Serially(int items, Action<int> body)
    {
        for (int item = 0; item < items; item++) body(item);
    }
}
