namespace PrivateKernels;

/// <summary>|z|_1, the sum over coordinates of |x_i - y_i|. Served by sign features on the declared box, under pure epsilon by a tree.</summary>
public sealed class L1 : PairFunction
{
    public static PairFunctionEntry Description { get; } = new(
        "l1", "|z|₁", IsKernel: false, UsesBandwidth: false, UsesExponent: false, NeedsBox: true, NeedsMaxNorm: false,
        BothMechanisms, [SketchMethod.Sign, SketchMethod.Tree, SketchMethod.Paper], static (_, _) => new L1());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.L1;

    public override double Profile(double s) => s;

    internal override double LargestOver(Domain domain) => domain.Dimension * Side(domain);

    internal override void ApplyProfile(Span<float> s)
    {
        // The sums themselves.
    }
}
