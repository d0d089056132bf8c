namespace PrivateKernels;

/// <summary>
/// (sin theta + (pi - theta) cos theta) / pi, theta the angle between x and y; 0 where one of them is 0 (Cho, Saul 2009,
/// order 1): twice the mean over random w of relu(w . x) relu(w . y), for unit vectors.
/// </summary>
public sealed class ArcCosine1 : PairFunction, IAngularFeatures
{
    public static PairFunctionEntry Description { get; } =
        Angular("arc_cosine_1", "(sinθ+(π-θ)cosθ)/π", static () => new ArcCosine1());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.Sphere;

    public AngularFeatures Features => AngularFeatures.Absolute;

    public override double Profile(double s) => OfAngle(AngleOf(s));

    internal static double OfAngle(double theta) =>
        (Math.Sin(theta) + (Math.PI - theta) * Math.Cos(theta)) / Math.PI;
}
