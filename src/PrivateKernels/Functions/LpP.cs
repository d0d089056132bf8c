namespace PrivateKernels;

/// <summary>
/// |z|_p^p, the sum over coordinates of |x_i - y_i|^p, for 0 &lt; p &lt; 2 and p = 2, 4, 6. Served on the declared box:
/// below 2 by a grid per coordinate (p = 1: sign features; pure epsilon: a tree), otherwise exactly by moments.
/// </summary>
public sealed class LpP : PairFunction
{
    /// <summary>At and beyond these the grid's Gram matrix is singular to fp64.</summary>
    const double Least = 0.01, Most = 1.99;

    public LpP(double exponent)
    {
        Exponent = exponent == 0 ? 1
            : exponent is (>= Least and <= Most) or 2 or 4 or 6 ? exponent
            : throw new InvalidFieldException("exponent", exponent, "must be between 0.01 and 1.99, or 2, 4 or 6 (0 = 1)");
    }

    public static PairFunctionEntry Description { get; } = new(
        "lp_p", "Σ|zᵢ|^p", IsKernel: false, UsesBandwidth: false, UsesExponent: true, NeedsBox: true, NeedsMaxNorm: false,
        BothMechanisms, [SketchMethod.CoordinateGrid, SketchMethod.Sign, SketchMethod.Moment, SketchMethod.Tree, SketchMethod.Paper],
        static (_, p) => new LpP(p));

    public override PairFunctionEntry Entry => Description;

    public override PairGeometry Geometry => PairGeometry.Power;

    public override IReadOnlyList<SketchMethod> Methods =>
        Exponent >= 2 ? [SketchMethod.Moment]
        : [Exponent == 1 ? SketchMethod.Sign : SketchMethod.CoordinateGrid, SketchMethod.Tree, SketchMethod.Paper];

    public override double Profile(double s) => s;

    internal override double LargestOver(Domain domain) => domain.Dimension * Math.Pow(Side(domain), Exponent);

    internal override void ApplyProfile(Span<float> s)
    {
        // The sums themselves.
    }
}
