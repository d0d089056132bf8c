namespace PrivateKernels;

/// <summary>
/// (arc_cosine_1 + cos theta arc_cosine_0) / 2, theta the angle between x and y; 0 where one of them is 0: the neural
/// tangent kernel of a network with one hidden ReLU layer, both layers trained, divided by its value at x = y.
/// </summary>
public sealed class NtkRelu1 : PairFunction, IAngularFeatures
{
    public static PairFunctionEntry Description { get; } =
        Angular("ntk_relu_1", "(sinθ+2(π-θ)cosθ)/(2π)", static () => new NtkRelu1());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.Sphere;

    public AngularFeatures Features => AngularFeatures.AbsoluteAndGated;

    public override double Profile(double s)
    {
        double theta = AngleOf(s);
        return (ArcCosine1.OfAngle(theta) + Math.Cos(theta) * ArcCosine0.OfAngle(theta)) / 2;
    }
}
