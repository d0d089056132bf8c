namespace PrivateKernels;

/// <summary>
/// Frequencies and weights of the trapezoid rule for exp(-|z|^2/h^2) where |z_i| is at most L in each of d coordinates
/// (structures.md, section 8): k(z) = sum_j a_j cos(2 pi f_j . z) within tolerance; the first frequency is 0.
/// </summary>
/// <remarks>
/// delta = 2 pi / (L + h sqrt(ln(2d/tol))); frequencies delta j for integer vectors j with |j_i| delta up to
/// (2/h) sqrt(ln(2d/tol)); a_j = (delta h / (2 sqrt pi))^d exp(-|delta j|^2 h^2 / 4), doubled for one of each pair j, -j;
/// the largest are kept until the rest sums to less than tol/2. Weights are ordered by |j|^2, then by j, so the order
/// needs no comparison of rounded numbers.
/// </remarks>
sealed class FrequencyGrid
{
    /// <summary>Integer vectors that are looked at, at most.</summary>
    const double MostVectors = 1 << 20;

    FrequencyGrid(int[] vectors, double[] weights, double turns) => (Vectors, Weights, Turns) = (vectors, weights, turns);

    /// <summary>j, [pair][coordinate].</summary>
    public int[] Vectors { get; }

    /// <summary>a_j, the one of frequency 0 first; they sum to about 1.</summary>
    public double[] Weights { get; }

    /// <summary>delta / (2 pi): a frequency is this times j, in turns.</summary>
    public double Turns { get; }

    /// <summary>The grid, or null if it has more pairs than <paramref name="mostPairs"/>.</summary>
    public static FrequencyGrid? Create(int d, double length, double bandwidth, double tolerance, int mostPairs)
    {
        double root = Math.Sqrt(PortableMath.Log(2 * d / tolerance)), delta = 2 * Math.PI / (length + bandwidth * root);
        double most = 2 * root / bandwidth / delta;
        if (!(Math.Pow(2 * most + 1, d) / 2 <= MostVectors)) return null;
        int side = (int)most, across = 2 * side + 1, all = 1;
        for (int k = 0; k < d; k++) all *= across;
        var shells = new SortedDictionary<int, List<int[]>>();
        // The second half of the vectors in lexicographic order, from 0 on: one of each pair.
        for (int index = all / 2; index < all; index++)
        {
            var vector = new int[d];
            int square = 0;
            int rest = index;
            for (int k = d - 1; k >= 0; k--, rest /= across)
            {
                vector[k] = rest % across - side;
                square += vector[k] * vector[k];
            }
            if (!shells.TryGetValue(square, out List<int[]>? shell)) shells[square] = shell = [];
            shell.Add(vector);
        }
        double factor = 1, total = 0;
        for (int k = 0; k < d; k++) factor *= delta * bandwidth / (2 * Math.Sqrt(Math.PI));
        double quarter = delta * bandwidth * delta * bandwidth / 4;
        foreach ((int square, List<int[]> shell) in shells)
            total += shell.Count * WeightOf(square);
        var vectors = new List<int>();
        var weights = new List<double>();
        foreach ((int square, List<int[]> shell) in shells)
            foreach (int[] vector in shell)
            {
                if (total < tolerance / 2) return new([.. vectors], [.. weights], delta / (2 * Math.PI));
                if (weights.Count == mostPairs) return null;
                vectors.AddRange(vector);
                weights.Add(WeightOf(square));
                total -= weights[^1];
            }
        return new([.. vectors], [.. weights], delta / (2 * Math.PI));

        double WeightOf(int square) => (square == 0 ? 1 : 2) * factor * PortableMath.Exp(-quarter * square);
    }
}
