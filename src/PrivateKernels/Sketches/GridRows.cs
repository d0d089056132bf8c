namespace PrivateKernels;

/// <summary>
/// One integer vector for each point of a grid of m + 1 points with unit spacing, whose inner products stand for
/// |a - b|^p (structures.md, section 5): of length at most A = 2^20 and, in units of <see cref="Radius"/> / Scale,
/// <list type="bullet">
/// <item>about the sphere's center (shift map): C - |a - b|^p with C = Radius^2;</item>
/// <item>about the middle point (centred map): s^p + t^p - |a - b|^p, s and t the distances of a and b from the middle,
/// Radius^2 = 2 (m/2)^p.</item>
/// </list>
/// </summary>
/// <remarks>
/// Guarantee: every row has a squared length of at most 2^40, checked in integers when the table is made.
/// Entries are rounded to nearest, which moves a row by at most sqrt(m)/2, at most 32 for m up to 4096: Scale = A - 64
/// leaves room for that. (Truncation would bias every answer by up to sqrt(m)/A.)
/// </remarks>
sealed class GridRows
{
    /// <summary>A: bound on the length of a row.</summary>
    public const int Length = 1 << 20;

    /// <summary>Integer units of <see cref="Radius"/>.</summary>
    public const double Scale = Length - 64;

    // [coordinate][grid point]
    readonly int[] _table;
    readonly double[] _squared, _neighbour;

    public GridRows(double p, int m, bool centred, double radius)
    {
        (Cells, _table) = (m, new int[m * (m + 1)]);
        (_squared, _neighbour) = (new double[m + 1], new double[m]);
        double factor = Scale / radius;
        int at = 0;
        for (var simplex = new PowerSimplex(p, m); simplex.Next(); at += m + 1)
        {
            double origin = centred ? simplex.Points[m / 2] : simplex.Center;
            for (int j = 0; j <= m; j++)
            {
                int entry = (int)Math.Round((simplex.Points[j] - origin) * factor);
                _table[at + j] = entry;
                // Integers below 2^53: exact.
                _squared[j] += (double)entry * entry;
                if (j > 0) _neighbour[j - 1] += (double)entry * _table[at + j - 1];
            }
        }
        foreach (double squared in _squared)
            if (!(squared <= (double)Length * Length))
                throw new InvalidOperationException("a row of the grid is longer than 2^20");
    }

    /// <summary>m, entries of a row and grid cells.</summary>
    public int Cells { get; }

    /// <summary>Length of the rows before rounding, for unit spacing: the same for all, or the longest.</summary>
    public static double Radius(double p, int m, bool centred) =>
        Math.Sqrt(centred ? 2 * PortableMath.Pow(m / 2, p) : PowerSimplex.SquaredRadius(p, m));

    /// <summary>cells = sum over grid points j of weights[j] times row j, exactly.</summary>
    public void Combine(ReadOnlySpan<long> weights, Span<long> cells)
    {
        for (int k = 0; k < cells.Length; k++)
        {
            ReadOnlySpan<int> entries = Coordinate(k);
            long sum = 0;
            for (int j = 0; j < entries.Length; j++) sum += weights[j] * entries[j];
            cells[k] = sum;
        }
    }

    /// <summary>products[j] += factor times the inner product of row j with cells, for every grid point j.</summary>
    public void AddProducts(ReadOnlySpan<long> cells, double factor, Span<double> products)
    {
        for (int k = 0; k < cells.Length; k++)
        {
            ReadOnlySpan<int> entries = Coordinate(k);
            double cell = factor * cells[k];
            for (int j = 0; j < entries.Length; j++) products[j] += cell * entries[j];
        }
    }

    /// <summary>Squared length of (1 - v) row j + v row j + 1.</summary>
    public double SquaredLength(int j, double v) =>
        (1 - v) * (1 - v) * _squared[j] + 2 * v * (1 - v) * _neighbour[j] + v * v * _squared[j + 1];

    ReadOnlySpan<int> Coordinate(int k) => _table.AsSpan(k * (Cells + 1), Cells + 1);
}
