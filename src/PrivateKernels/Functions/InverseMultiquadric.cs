namespace PrivateKernels;

/// <summary>(1 + |z|_2^2 / h^2)^(-1/2). Mixing scale: sqrt(2 G), G ~ Gamma(1/2).</summary>
public sealed class InverseMultiquadric : PairFunction, IRadialSpectrum
{
    public InverseMultiquadric(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } =
        Kernel("inverse_multiquadric", "(1+|z|₂²/h²)^(-1/2)", static (h, _) => new InverseMultiquadric(h));

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => 1 / Math.Sqrt(1 + s / (Bandwidth * Bandwidth));

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<RootInverseProfile>(s, 1 / (Bandwidth * Bandwidth));

    internal override SmoothProfile Smooth =>
        new SmoothProfile<RootInverseProfile>(1 / (Bandwidth * Bandwidth), 0.5 / (Bandwidth * Bandwidth));

    public double MixingScale(double u, double v) => Math.Sqrt(2 * GammaQuantile.Of(0.5, u));
}
