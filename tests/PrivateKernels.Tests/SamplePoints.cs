using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>The points, queries and bandwidths of golden/sums.json, by its integer formulas.</summary>
static class SamplePoints
{
    public const int Count = 257, Queries = 8;

    public static double[] Point(int i, int d) =>
        [.. Enumerable.Range(0, d).Select(j => (i * 7919L + j * 104729L) % 2003 / 2003.0 - 0.5)];

    public static double[] Query(int q, int d) =>
        [.. Enumerable.Range(0, d).Select(j => (q * 6007L + j * 15013L + 333) % 1009 / 1009.0 - 0.5)];

    public static float[] Points(int d) => [.. Enumerable.Range(0, Count).SelectMany(i => Point(i, d)).Select(static x => (float)x)];

    public static float[] QueryPoints(int d) => [.. Enumerable.Range(0, Queries).SelectMany(q => Query(q, d)).Select(static x => (float)x)];

    /// <summary>Every function of the catalog, lp_p once for each kind of exponent.</summary>
    public static IEnumerable<string> Functions { get; } = Catalog.Functions.SelectMany(static e => e.Name == "lp_p"
        ? (string[])["lp_p@0.25", "lp_p@0.5", "lp_p@0.75", "lp_p@1", "lp_p@1.25", "lp_p@1.5", "lp_p@1.75", "lp_p@2", "lp_p@4", "lp_p@6"]
        : [e.Name]);

    /// <summary>
    /// The function of a case, name[@exponent][/method], with the golden bandwidth: sqrt(d) / 2 where |z|_2 appears, d / 4
    /// where |z|_1 does.
    /// </summary>
    public static PairFunction Function(string cased, int d)
    {
        string[] parts = cased.Split('/')[0].Split('@');
        string name = parts[0];
        double exponent = parts.Length > 1 ? double.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        PairFunctionEntry entry = Catalog.Functions.Single(e => e.Name == name);
        double bandwidth = !entry.UsesBandwidth ? 0 : name is "laplacian" or "inverse_l1" ? 0.25 * d : 0.5 * Math.Sqrt(d);
        return Catalog.Create(name, bandwidth, exponent);
    }

    public static double Sum(PairFunction f, ReadOnlySpan<float> points, ReadOnlySpan<float> y)
    {
        double sum = 0;
        for (int i = 0; i < points.Length; i += y.Length) sum += f.Evaluate(points.Slice(i, y.Length), y);
        return sum;
    }
}
