using System.Diagnostics;

namespace PrivateKernels;

/// <summary>
/// Checks that this installation keeps the promises that its privacy proof rests on: the engine's arithmetic, the
/// distance between neighbours, the law of the noise, prices and receipts. Made-up rows only; seconds.
/// </summary>
public static class PrivacyAudit
{
    /// <summary>Runs every check on <paramref name="engine"/>, in the order of the table.</summary>
    public static IReadOnlyList<AuditResult> Run(IEngine engine) =>
        [.. Checks.Select(check => check.Run(new AuditedProduct(engine), AuditEffort.Quick))];

    internal static IReadOnlyList<AuditCheck> Checks { get; } =
    [
        new("engine", "Contributions are the golden integers on this machine.", EngineCells.Run),
        new("neighbours", "Neighbours are no farther apart than the sensitivity declared.", NeighbourCheck.Run),
        new("noise", "Every cell gets independent noise of exactly the law declared.", NoiseCheck.Run),
        new("lower bound", "Releases show no more of a record than epsilon and delta allow.", LowerBoundCheck.Run),
        new("prices", "Units, scales and epsilons shown are rounded to the safe side.", PriceCheck.Run),
        new("receipts", "One receipt lets out one release, of what was paid for.", ReceiptCheck.Run),
        new("shapes", "All of a release but its noisy cells is the same for every data set.", ShapeCheck.Run),
    ];

    internal static AuditCheck Named(string name) => Checks.Single(check => check.Name == name);
}

/// <summary>A check by name, with what holds if it passes.</summary>
sealed record AuditCheck(string Name, string Promise, Func<AuditedProduct, AuditEffort, AuditOutcome> Body)
{
    public AuditResult Run(AuditedProduct product, AuditEffort effort)
    {
        long began = Stopwatch.GetTimestamp();
        AuditOutcome outcome = Body(product, effort);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return new(Name, Promise, outcome.Violation is null, outcome.Detail, seconds);
    }
}
