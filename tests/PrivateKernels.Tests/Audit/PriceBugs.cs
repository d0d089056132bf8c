namespace PrivateKernels.Tests;

/// <summary>Bugs in prices, and in what is shown of them.</summary>
static class PriceBugs
{
    const double Unit = 1.0 / (1L << 40);

    public static IReadOnlyList<PrivacyBug> All { get; } =
    [
        new("the classic formula for normal noise", ["prices"], static product => product with
        {
            // sigma = sqrt(2 ln(1.25/delta)) / epsilon, proven for epsilon up to 1 alone.
            UnitsOfLoss = static loss => loss.Delta == 0
                ? Units.OfLoss(loss)
                : (long)(loss.Epsilon * loss.Epsilon / (2 * Math.Log(1.25 / loss.Delta)) / Unit),
        }),
        new("units are rounded up", ["prices"], static product => product with
        {
            UnitsOfLoss = static loss => Units.OfLoss(loss) + 1,
        }),
        new("epsilon is read as fp32", ["prices"], static product => product with
        {
            UnitsOfLoss = static loss => loss.Delta == 0 ? (long)((float)loss.Epsilon / Unit) : Units.OfLoss(loss),
        }),
        new("a pure epsilon is entered as mu", ["prices"], static product => product with
        {
            UnitsOfPure = static units => (long)Math.Ceiling(units * Unit * units),
        }),
        new("the price of a pure release is rounded down", ["prices"], static product => product with
        {
            UnitsOfPure = static units => Units.OfPureInGaussian(units) - 1,
        }),
        new("a group of k is shown as k times mu squared", ["prices"], static product => product with
        {
            EpsilonShown = static (units, delta, records) => Accountant.EpsilonAtMost(units * records, delta, 1),
        }),
        new("epsilon is shown rounded to nearest", ["prices"], static product => product with
        {
            PureEpsilonShown = static (units, records) => (double)units * records * Unit,
        }),
        new("noise is made for twice the epsilon asked", ["prices", "lower bound"], static product => product with
        {
            Plan = (request, facts) => product.Plan(
                request with { Loss = new(request.Loss!.Value.Epsilon * 2, request.Loss!.Value.Delta) }, facts),
        }, "l2_squared"),
    ];
}
