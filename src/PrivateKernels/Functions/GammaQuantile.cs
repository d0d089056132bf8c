using MathNet.Numerics;

namespace PrivateKernels;

/// <summary>Quantiles of the Gamma(shape, 1) law, from which every radius law is built.</summary>
public static class GammaQuantile
{
    /// <summary>
    /// x with P(G at most x) = u for G ~ Gamma(shape, 1); u in (0, 1). Relative error about 1e-13 (structures.md 2.1).
    /// </summary>
    /// <remarks>
    /// Newton's method on the logarithm of the nearer tail, in log x: both tails are log-concave in log x, so it converges
    /// from any start; a bracket guards the first steps.
    /// </remarks>
    public static double Of(double shape, double u)
    {
        if (shape == 1) return -Log1P(-u);
        double x = Start(shape, u);
        if (x < 1e-14) return x;                // the series ends with its leading term here: relative error below x
        double low = 0, high = double.PositiveInfinity;
        for (int i = 0; i < 100; i++)
        {
            double below = SpecialFunctions.GammaLowerRegularized(shape, x);
            double above = u < 0.5 ? 1 - below : SpecialFunctions.GammaUpperRegularized(shape, x);
            double excess = u < 0.5 ? below - u : 1 - u - above;
            if (excess > 0) high = x;
            else low = x;
            // d below / d log x = x pdf(x)
            double slope = Math.Exp(shape * Math.Log(x) - x - SpecialFunctions.GammaLn(shape));
            double step = u < 0.5 ? Math.Log(below / u) * below / slope : -Math.Log(above / (1 - u)) * above / slope;
            double next = x * Math.Exp(-Math.Clamp(step, -2, 2));
            if (!(next > low && next < high)) next = double.IsInfinity(high) ? 2 * low : low == 0 ? high / 2 : (low + high) / 2;
            if (Math.Abs(next - x) <= 4e-16 * x) return next;
            x = next;
        }
        return x;
    }

    // Wilson and Hilferty's cube for the bulk; the leading term of the series x^a / Gamma(a + 1) near 0.
    static double Start(double shape, double u)
    {
        double z = -Math.Sqrt(2) * SpecialFunctions.ErfcInv(2 * u);
        double c = 1 - 1 / (9 * shape) + z / (3 * Math.Sqrt(shape));
        double bulk = shape * c * c * c;
        return c > 0.3 ? bulk : Math.Exp((Math.Log(u) + SpecialFunctions.GammaLn(shape + 1)) / shape);
    }

    static double Log1P(double x) => Math.Abs(x) > 1e-4 ? Math.Log(1 + x) : x * (1 - x / 2 * (1 - 2 * x / 3 * (1 - 3 * x / 4)));
}
