namespace PrivateKernels;

/// <summary>1 / (1 + |z|_2^2 / h^2), the rational quadratic kernel with exponent 1. Mixing scale: sqrt(2 G), G ~ Exp(1).</summary>
public sealed class Cauchy : PairFunction, IRadialSpectrum
{
    public Cauchy(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = Kernel(
        "cauchy", "1/(1+|z|₂²/h²)", static (h, _) => new Cauchy(h),
        SketchMethod.Paper, SketchMethod.PaperPlus);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => 1 / (1 + s / (Bandwidth * Bandwidth));

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<InverseProfile>(s, 1 / (Bandwidth * Bandwidth));

    internal override SmoothProfile Smooth =>
        new SmoothProfile<InverseProfile>(1 / (Bandwidth * Bandwidth), 1 / (Bandwidth * Bandwidth));

    public double MixingScale(double u, double v) => Math.Sqrt(2 * GammaQuantile.Of(1, u));
}
