namespace PrivateKernels;

/// <summary>
/// B-splines of odd degree m on an equally spaced grid, and interpolation by them on the whole line (Schoenberg): values s_i at
/// the nodes become coefficients c = g * s, g the inverse of the B-spline's own values at the nodes, which decays geometrically.
/// All arithmetic is that of IEEE doubles in a fixed order, and so the same everywhere.
/// </summary>
sealed class CardinalSpline
{
    /// <summary>The degrees there are: a higher one is more accurate on a coarse grid, and wider.</summary>
    public static IReadOnlyList<int> Degrees { get; } = [1, 3, 5, 7, 9];

    /// <summary>Of the inverse on each side; at degree 9 it decays by 0.61 a node.</summary>
    const int MostTaps = 80;

    const double Negligible = 1e-16;

    static readonly CardinalSpline[] All = [.. Degrees.Select(static degree => new CardinalSpline(degree))];

    CardinalSpline(int degree)
    {
        Degree = degree;
        var values = new double[degree + 1];
        Basis(0, values);
        Inverse = Invert(values.AsSpan()[(degree / 2)..degree]);
    }

    public int Degree { get; }

    /// <summary>g_0, g_1, ...; g is symmetric.</summary>
    public double[] Inverse { get; }

    /// <summary>The splines of a degree of <see cref="Degrees"/>.</summary>
    public static CardinalSpline Of(int degree) => All[degree / 2];

    /// <summary>
    /// The m + 1 B-splines that are not 0 at place u in [0, 1] of an interval, leftmost first (Cox and de Boor): none is negative,
    /// and they add up to 1.
    /// </summary>
    public void Basis(double u, Span<double> values)
    {
        values[0] = 1;
        for (int p = 1; p <= Degree; p++)
        {
            double saved = 0;
            for (int r = 0; r < p; r++)
            {
                double part = values[r] / p;
                values[r] = saved + (r + 1 - u) * part;
                saved = (u + (p - 1 - r)) * part;
            }
            values[p] = saved;
        }
    }

    /// <summary>The middle row of the inverse of the band matrix of <paramref name="band"/>, by elimination.</summary>
    static double[] Invert(ReadOnlySpan<double> band)
    {
        const int Size = 2 * MostTaps + 1;
        var rows = new double[Size, Size];
        var right = new double[Size];
        right[MostTaps] = 1;
        for (int i = 0; i < Size; i++)
            for (int j = Math.Max(0, i - band.Length + 1); j < Math.Min(Size, i + band.Length); j++)
                rows[i, j] = band[Math.Abs(i - j)];
        for (int k = 0; k < Size; k++)
            for (int i = k + 1; i < Math.Min(Size, k + band.Length); i++)
            {
                double factor = rows[i, k] / rows[k, k];
                for (int j = k; j < Math.Min(Size, k + band.Length); j++) rows[i, j] -= factor * rows[k, j];
                right[i] -= factor * right[k];
            }
        for (int k = Size - 1; k >= 0; k--)
        {
            for (int j = k + 1; j < Math.Min(Size, k + band.Length); j++) right[k] -= rows[k, j] * right[j];
            right[k] /= rows[k, k];
        }
        return [.. right[MostTaps..].TakeWhile(static g => Math.Abs(g) > Negligible)];
    }
}
