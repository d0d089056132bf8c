namespace PrivateKernels.Server;

/// <summary>Ledger units as (epsilon, delta) for people, rounded up.</summary>
static class Losses
{
    /// <param name="unit">What <paramref name="units"/> count.</param>
    /// <param name="units">Amount, 2^-40 of the unit.</param>
    /// <param name="delta">Display delta of the account; 0 for a pure one.</param>
    internal static V1.PrivacyLoss Display(CostUnit unit, long units, double delta) => unit == CostUnit.Epsilon
        ? new() { Epsilon = Accountant.PureEpsilonAtMost(units) }
        : new() { Epsilon = Accountant.EpsilonAtMost(units, delta), Delta = delta };
}
