using MathNet.Numerics.Integration;

namespace PrivateKernels;

/// <summary>
/// Gaussian differential privacy in fp64, to about 1e-13 relative: delta(epsilon; mu) = Phi(-epsilon/mu + mu/2) -
/// e^epsilon Phi(-epsilon/mu - mu/2) and its inverses (Balle and Wang 2018; Dong, Roth and Su 2022). For reading and
/// planning; what a ledger counts is decided exactly by <see cref="Units"/>.
/// </summary>
public static class GaussianDp
{
    const double RootTwoPi = 2.5066282746310005;
    const double RootHalfPi = 1.2533141373155003;

    /// <summary>
    /// delta(epsilon; mu) for epsilon at least 0 and mu above 0; 0 where it is below the smallest double.
    /// </summary>
    public static double Delta(double epsilon, double mu)
    {
        double a = (epsilon / mu) - (mu / 2), b = (epsilon / mu) + (mu / 2);
        double density = Math.Exp(-a * a / 2) / RootTwoPi;
        return a >= -1 ? density * MillsDifference(a, b) : 1 - (density * (Mills(-a) + Mills(b)));
    }

    /// <summary>
    /// Least epsilon at least 0 with delta(epsilon; mu) at most <paramref name="delta"/>, for delta in (0, 1).
    /// </summary>
    public static double Epsilon(double delta, double mu)
    {
        if (Delta(0, mu) <= delta) return 0;
        // delta(epsilon; mu) < P(N > a), and P(N > 39) is below every double.
        double high = mu * (39 + (mu / 2));
        return Solve(
            0, high, epsilon => Math.Log(Delta(epsilon, mu) / delta),
            epsilon => -Density((epsilon / mu) - (mu / 2)) * Mills((epsilon / mu) + (mu / 2)) / Delta(epsilon, mu));
    }

    /// <summary>
    /// Largest mu with delta(epsilon; mu) at most <paramref name="delta"/>: 1/mu is the noise ratio sigma(epsilon,
    /// delta). Epsilon at least 0, delta in (0, 1).
    /// </summary>
    public static double Mu(double epsilon, double delta)
    {
        // a = epsilon/mu - mu/2 falls as mu grows; delta is within doubles for a in [-9, 39].
        double low = epsilon == 0 ? 1e-300 : Math.Max(epsilon / (39 + Math.Sqrt((39 * 39) + (2 * epsilon))), 1e-300);
        double high = 9 + Math.Sqrt(81 + (2 * epsilon));
        return Math.Exp(Solve(
            Math.Log(low), Math.Log(high), t => Math.Log(Delta(epsilon, Math.Exp(t)) / delta),
            t => Math.Exp(t) * Density((epsilon / Math.Exp(t)) - (Math.Exp(t) / 2)) / Delta(epsilon, Math.Exp(t))));
    }

    /// <summary>
    /// Least mu such that every pure epsilon release is mu-GDP: 2 Phi^-1(e^epsilon / (1 + e^epsilon)), epsilon above 0.
    /// </summary>
    public static double PureToMu(double epsilon)
    {
        // Near epsilon = 0 the half tail is compared, further out the logarithm of the tail: both keep every digit.
        if (epsilon < 1)
        {
            double half = Math.Tanh(epsilon / 2) / 2;
            return 2 * Solve(0, 2, m => (Density(m) * Series(m)) - half, Density);
        }
        double tail = -epsilon - Math.Log(1 + Math.Exp(-epsilon));
        return 2 * Solve(
            0, Math.Sqrt(2 * epsilon), m => (-m * m / 2) + Math.Log(Mills(m) / RootTwoPi) - tail, m => -1 / Mills(m));
    }

    /// <summary>P(N > x) for x at least 0.</summary>
    internal static double Tail(double x) => Density(x) * Mills(x);

    static double Density(double x) => Math.Exp(-x * x / 2) / RootTwoPi;

    /// <summary>R(x) = P(N > x) / phi(x), x at least -1 or so.</summary>
    static double Mills(double x) => x < 2 ? (RootHalfPi * Math.Exp(x * x / 2)) - Series(x) : 1 / (x + Fraction(x));

    /// <summary>R(a) - R(b) for b above a, a at least -1.</summary>
    /// <remarks>Where the two agree in their leading digits, the integral of -R'(x) = 1 - x R(x).</remarks>
    static double MillsDifference(double a, double b) =>
        b - a > 0.5 ? Mills(a) - Mills(b) : GaussLegendreRule.Integrate(MinusMillsSlope, a, b, 16);

    static double MinusMillsSlope(double x)
    {
        if (x < 2) return 1 - (x * Mills(x));
        double fraction = Fraction(x);
        return fraction / (x + fraction);
    }

    /// <summary>1/(x + 2/(x + 3/(x + ...))) for x at least 2.</summary>
    static double Fraction(double x)
    {
        double tail = 0;
        for (int k = 20 + (int)(600 / (x * x)); k >= 1; k--) tail = k / (x + tail);
        return tail;
    }

    /// <summary>(Phi(x) - 1/2)/phi(x) = x + x^3/3 + x^5/(3 5) + ...</summary>
    static double Series(double x)
    {
        double term = x, sum = x;
        for (int k = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); k++)
        {
            term *= x * x / ((2 * k) + 1);
            sum += term;
        }
        return sum;
    }

    /// <summary>Root of a monotone function: Newton's steps, and a bisection where a step leaves the bracket.</summary>
    static double Solve(double low, double high, Func<double, double> value, Func<double, double> slope)
    {
        bool rises = value(high) > 0;
        double x = (low + high) / 2;
        for (int step = 0; step < 200; step++)
        {
            double f = value(x);
            if (f == 0) return x;
            if (f > 0 == rises) high = x; else low = x;
            double next = x - (f / slope(x));
            if (!(next > low && next < high)) next = (low + high) / 2;
            if (Math.Abs(next - x) <= 4e-16 * Math.Abs(x)) return next;
            x = next;
        }
        return x;
    }
}
