using MathNet.Numerics;

namespace PrivateKernels;

/// <summary>
/// What linear interpolation in x and in y, on a grid of m cells over the unit interval, does to |x - y|^p, 0 &lt; p &lt; 2
/// (structures.md, section 5).
/// </summary>
static class GridError
{
    /// <summary>Mean over x and y spread evenly: 2 zeta(-p) m^-(1 + p) + m^-2 / 3.</summary>
    public static double Mean(double p, int m) => 2 * ZetaAtMinus(p) * Math.Pow(m, -1 - p) + 1.0 / 3 / m / m;

    /// <summary>
    /// Root mean square over x, about sqrt(0.1 / m) m^-p: only records within a few cells of y err, by up to m^-p.
    /// </summary>
    public static double Spread(double p, int m) => Math.Sqrt(0.1 / m) * Math.Pow(m, -p);

    /// <summary>zeta(-p) by the functional equation, from zeta(1 + p) by Euler and Maclaurin.</summary>
    static double ZetaAtMinus(double p)
    {
        const int Terms = 20;
        double s = 1 + p, zeta = Math.Pow(Terms, -p) / p + Math.Pow(Terms, -s) / 2 + s * Math.Pow(Terms, -s - 1) / 12;
        for (int k = 1; k < Terms; k++) zeta += Math.Pow(k, -s);
        return -Math.Pow(2, -p) * Math.Pow(Math.PI, -s) * Math.Sin(Math.PI * p / 2) * SpecialFunctions.Gamma(s) * zeta;
    }
}
