namespace PrivateKernels;

/// <summary>1 / (1 + |z|_2 / h). Mixing scale: E / sqrt(2 G), E ~ Exp(1), G ~ Gamma(1/2).</summary>
public sealed class InverseL2 : PairFunction, IRadialSpectrum
{
    public InverseL2(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = Kernel(
        "inverse_l2", "1/(1+|z|₂/h)", static (h, _) => new InverseL2(h),
        SketchMethod.Paper, SketchMethod.PaperPlus);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => 1 / (1 + Math.Sqrt(s) / Bandwidth);

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<InverseRootProfile>(s, 1 / Bandwidth);

    public double MixingScale(double u, double v) => GammaQuantile.Of(1, v) / Math.Sqrt(2 * GammaQuantile.Of(0.5, u));
}
