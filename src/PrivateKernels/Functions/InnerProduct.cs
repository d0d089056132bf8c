namespace PrivateKernels;

/// <summary>x . y. Served exactly by the sum of the vectors, for data in the declared ball and any y.</summary>
public sealed class InnerProduct : PairFunction
{
    public static PairFunctionEntry Description { get; } = new(
        "inner_product", "x·y", IsKernel: true, UsesBandwidth: false, UsesExponent: false, NeedsBox: false, NeedsMaxNorm: true,
        BothMechanisms, [SketchMethod.Moment], static (_, _) => new InnerProduct());

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.InnerProduct;

    public override double Profile(double s) => s;

    /// <summary>R^2, R the largest length in the ball.</summary>
    internal override double LargestOver(Domain domain)
    {
        double squares = 0;
        foreach (float c in domain.Center) squares += (double)c * c;
        return Math.Pow(domain.MaxNorm!.Value + Math.Sqrt(squares), 2);
    }

    internal override void ApplyProfile(Span<float> s)
    {
        // The sums themselves.
    }
}
