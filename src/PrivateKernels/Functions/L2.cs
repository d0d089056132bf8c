namespace PrivateKernels;

/// <summary>
/// |z|_2. Served by sums of |w . z| over directions w, for data in the declared ball and any y; under pure epsilon by trees
/// of counts along them.
/// </summary>
public sealed class L2 : PairFunction
{
    public static PairFunctionEntry Description { get; } = new(
        "l2", "|z|₂", IsKernel: false, UsesBandwidth: false, UsesExponent: false, NeedsBox: false, NeedsMaxNorm: true,
        BothMechanisms, [SketchMethod.Sliced, SketchMethod.Tree, SketchMethod.Paper], static (_, _) => new L2());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => Math.Sqrt(s);

    internal override double LargestOver(Domain domain) => 2 * domain.MaxNorm!.Value;

    internal override void ApplyProfile(Span<float> s) => Profiles.Apply<RootProfile>(s, 1);
}
