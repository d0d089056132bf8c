namespace PrivateKernels;

/// <summary>
/// A differential-privacy guarantee: epsilon in natural-log units, delta a probability; delta 0 is pure DP.
/// </summary>
public readonly record struct PrivacyLoss
{
    public PrivacyLoss(double epsilon, double delta)
    {
        if (!(epsilon > 0) || !double.IsFinite(epsilon))
            throw new InvalidFieldException("epsilon", epsilon, "must be finite and above 0");
        if (!(delta >= 0 && delta < 1))
            throw new InvalidFieldException("delta", delta, "must be at least 0 and below 1");
        (Epsilon, Delta) = (epsilon, delta);
    }

    /// <summary>Natural-log units, above 0.</summary>
    public double Epsilon { get; }

    /// <summary>Probability in [0, 1).</summary>
    public double Delta { get; }
}
