namespace PrivateKernels;

/// <summary>(1 + |z|_2^2 / h^2)^(-b). Mixing scale: sqrt(2 G), G ~ Gamma(b).</summary>
public sealed class RationalQuadratic : PairFunction, IRadialSpectrum
{
    public RationalQuadratic(double bandwidth, double exponent)
    {
        Bandwidth = CheckedBandwidth(bandwidth);
        Exponent = exponent == 0 ? 1
            : exponent is >= 0.05 and <= 100 ? exponent
            : throw new InvalidFieldException("exponent", exponent, "must be between 0.05 and 100 (0 = 1)");
    }

    public static PairFunctionEntry Description { get; } =
        Kernel("rational_quadratic", "(1+|z|₂²/h²)^(-b)", static (h, b) => new RationalQuadratic(h, b)) with
        {
            UsesExponent = true,
            // Powers have no recipe that every engine computes alike, so landmarks cannot serve them.
            Methods = [SketchMethod.Fourier],
        };

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => Math.Pow(1 + s / (Bandwidth * Bandwidth), -Exponent);

    public double MixingScale(double u, double v) => Math.Sqrt(2 * GammaQuantile.Of(Exponent, u));
}
