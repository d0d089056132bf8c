namespace PrivateKernels.Benchmarks;

/// <summary>
/// LSQ-FGT (Wagner, Naaman, Andoni 2023, arXiv 2307.02877), gaussian kernel in low dimension: a grid of boxes of side s h; a record
/// adds its monomials t^k, t = (x - center) / h, k a multi-index below p in each coordinate, to its own box alone; a query reads
/// the boxes with Hermite functions, prod h_k(q) / k!, q = (y - center) / h. Laplace noise in every cell of every box.
/// </summary>
/// <remarks>
/// |t| is at most s/2, so a record's L1 norm is at most Delta = (sum_{k below p} (s/2)^k)^d, for every x. Noise of variance
/// 2 (Delta / eps)^2 reaches the answer through every box that the query reads: those with a point nearer than the reach in every
/// coordinate. The error is computed as its expectation, and s, p and the reach are the best for each epsilon.
/// </remarks>
static class LsqFastGauss
{
    public static double BestError(EvaluationSet set, Gaussian function, double epsilon) => (
        from side in (double[])[0.25, 0.5, 1, 1.5]
        from terms in (int[])[1, 2, 3, 4, 6, 8]
        from reach in (double[])[1.5, 2, 3]
        select Error(set, function, side, terms, reach, epsilon)).Min();

    static double Error(EvaluationSet set, Gaussian function, double side, int terms, double reach, double epsilon)
    {
        int d = set.Rows.Dimension;
        double h = function.Bandwidth, lower = set.Domain.Lower!.Value, width = side * h;
        int boxes = (int)Math.Ceiling((set.Domain.Upper!.Value - lower) / width);
        int perBox = (int)Math.Pow(terms, d);
        var cells = new double[(int)Math.Pow(boxes, d) * perBox];
        var factors = new double[d, terms];
        for (int i = 0; i < set.Count; i++)
        {
            ReadOnlySpan<float> x = set.Rows.Row(i);
            int box = 0;
            for (int k = 0; k < d; k++)
            {
                int b = Math.Min(boxes - 1, (int)((x[k] - lower) / width));
                box = box * boxes + b;
                double t = (x[k] - lower - (b + 0.5) * width) / h;
                factors[k, 0] = 1;
                for (int e = 1; e < terms; e++) factors[k, e] = factors[k, e - 1] * t;
            }
            for (int c = 0; c < perBox; c++) cells[box * perBox + c] += Product(factors, c, terms, d);
        }
        double norm = Math.Pow(Enumerable.Range(0, terms).Sum(e => Math.Pow(side / 2, e)), d);
        double[] exact = set.Exact(function);
        double squared = 0;
        for (int q = 0; q < exact.Length; q++)
        {
            (double value, double psi) = Answer(set.Queries.Row(q), cells, lower, width, h, boxes, terms, reach + side / 2);
            squared += Math.Pow(value - exact[q], 2) + 2 * Math.Pow(norm / epsilon, 2) * psi;
        }
        return Math.Sqrt(squared / exact.Length);
    }

    static (double Value, double SquaredPsi) Answer(
        ReadOnlySpan<float> y, double[] cells, double lower, double width, double h, int boxes, int terms, double reach)
    {
        int d = y.Length, perBox = (int)Math.Pow(terms, d);
        double value = 0, psi = 0;
        var factors = new double[d, terms];
        for (int box = 0; box < cells.Length / perBox; box++)
        {
            bool near = true;
            for (int k = d - 1, rest = box; k >= 0; rest /= boxes, k--)
            {
                double q = (y[k] - lower - (rest % boxes + 0.5) * width) / h;
                near &= Math.Abs(q) <= reach;
                // h_k(q) / k!: h_0 = e^-q^2, h_1 = 2 q h_0, h_(k+1) = 2 q h_k - 2 k h_(k-1).
                double previous = 0, current = Math.Exp(-q * q), factorial = 1;
                for (int e = 0; e < terms; e++)
                {
                    factors[k, e] = current / factorial;
                    (previous, current) = (current, 2 * q * current - 2 * e * previous);
                    factorial *= e + 1;
                }
            }
            if (!near) continue;
            for (int c = 0; c < perBox; c++)
            {
                double weight = Product(factors, c, terms, d);
                value += weight * cells[box * perBox + c];
                psi += weight * weight;
            }
        }
        return (value, psi);
    }

    static double Product(double[,] factors, int index, int terms, int d)
    {
        double product = 1;
        for (int k = d - 1; k >= 0; index /= terms, k--) product *= factors[k, index % terms];
        return product;
    }
}
