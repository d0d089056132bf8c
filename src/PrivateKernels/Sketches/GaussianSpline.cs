namespace PrivateKernels;

/// <summary>
/// exp(-(x - y)^2 / h^2) in one coordinate as a spline in x: sum_j c_j(y) B((x - node j) / w). What it costs in noise and in
/// accuracy depends on the degree and on w / h alone.
/// </summary>
/// <param name="degree">Of the splines, one of <see cref="CardinalSpline.Degrees"/>.</param>
/// <param name="spacing">w / h: distance of the nodes in bandwidths.</param>
/// <param name="intervals">Intervals of the box, M; node j = 0 .. M + m - 1 lies at j - (m - 1) / 2 intervals from its lower end.</param>
sealed class GaussianSpline(int degree, double spacing, int intervals)
{
    /// <summary>exp(-Reach^2) = 2e-16: nodes further away see nothing.</summary>
    const double Reach = 6;

    /// <summary>Coefficients below it are left out at both ends.</summary>
    const double Least = 1e-12;

    readonly CardinalSpline _spline = CardinalSpline.Of(degree);

    public int Nodes { get; } = intervals + degree;

    /// <summary>The coefficients c_j(y) that matter, from node <paramref name="first"/> on.</summary>
    /// <param name="y">Place of the query, in intervals from the box's lower end.</param>
    /// <param name="first">Node of the first one.</param>
    public double[] Coefficients(double y, out int first) => Coefficients(y, 0, Nodes - 1, out first);

    double[] Coefficients(double y, int least, int most, out int first)
    {
        double[] inverse = _spline.Inverse;
        double center = y + (degree - 1) / 2, reach = Reach / spacing;
        int from = (int)Math.Clamp(Math.Ceiling(center - reach), least - inverse.Length + 1, most + inverse.Length);
        int to = (int)Math.Clamp(Math.Floor(center + reach), from - 1, most + inverse.Length - 1);
        var values = new double[to - from + 1];
        for (int i = 0; i < values.Length; i++)
        {
            double z = (from + i - center) * spacing;
            values[i] = PortableMath.Exp(-z * z);
        }
        first = Math.Max(least, from - inverse.Length + 1);
        int last = Math.Min(most, to + inverse.Length - 1);
        if (last < first) return [];
        var coefficients = new double[last - first + 1];
        for (int j = first; j <= last; j++)
        {
            double sum = 0;
            for (int i = Math.Max(from, j - inverse.Length + 1); i <= Math.Min(to, j + inverse.Length - 1); i++)
                sum += inverse[Math.Abs(i - j)] * values[i - from];
            coefficients[j - first] = sum;
        }
        int skipped = coefficients.AsSpan().IndexOfAnyExceptInRange(-Least, Least);
        if (skipped < 0) return [];
        first += skipped;
        return coefficients[skipped..(coefficients.AsSpan().LastIndexOfAnyExceptInRange(-Least, Least) + 1)];
    }

    /// <summary>Largest sum_j c_j(y)^2: y in the middle of the box, where most nodes are near.</summary>
    public double LargestSquaredNorm()
    {
        const int Places = 8;
        double worst = 0;
        for (int place = 0; place <= Places; place++)
        {
            double sum = 0;
            foreach (double c in Coefficients(intervals / 2 + (double)place / Places, out _)) sum += c * c;
            worst = Math.Max(worst, sum);
        }
        return worst;
    }

    /// <summary>
    /// Largest error over x and y anywhere on the line, and the largest coefficient. The error is that at 9 places of y and 8 of x
    /// in each interval within five bandwidths, and a tenth more for the places between; nodes closer than 1/20 of a bandwidth
    /// gain what the order of the splines says.
    /// </summary>
    public (double Error, double Coefficient) Worst()
    {
        const int Places = 8;
        const double Closest = 0.05;
        if (spacing < Closest)
        {
            (double error, double coefficient) = new GaussianSpline(degree, Closest, intervals).Worst();
            return (error * PortableMath.Pow(spacing / Closest, degree + 1), coefficient);
        }
        double worst = 0, largest = 0;
        int near = (int)Math.Ceiling(5 / spacing), far = (int)(2 * Reach / spacing) + 2 * _spline.Inverse.Length;
        var basis = new double[degree + 1];
        for (int place = 0; place <= Places; place++)
        {
            double y = (double)place / Places;
            double[] c = Coefficients(y, -far, far, out int first);
            foreach (double value in c) largest = Math.Max(largest, Math.Abs(value));
            for (int x = -near * Places; x <= near * Places; x++)
            {
                int interval = (int)Math.Floor((double)x / Places);
                double z = ((double)x / Places - y) * spacing, difference = -PortableMath.Exp(-z * z);
                _spline.Basis((double)x / Places - interval, basis);
                for (int r = 0; r <= degree; r++)
                    if (interval + r - first is var j && j >= 0 && j < c.Length) difference += basis[r] * c[j];
                worst = Math.Max(worst, Math.Abs(difference));
            }
        }
        return (1.1 * worst, largest);
    }
}
