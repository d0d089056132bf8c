namespace PrivateKernels;

/// <summary>exp(-|z|_1 / h). Frequencies have independent Cauchy coordinates.</summary>
public sealed class Laplacian : PairFunction, ICauchySpectrum
{
    public Laplacian(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = Kernel(
        "laplacian", "exp(-|z|₁/h)", static (h, _) => new Laplacian(h),
        SketchMethod.Paper);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.L1;

    public override double Profile(double s) => Math.Exp(-s / Bandwidth);

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<ExpProfile>(s, 1 / Bandwidth);

    public double MixingScale(double u) => 1;
}
