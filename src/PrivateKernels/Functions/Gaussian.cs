namespace PrivateKernels;

/// <summary>exp(-|z|_2^2 / h^2). A bandwidth b of exp(-|z|^2 / (2 b^2)) is h = b sqrt 2. Mixing scale: sqrt 2.</summary>
public sealed class Gaussian : PairFunction, IRadialSpectrum
{
    public Gaussian(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } =
        Kernel("gaussian", "exp(-|z|₂²/h²)", static (h, _) => new Gaussian(h),
            SketchMethod.FrequencyGrid, SketchMethod.SplineGrid, SketchMethod.HermiteGrid, SketchMethod.Paper);

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => Math.Exp(-s / (Bandwidth * Bandwidth));

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<ExpProfile>(s, 1 / (Bandwidth * Bandwidth));

    internal override SmoothProfile Smooth =>
        new SmoothProfile<ExpProfile>(1 / (Bandwidth * Bandwidth), 1 / (Bandwidth * Bandwidth));

    public double MixingScale(double u, double v) => Math.Sqrt(2);
}
