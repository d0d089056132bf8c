namespace PrivateKernels;

/// <summary>Matern kernel of smoothness 3/2: (1 + r) exp(-r), r = sqrt 3 |z|_2 / h. Mixing scale: sqrt(nu / G), G ~ Gamma(nu).</summary>
public sealed class Matern32 : PairFunction, IRadialSpectrum
{
    public Matern32(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } =
        Kernel("matern_3_2", "(1+r)exp(-r), r=√3|z|₂/h", static (h, _) => new Matern32(h));

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s)
    {
        double r = Math.Sqrt(3 * s) / Bandwidth;
        return (1 + r) * Math.Exp(-r);
    }

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<Matern32Profile>(s, Math.Sqrt(3) / Bandwidth);

    internal override SmoothProfile Smooth =>
        new SmoothProfile<FromZero<Matern32Profile>>(Math.Sqrt(3) / Bandwidth, 1.5 / (Bandwidth * Bandwidth));

    public double MixingScale(double u, double v) => Math.Sqrt(1.5 / GammaQuantile.Of(1.5, u));
}
