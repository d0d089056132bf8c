using System.Numerics;

namespace PrivateKernels;

/// <summary>What a pair function depends on, so that engines can compute it without knowing the function.</summary>
public enum PairGeometry
{
    /// <summary>s = |x - y|_2^2.</summary>
    SquaredL2,

    /// <summary>s = |x - y|_1.</summary>
    L1,

    /// <summary>s = x . y.</summary>
    InnerProduct,

    /// <summary>s = |x/|x| - y/|y||_2^2, at most 4: the squared chord of the angle between them; f = 0 if x or y is 0.</summary>
    Sphere,

    /// <summary>s = sum over coordinates of |x_i - y_i|^p, p the function's exponent.</summary>
    Power,
}

/// <summary>
/// A kernel k(x, y) or a distance with its parameters set: f(x, y) = Profile(s), s as <see cref="Geometry"/> says.
/// One file per function; <see cref="Catalog"/> lists them.
/// </summary>
public abstract class PairFunction
{
    /// <summary>Catalog entry: name, formula, needs.</summary>
    public abstract PairFunctionEntry Entry { get; }

    /// <summary>Length scale in the units of the coordinates; 0 for functions without one.</summary>
    public double Bandwidth { get; protected init; }

    /// <summary>Shape parameter; 0 for functions without one.</summary>
    public double Exponent { get; protected init; }

    public abstract PairGeometry Geometry { get; }

    /// <summary>Sketches that serve the function with these parameters, the planner's choice first.</summary>
    public virtual IReadOnlyList<SketchMethod> Methods => Entry.Methods;

    /// <summary>f as a function of s, in fp64.</summary>
    public abstract double Profile(double s);

    /// <summary>max |f| over a domain that declares what the function needs; 1 for kernels of distances and angles.</summary>
    internal virtual double LargestOver(Domain domain) => 1;

    /// <summary>Side of the declared box.</summary>
    protected static double Side(Domain domain) => (double)domain.Upper!.Value - domain.Lower!.Value;

    /// <summary>
    /// Replaces every s by f(s), in fp32, for landmarks and for exact sums over public data; the length is a multiple of
    /// sixteen. A function with a form for registers (<see cref="Profiles"/>) overrides this; one that landmarks serve must.
    /// </summary>
    internal virtual void ApplyProfile(Span<float> s)
    {
        foreach (ref float value in s) value = (float)Profile(value);
    }

    /// <summary>
    /// The form for exact sums from norms and inner products; null for a function of other things than |x - y|_2^2, and for one
    /// that is steep in it.
    /// </summary>
    internal virtual SmoothProfile? Smooth => null;

    /// <summary>f(x, y) in fp64: the reference that everything else is compared with.</summary>
    public double Evaluate<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y)
        where T : INumberBase<T>
    {
        bool sphere = Geometry == PairGeometry.Sphere;
        double lengthX = sphere ? Length(x) : 1, lengthY = sphere ? Length(y) : 1;
        if (lengthX == 0 || lengthY == 0) return 0;
        double s = 0;
        for (int k = 0; k < x.Length; k++)
        {
            double a = double.CreateTruncating(x[k]) / lengthX, b = double.CreateTruncating(y[k]) / lengthY, z = a - b;
            s += Geometry switch
            {
                PairGeometry.L1 => Math.Abs(z),
                PairGeometry.InnerProduct => a * b,
                PairGeometry.Power => Math.Pow(Math.Abs(z), Exponent),
                _ => z * z,
            };
        }
        return Profile(s);
    }

    static double Length<T>(ReadOnlySpan<T> x)
        where T : INumberBase<T>
    {
        double sum = 0;
        foreach (T value in x) sum += double.CreateTruncating(value) * double.CreateTruncating(value);
        return Math.Sqrt(sum);
    }

    /// <summary>The angle whose squared chord is s.</summary>
    protected static double AngleOf(double s) => 2 * Math.Asin(Math.Min(1, Math.Sqrt(s) / 2));

    protected static IReadOnlyList<MechanismKind> BothMechanisms { get; } =
        [MechanismKind.RoundedNormal, MechanismKind.DiscreteLaplace];

    /// <summary>
    /// Entry of a positive-definite kernel with a bandwidth, served by Fourier features, by landmarks, or by
    /// <paramref name="others"/> on request.
    /// </summary>
    protected static PairFunctionEntry Kernel(
        string name, string formula, Func<double, double, PairFunction> create, params SketchMethod[] others) => new(
        name, formula, IsKernel: true, UsesBandwidth: true, UsesExponent: false, NeedsBox: false, NeedsMaxNorm: false,
        BothMechanisms, [SketchMethod.Fourier, SketchMethod.Landmark, .. others], create);

    /// <summary>Entry of a kernel of the angle, served by spherical features.</summary>
    protected static PairFunctionEntry Angular(string name, string formula, Func<PairFunction> create) => new(
        name, formula, IsKernel: true, UsesBandwidth: false, UsesExponent: false, NeedsBox: false, NeedsMaxNorm: false,
        BothMechanisms, [SketchMethod.Spherical], (_, _) => create());

    protected static double CheckedBandwidth(double bandwidth) =>
        double.IsFinite(bandwidth) && bandwidth >= 1e-9 && bandwidth <= 1e9
            ? bandwidth
            : throw new InvalidFieldException("bandwidth", bandwidth, "must be between 1e-9 and 1e9");
}

/// <summary>A line of the catalog.</summary>
/// <param name="Name">Name on the wire: lower case with underscores.</param>
/// <param name="Formula">For people; z = x - y, h the bandwidth, θ the angle between x and y.</param>
/// <param name="IsKernel">True: kernel (larger is more alike); false: distance.</param>
/// <param name="UsesBandwidth">Takes a bandwidth; others demand 0.</param>
/// <param name="UsesExponent">Takes an exponent; others demand 0.</param>
/// <param name="NeedsBox">Needs the domain's lower and upper.</param>
/// <param name="NeedsMaxNorm">Needs the domain's max_norm.</param>
/// <param name="Mechanisms">Mechanisms it can be released with.</param>
/// <param name="Methods">Sketches that serve it for some parameters; see <see cref="PairFunction.Methods"/>.</param>
/// <param name="Create">Makes the function from (bandwidth, exponent), already checked against the two flags.</param>
public sealed record PairFunctionEntry(
    string Name, string Formula, bool IsKernel, bool UsesBandwidth, bool UsesExponent, bool NeedsBox, bool NeedsMaxNorm,
    IReadOnlyList<MechanismKind> Mechanisms, IReadOnlyList<SketchMethod> Methods, Func<double, double, PairFunction> Create);
