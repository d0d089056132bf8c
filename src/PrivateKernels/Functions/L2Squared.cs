namespace PrivateKernels;

/// <summary>|z|_2^2. Served exactly by the moments of the data in the declared ball.</summary>
public sealed class L2Squared : PairFunction
{
    public static PairFunctionEntry Description { get; } = new(
        "l2_squared", "|z|₂²", IsKernel: false, UsesBandwidth: false, UsesExponent: false, NeedsBox: false, NeedsMaxNorm: true,
        BothMechanisms, [SketchMethod.Moment], static (_, _) => new L2Squared());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.SquaredL2;

    public override double Profile(double s) => s;

    internal override double LargestOver(Domain domain) => 4 * domain.MaxNorm!.Value * domain.MaxNorm.Value;

    internal override void ApplyProfile(Span<float> s)
    {
        // The sums themselves.
    }
}
