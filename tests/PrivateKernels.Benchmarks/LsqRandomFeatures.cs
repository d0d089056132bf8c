namespace PrivateKernels.Benchmarks;

/// <summary>
/// LSQ-RFF (Wagner, Naaman, Andoni 2023, arXiv 2307.02877): I features f_j(x) = sqrt 2 cos(w_j . x + b_j), w_j and b_j
/// iid, F_j = sum_x f_j(x) + Laplace(sqrt 2 I / eps), answer (1/I) sum_j f_j(y) F_j. And the same after a Gaussian projection
/// to k dimensions (JL + LSQ, Backurs et al. 2024).
/// </summary>
/// <remarks>
/// Its expected error is computed, not one draw of it. One feature's answer has a variance V over w and b, measured at
/// each query over 4,096 features; so I iid features err by V / I. Neighbours differ by at most sqrt 2 in each of I features,
/// so each gets Laplace noise of variance 2 (sqrt 2 I / eps)^2, and the answer sum_j f_j(y)^2 / I^2 times that, 4 I / eps^2
/// on average. I is chosen best, knowing V, for each epsilon: real users know it less well.
/// </remarks>
sealed class LsqRandomFeatures
{
    const int Features = 4096, Projected = 200, Projections = 2;

    readonly double _projectionError;

    LsqRandomFeatures(double variance, double pairVariance, double projectionError) =>
        (Variance, PairVariance, _projectionError) = (variance, pairVariance, projectionError);

    /// <summary>V, averaged over the queries.</summary>
    public double Variance { get; }

    /// <summary>The same for a pair (cos, sin) / 1 in place of a phase b: that of plain random Fourier features.</summary>
    public double PairVariance { get; }

    /// <summary>Null if the function has no random frequencies.</summary>
    public static LsqRandomFeatures? Measure(EvaluationSet set, PairFunction function)
    {
        if (function is not (IRadialSpectrum or ICauchySpectrum)) return null;
        int d = set.Rows.Dimension, queries = set.Queries.Count;
        var random = new PublicRandom(77);
        FourierMap map = FourierMap.Dense(d, DrawRows(function, d, Features, random), Features);
        var cells = new long[2 * Features];
        set.Engine.AddFourier(map, set.Rows, cells);
        double unit = 1 / (FourierSketch.PairScale * FourierSketch.PairScale);
        double[] pair = [.. cells.Select(cell => cell * unit)], single = new double[2 * Features];
        for (int j = 0; j < Features; j++)
        {
            // sqrt 2 cos(t + b) = sqrt 2 (cos b cos t - sin b sin t), on both sides.
            (double sin, double cos) = Math.SinCos(2 * Math.PI * random.NextUnit());
            double f = 2 * (cos * pair[j] - sin * pair[Features + j]);
            (single[j], single[Features + j]) = (cos * f, -sin * f);
        }
        return new(Spread(single), Spread(pair), ProjectionError(set, function));

        double Spread(double[] weights)
        {
            var answers = new double[queries * Features];
            set.Engine.ProjectFourier(map, set.Queries, weights, 1, answers);
            double sum = 0;
            foreach (double[] of in answers.Chunk(Features))
            {
                double mean = of.Average();
                sum += of.Sum(a => (a - mean) * (a - mean)) / (Features - 1);
            }
            return sum / queries;
        }
    }

    /// <summary>Root mean square error at the best I.</summary>
    public double Lsq(double epsilon) => Math.Sqrt(4 * Math.Sqrt(Variance) / epsilon);

    /// <summary>The same with the error of the projection; NaN for functions of |z|_1.</summary>
    public double ProjectedLsq(double epsilon) => double.Hypot(Lsq(epsilon), _projectionError);

    /// <summary>Iid frequencies in turns, straight from the kernel's spectral law.</summary>
    public static float[] DrawRows(PairFunction function, int dimension, int count, PublicRandom random)
    {
        double turns = 1 / (2 * Math.PI * function.Bandwidth);
        var rows = new float[count * dimension];
        for (int j = 0; j < count; j++)
        {
            double scale = turns * (function is ICauchySpectrum cauchy
                ? cauchy.MixingScale(random.NextUnit()) : ((IRadialSpectrum)function).MixingScale(random.NextUnit(), random.NextUnit()));
            for (int k = 0; k < dimension; k++)
            {
                double w = scale * (function is ICauchySpectrum ? PortableMath.TanPi(random.NextUnit() - 0.5) : random.NextNormal());
                rows[j * dimension + k] = Math.Abs(w) < Canonical.Smallest
                    ? 0f : (float)Math.Clamp(w, -Canonical.Largest, Canonical.Largest);
            }
        }
        return rows;
    }

    /// <summary>Exact sums between projected points against exact sums.</summary>
    static double ProjectionError(EvaluationSet set, PairFunction function)
    {
        if (function is ICauchySpectrum) return double.NaN;
        int d = set.Rows.Dimension;
        if (d <= Projected) return 0;
        double squared = 0;
        double[] exact = set.Exact(function);
        for (ulong draw = 0; draw < Projections; draw++)
        {
            var random = new PublicRandom(99, draw);
            float[] rows = [.. Enumerable.Range(0, Projected * d).Select(_ => (float)(random.NextNormal() / Math.Sqrt(Projected)))];
            FourierMap map = FourierMap.Dense(d, rows, 1);
            var sums = new double[exact.Length];
            set.Engine.AddExactSums(function, Project(set.Rows), Project(set.Queries), sums);
            for (int q = 0; q < sums.Length; q++) squared += (sums[q] - exact[q]) * (sums[q] - exact[q]);

            Points Project(Points points)
            {
                var products = new float[points.Count * Projected];
                set.Engine.MultiplyRows(map, points, products);
                Canonical.Flush(products);
                return new(products, Projected);
            }
        }
        return Math.Sqrt(squared / (Projections * exact.Length));
    }
}
