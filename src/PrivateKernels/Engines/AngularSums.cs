namespace PrivateKernels;

/// <summary>
/// Exact sums of functions of the angle, in fp64 throughout: fp32 chords would lose half of the digits of the angle between
/// nearly opposite vectors.
/// </summary>
static unsafe class AngularSums
{
    const int PointsPerItem = 256;

    public static void Add(
        Workers workers, PairFunction function, float* x, int points, float* y, int queries, int d, double* sums)
    {
        var others = new double[(long)queries * d];
        var lengths = new double[queries];
        for (int q = 0; q < queries; q++) lengths[q] = Widen(y + (nint)q * d, others.AsSpan(q * d, d));
        int items = (points + PointsPerItem - 1) / PointsPerItem;
        // One partial sum per item and query, added in item order: the same bits for every number of threads.
        var partial = new double[(long)items * queries];
        workers.Run(items, (item, _) =>
        {
            var own = new double[d];
            for (int n = item * PointsPerItem; n < Math.Min(points, (item + 1) * PointsPerItem); n++)
            {
                double length = Widen(x + (nint)n * d, own);
                for (int q = 0; length > 0 && q < queries; q++)
                {
                    if (lengths[q] == 0) continue;
                    double cosine = DotProduct.Of(own, others.AsSpan(q * d, d)) / (length * lengths[q]);
                    partial[(long)item * queries + q] += function.Profile(Math.Max(0, 2 - 2 * cosine));
                }
            }
        });
        for (int item = 0; item < items; item++)
            for (int q = 0; q < queries; q++) sums[q] += partial[(long)item * queries + q];
    }

    /// <summary>Copies a row to fp64 and returns its length.</summary>
    static double Widen(float* from, Span<double> to)
    {
        for (int k = 0; k < to.Length; k++) to[k] = from[k];
        return Math.Sqrt(DotProduct.Of(to, to));
    }
}
