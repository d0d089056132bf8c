using System.Globalization;

namespace PrivateKernels;

/// <summary>What a check of the audit found.</summary>
/// <param name="Check">Name of the check.</param>
/// <param name="Promise">What holds if it passes.</param>
/// <param name="Passed">Whether nothing was found against the promise.</param>
/// <param name="Detail">What was done and seen, or the first thing found. Speaks of made-up rows only.</param>
/// <param name="Seconds">Time that the check took.</param>
public sealed record AuditResult(string Check, string Promise, bool Passed, string Detail, double Seconds);

/// <summary>How much an audit does.</summary>
/// <param name="Pairs">Pairs of neighbours for each sketch and adjacency.</param>
/// <param name="Draws">Draws of noise that a law is held against, for each mechanism and kind of sketch.</param>
/// <param name="LowerBoundDraws">Releases of one block for each pair of the lower bound, both sides together.</param>
/// <param name="TightShare">Part of its epsilon that a tight pair must show; fewer draws prove less of it.</param>
/// <param name="Function">One function alone; null = all.</param>
sealed record AuditEffort(int Pairs, int Draws, int LowerBoundDraws, double TightShare, string? Function = null)
{
    /// <summary>An installation's self-check.</summary>
    public static AuditEffort Quick { get; } = new(1_000, 1 << 17, 1 << 17, 0.6);

    /// <summary>What a version is tested with.</summary>
    public static AuditEffort Full { get; } = new(10_000, 1 << 19, 1 << 20, 0.8);
}

/// <summary>Outcome of a check before it is named and timed.</summary>
readonly record struct AuditOutcome(string? Violation, string Detail)
{
    public static AuditOutcome Holds(string detail) => new(null, detail);

    public static AuditOutcome Broken(string violation) => new(violation, violation);

    /// <summary>Text with numbers as every culture reads them.</summary>
    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
