namespace PrivateKernels;

/// <summary>floor(s N + 1/2) for a standard normal N and s = scaled 2^-10.</summary>
sealed class RoundedNormal(long scaled) : INoise
{
    /// <summary>The scale is a multiple of 2^-10.</summary>
    public const int FractionBits = 10;

    public long Scaled { get; } = scaled;

    public MechanismKind Mechanism => MechanismKind.RoundedNormal;

    public double Scale { get; } = Math.ScaleB((double)scaled, -FractionBits);

    public double Variance => (Scale * Scale) + (1.0 / 12);

    public void AddTo(Span<long> cells) => throw new NotSupportedException();
}
