namespace PrivateKernels;

/// <summary>1 / (1 + |z|_1 / h). Cauchy frequencies times a common E ~ Exp(1).</summary>
public sealed class InverseL1 : PairFunction, ICauchySpectrum
{
    public InverseL1(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = Kernel(
        "inverse_l1", "1/(1+|z|₁/h)", static (h, _) => new InverseL1(h),
        SketchMethod.Paper, SketchMethod.PaperPlus);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.L1;

    public override double Profile(double s) => 1 / (1 + s / Bandwidth);

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<InverseProfile>(s, 1 / Bandwidth);

    public double MixingScale(double u) => GammaQuantile.Of(1, u);
}
