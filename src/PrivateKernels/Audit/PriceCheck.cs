using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Prices and what is shown of them, against golden integers (computed to 50 digits, apart from this program) and
/// against inequalities: units never above what was asked, epsilon shown never below what was spent.
/// </summary>
static class PriceCheck
{
    /// <summary>floor(2^40 / sigma(epsilon, delta)^2).</summary>
    static readonly (double Epsilon, double Delta, long Units)[] Gaussian =
    [
        (1, 1e-6, 61604497218), (1, 1e-5, 79001454890), (0.5, 1e-5, 22236350533), (8, 1e-9, 1751820196631),
        (0.1, 1e-6, 834208000),
    ];

    /// <summary>floor(2^40 epsilon) and ceil(2^40 mu^2), mu the least that every such release satisfies.</summary>
    static readonly (double Epsilon, long Units, long InGaussian)[] Pure =
        [(0.1, 109951162777, 17264914805), (1, 1099511627776, 1668961004153), (0.000001, 1099511, 2)];

    /// <summary>Epsilon at 1e-6 of units of mu^2, for one and for three records.</summary>
    static readonly (long Units, double One, double Three)[] Shown =
    [
        (61604497218, 0.999999999998994, 3.3232895112647887), (83840847751, 1.1809432199673209, 3.949320009143326),
        (161457920757, 1.6849941661935919, 5.731238149221309),
    ];

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort) =>
        (Charges(product) ?? Readings(product) ?? Scales(product)) is { } violation
            ? AuditOutcome.Broken(violation)
            : AuditOutcome.Holds($"{Gaussian.Length + 2 * Pure.Length + 2 * Shown.Length} golden prices and readings");

    static string? Charges(AuditedProduct product)
    {
        foreach ((double epsilon, double delta, long units) in Gaussian)
            if (product.UnitsOfLoss(new(epsilon, delta)) is var charged && charged != units)
                return AuditOutcome.Text($"({epsilon}, {delta}) is {charged} units, not {units}");
        foreach ((double epsilon, long units, long inGaussian) in Pure)
        {
            if (product.UnitsOfLoss(new(epsilon, 0)) is var charged && charged != units)
                return AuditOutcome.Text($"epsilon {epsilon} is {charged} units, not {units}");
            if (product.UnitsOfPure(units) is var cost && cost != inGaussian)
                return AuditOutcome.Text($"pure epsilon {epsilon} costs {cost} units of mu^2, not {inGaussian}");
        }
        return null;
    }

    static string? Readings(AuditedProduct product)
    {
        foreach ((long units, double one, double three) in Shown)
            foreach ((int records, double epsilon) in ((int, double)[])[(1, one), (3, three)])
            {
                double shown = product.EpsilonShown(units, 1e-6, records);
                double mu = Math.Sqrt(Math.ScaleB((double)units, -40)) * records;
                if (Math.Abs(shown - epsilon) > 1e-11 * epsilon || GaussianDp.Delta(shown, mu) > 1e-6 * (1 + 1e-12))
                    return AuditOutcome.Text(
                        $"{units} units of mu^2 for {records} records show as {shown:R}, not {epsilon:R}");
            }
        foreach (long units in (long[])[1, 109951162777, (1L << 60) + 1, (1L << 62) - 1])
            foreach (int records in (int[])[1, 3])
            {
                Rational shown = Rational.OfDecimal(product.PureEpsilonShown(units, records));
                var spent = new Rational((BigInteger)units * records, BigInteger.One << 40);
                if (shown < spent)
                    return AuditOutcome.Text($"{units} units of epsilon for {records} records show as less");
            }
        return null;
    }

    /// <summary>No more is spent than asked, and the scale is the least that pays, by other integers.</summary>
    static string? Scales(AuditedProduct product)
    {
        foreach (MechanismKind mechanism in Enum.GetValues<MechanismKind>())
            foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
                foreach (int records in (int[])[1, 3])
                    foreach (double epsilon in (double[])[0.1, 1, 8])
                    {
                        var setting = new AuditSetting(2, mechanism, adjacency, records, Epsilon: epsilon);
                        Measurement measurement = new AuditCase("gaussian").Plan(product, setting)!;
                        bool pure = mechanism == MechanismKind.DiscreteLaplace;
                        long asked = Units.OfLoss(new(epsilon, pure ? 0 : setting.Delta));
                        long spent = measurement.Strength.Strength;
                        if (spent > asked)
                            return AuditOutcome.Text($"{setting}: {spent} units are spent where {asked} were asked");
                        double required = RequiredScale(product, measurement), scale = measurement.Noise.Scale;
                        if (!(Math.Abs(scale / required - 1) < 1e-9))
                            return AuditOutcome.Text($"{setting}: the noise has the scale {scale}, not {required}");
                    }
        return null;
    }

    /// <summary>
    /// The noise scale that the price demands: S 2^-10 with S the least integer such that S^2 units is at least
    /// Delta_2^2 2^60, or Delta_1 2^40 / units.
    /// </summary>
    public static double RequiredScale(AuditedProduct product, Measurement measurement)
    {
        Sensitivity sensitivity = product.Sensitivity(measurement);
        BigInteger units = measurement.Strength.Strength;
        if (measurement.Strength.Mechanism == MechanismKind.DiscreteLaplace)
            return (double)sensitivity.L1 * Math.ScaleB(1, 40) / (double)units;
        BigInteger wanted = sensitivity.SquaredL2 << 60, scaled = 0;
        for (int bit = 63; bit >= 0; bit--)
        {
            BigInteger next = scaled + (BigInteger.One << bit);
            if (next * next * units < wanted) scaled = next;
        }
        return Math.ScaleB((double)(scaled + 1), -10);
    }
}
