namespace PrivateKernels;

/// <summary>
/// exp(-|z|_2^2 / h^2). A bandwidth b of exp(-|z|^2 / (2 b^2)) is h = b sqrt 2.
/// Spectral law: w = (sqrt 2 / h) g, g standard normal.
/// </summary>
public sealed class Gaussian : PairFunction
{
    public Gaussian(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } = new(
        "gaussian", "exp(-|z|₂²/h²)", IsKernel: true, UsesBandwidth: true, UsesExponent: false, NeedsBox: false,
        NeedsMaxNorm: false, [MechanismKind.RoundedNormal, MechanismKind.DiscreteLaplace], [SketchMethod.Fourier],
        static (h, _) => new Gaussian(h));

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => Math.Exp(-s / (Bandwidth * Bandwidth));
}
