namespace PrivateKernels;

/// <summary>P(k) proportional to exp(-|k|/s), s rational.</summary>
sealed class DiscreteLaplace(Rational scale) : INoise
{
    public Rational ExactScale { get; } = scale;

    public MechanismKind Mechanism => MechanismKind.DiscreteLaplace;

    public double Scale { get; } = (double)scale.Numerator / (double)scale.Denominator;

    /// <summary>2q/(1-q)^2 = 1/(2 sinh^2(1/(2s))).</summary>
    public double Variance => 0.5 / Math.Pow(Math.Sinh(0.5 / Scale), 2);

    public void AddTo(Span<long> cells) => throw new NotSupportedException();
}
