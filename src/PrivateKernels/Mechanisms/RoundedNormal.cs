using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Rounded normal noise floor(s N + 1/2): P(k) = Phi((k + 1/2)/s) - Phi((k - 1/2)/s), with
/// s = <paramref name="scaled"/> 2^-10.
/// </summary>
/// <param name="scaled">S = 2^10 s, from 1 to 2^62.</param>
/// <remarks>
/// Guarantee: on integer cells q whose L2 distance between neighbours is at most Delta the release is (Delta/s)-GDP:
/// floor(q + sN + 1/2) = q + floor(sN + 1/2), so it is a function of the Gaussian mechanism's q + sN. Drawn exactly:
/// with x = |N|, floor(s x + 1/2) carries the sign of N but where s x + 1/2 is an integer, which has probability 0.
/// </remarks>
sealed class RoundedNormal(long scaled) : INoise
{
    /// <summary>The scale is a multiple of 2^-10.</summary>
    public const int FractionBits = 10;

    readonly Lazy<NoiseSampler> _sampler = new(
        () => new(Ziggurat.Normal, new(scaled, BigInteger.One << FractionBits), toNearest: true));

    public long Scaled { get; } = scaled;

    public MechanismKind Mechanism => MechanismKind.RoundedNormal;

    public double Scale { get; } = Math.ScaleB((double)scaled, -FractionBits);

    /// <summary>s^2 + 1/12 from s = 2 on (to twelve digits); below, the sum of (2k - 1) P(|X| at least k).</summary>
    public double Variance { get; } = VarianceOf(Math.ScaleB((double)scaled, -FractionBits));

    /// <summary>That of the rounding, -1/120, is nothing beside 2 Variance^2 at the scales of sums.</summary>
    public double FourthCumulant => 0;

    public NoiseSampler Sampler => _sampler.Value;

    public void AddTo(Span<long> cells) => Sampler.AddTo(cells);

    static double VarianceOf(double scale)
    {
        if (scale >= 2) return (scale * scale) + (1.0 / 12);
        double variance = 0;
        for (int k = 1; k <= 80; k++) variance += 2 * ((2 * k) - 1) * GaussianDp.Tail((k - 0.5) / scale);
        return variance;
    }
}
