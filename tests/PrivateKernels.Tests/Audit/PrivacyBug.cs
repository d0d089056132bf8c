namespace PrivateKernels.Tests;

/// <summary>A broken variant of the product.</summary>
/// <param name="Name">What is wrong, in the words of a review.</param>
/// <param name="CaughtBy">The checks that must fail.</param>
/// <param name="Break">Puts the bug in place of a function of the product.</param>
/// <param name="Function">Where it shows; null = on every function.</param>
sealed record PrivacyBug(
    string Name, string[] CaughtBy, Func<AuditedProduct, AuditedProduct> Break, string? Function = null)
{
    public static IReadOnlyList<PrivacyBug> All { get; } =
        [.. ContributionBugs.All, .. NoiseBugs.All, .. PriceBugs.All, .. CrossingBugs.All];
}
