namespace PrivateKernels;

/// <summary>
/// The points u_0 = 0, u_1, ..., u_m of R^m with |u_a - u_b|^2 = 2 |a - b|^p, 0 &lt; p &lt; 2, one coordinate after another,
/// and the center of the sphere through all of them.
/// </summary>
/// <remarks>
/// The steps u_j - u_(j-1) have the Toeplitz Gram matrix (k + 1)^p + |k - 1|^p - 2 k^p, k = |i - j|; coordinate k of the
/// steps is column k of its Cholesky factor, which Schur's algorithm finds in O(m) (mixed form, as stable as Cholesky's).
/// Only + - * / and square roots in a fixed order: the same bits on every machine.
/// </remarks>
sealed class PowerSimplex
{
    readonly double[] _step, _other, _rest, _points;
    int _coordinate = -1;

    public PowerSimplex(double p, int m)
    {
        var powers = new double[m + 1];
        for (int k = 0; k <= m; k++) powers[k] = PortableMath.Pow(k, p);
        (_step, _other, _rest, _points) = (new double[m], new double[m], new double[m], new double[m + 1]);
        for (int k = 0; k < m; k++)
        {
            double gram = k == 0 ? 2 : powers[k + 1] + powers[k - 1] - 2 * powers[k];
            _step[k] = gram / Math.Sqrt(2);
            _other[k] = k == 0 ? 0 : _step[k];
            // The center c is as far from u_k as from u_(k+1): c . (u_(k+1) - u_k) is half the difference of their squares.
            _rest[k] = powers[k + 1] - powers[k];
        }
    }

    /// <summary>This coordinate of the points 0 .. m.</summary>
    public ReadOnlySpan<double> Points => _points;

    /// <summary>This coordinate of the sphere's center.</summary>
    public double Center { get; private set; }

    /// <summary>Squared radius C of the sphere for a grid of unit spacing: the least C with C - |a - b|^p positive.</summary>
    public static double SquaredRadius(double p, int m)
    {
        double sum = 0;
        for (var simplex = new PowerSimplex(p, m); simplex.Next();) sum += simplex.Center * simplex.Center;
        return sum;
    }

    /// <summary>Goes to the next coordinate; false after the last, m - 1.</summary>
    public bool Next()
    {
        int k = ++_coordinate, m = _step.Length;
        if (k == m) return false;
        if (k > 0) Rotate(k);
        Center = _rest[k] / _step[k];
        for (int i = k + 1; i < m; i++) _rest[i] -= Center * _step[i];
        double sum = 0;
        _points[k] = 0;
        for (int i = k; i < m; i++) _points[i + 1] = sum += _step[i];
        return true;
    }

    void Rotate(int k)
    {
        Array.Copy(_step, k - 1, _step, k, _step.Length - k);
        double ratio = _other[k] / _step[k], root = Math.Sqrt((1 - ratio) * (1 + ratio));
        if (!(root > 0)) throw new InvalidOperationException("the grid's Gram matrix is not positive in fp64");
        for (int i = k; i < _step.Length; i++)
        {
            double turned = (_step[i] - ratio * _other[i]) / root;
            _other[i] = root * _other[i] - ratio * turned;
            _step[i] = turned;
        }
    }
}
