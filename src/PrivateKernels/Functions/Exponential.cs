namespace PrivateKernels;

/// <summary>exp(-|z|_2 / h). Mixing scale: 1 / sqrt(2 G), G ~ Gamma(1/2).</summary>
public sealed class Exponential : PairFunction, IRadialSpectrum
{
    public Exponential(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = Kernel(
        "exponential", "exp(-|z|₂/h)", static (h, _) => new Exponential(h),
        SketchMethod.Paper);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => Math.Exp(-Math.Sqrt(s) / Bandwidth);

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<ExpRootProfile>(s, 1 / Bandwidth);

    public double MixingScale(double u, double v) => 1 / Math.Sqrt(2 * GammaQuantile.Of(0.5, u));
}
