namespace PrivateKernels;

/// <summary>Discrete Laplace noise: P(k) = (1 - q)/(1 + q) q^|k|, q = e^(-1/s), s an exact fraction.</summary>
/// <remarks>
/// Guarantee: on integer cells whose L1 distance between neighbours is at most Delta the release is (Delta/s)-DP: the
/// probabilities of k and k + 1 differ by a factor of at most e^(1/s). Drawn exactly: for x exponential, floor(s x) is
/// k with probability q^k (1 - q); it gets a random sign, and minus zero is drawn again, so that P(k) is proportional
/// to q^|k| for every k.
/// </remarks>
sealed class DiscreteLaplace(Rational scale) : INoise
{
    readonly Lazy<NoiseSampler> _sampler = new(() => new(Ziggurat.Exponential, scale, toNearest: false));

    public Rational ExactScale { get; } = scale;

    public MechanismKind Mechanism => MechanismKind.DiscreteLaplace;

    public double Scale { get; } = (double)scale.Numerator / (double)scale.Denominator;

    /// <summary>2q/(1-q)^2 = 1/(2 sinh^2(1/(2s))).</summary>
    public double Variance => 0.5 / Math.Pow(Math.Sinh(0.5 / Scale), 2);

    /// <summary>2q(1 + 4q + q^2)/(1-q)^4 = v + 3 v^2, v the variance.</summary>
    public double FourthCumulant => Variance + 3 * Variance * Variance;

    public NoiseSampler Sampler => _sampler.Value;

    public void AddTo(Span<long> cells) => Sampler.AddTo(cells);
}
