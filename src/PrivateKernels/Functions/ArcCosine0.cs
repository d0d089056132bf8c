namespace PrivateKernels;

/// <summary>1 - theta / pi, theta the angle between x and y; 0 where one of them is 0 (Cho, Saul 2009, order 0).</summary>
public sealed class ArcCosine0 : PairFunction, IAngularFeatures
{
    public static PairFunctionEntry Description { get; } = Angular("arc_cosine_0", "1-θ/π", static () => new ArcCosine0());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.Sphere;

    public AngularFeatures Features => AngularFeatures.Sign;

    public override double Profile(double s) => OfAngle(AngleOf(s));

    internal static double OfAngle(double theta) => 1 - theta / Math.PI;
}
