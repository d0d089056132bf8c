namespace PrivateKernels;

/// <summary>Matern kernel of smoothness 5/2: (1 + r + r^2/3) exp(-r), r = sqrt 5 |z|_2 / h. Mixing scale: sqrt(nu / G), G ~ Gamma(nu).</summary>
public sealed class Matern52 : PairFunction, IRadialSpectrum
{
    public Matern52(double bandwidth) => Bandwidth = CheckedBandwidth(bandwidth);

    public static PairFunctionEntry Description { get; } =
        Kernel("matern_5_2", "(1+r+r²/3)exp(-r), r=√5|z|₂/h", static (h, _) => new Matern52(h));

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s)
    {
        double r = Math.Sqrt(5 * s) / Bandwidth;
        return (1 + r + r * r / 3) * Math.Exp(-r);
    }

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<Matern52Profile>(s, Math.Sqrt(5) / Bandwidth);

    internal override SmoothProfile Smooth =>
        new SmoothProfile<FromZero<Matern52Profile>>(Math.Sqrt(5) / Bandwidth, 5 / 6.0 / (Bandwidth * Bandwidth));

    public double MixingScale(double u, double v) => Math.Sqrt(2.5 / GammaQuantile.Of(2.5, u));
}
