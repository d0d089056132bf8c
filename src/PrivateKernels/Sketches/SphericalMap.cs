namespace PrivateKernels;

/// <summary>Random features of a kernel of the angle: t = w . x and u = v . x over independent random rows w and v.</summary>
public enum AngularFeatures
{
    /// <summary>A constant and sgn(t).</summary>
    Sign,

    /// <summary>The vector itself and |t|.</summary>
    Absolute,

    /// <summary>The vector itself, |t| and sgn(t) u.</summary>
    AbsoluteAndGated,
}

/// <summary>
/// Integer features of a unit vector x. Cells, in this order: for Sign one cell Constant, otherwise d cells
/// trunc(x_k Linear); then m cells sgn(t_j) Scale, or trunc(|t_j| Scale); for AbsoluteAndGated m more, trunc(sgn(t_j) u_j Scale).
/// </summary>
/// <param name="Features">Which features.</param>
/// <param name="Rows">The rows w: t_j is the phase of <see cref="FourierMap"/>.</param>
/// <param name="GateRows">The rows v, as many; for AbsoluteAndGated only.</param>
/// <param name="Constant">For Sign only.</param>
/// <param name="Linear">For all but Sign.</param>
/// <param name="Scale">An integer for Sign.</param>
/// <param name="SquaredBound">B^2, at most 2^59.</param>
/// <remarks>
/// Recipe: fp32 products, limited to [-2^29, 2^29] by comparison, truncated toward zero; sgn(t) flips the sign of u where the sign
/// bit of t + 0 is set, so sgn(-0) = +1. With a weight, the integers are multiplied by it in fp32 and truncated again. Then a
/// norm clamp in exact integers: with N = sum of squares, a record of N above
/// 4 B^2 (no unit vector) adds nothing, and one of N above B^2 is shortened by <see cref="NormClamp"/>.
/// </remarks>
public sealed record SphericalMap(
    AngularFeatures Features, FourierMap Rows, FourierMap? GateRows, int Constant, float Linear, float Scale, long SquaredBound)
{
    public const float Limit = 536870912f;

    /// <summary>Cells before the m features.</summary>
    public int CommonCells => Features == AngularFeatures.Sign ? 1 : Rows.Dimension;

    public int CellCount => CommonCells + Rows.Frequencies * (Features == AngularFeatures.AbsoluteAndGated ? 2 : 1);
}
