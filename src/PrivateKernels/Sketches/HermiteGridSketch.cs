using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// The gaussian kernel on a box of up to three dimensions by the fast Gauss transform (structures.md, section 8): the box is
/// cut into cubes of half-side b h, and a record adds the monomials t^k sqrt(a^k / k!), t = (x - c) / h, of its own cube; an
/// answer reads the cubes near y with the Hermite functions h_k(q) / sqrt(a^k k!), q = (y - c) / h. Chosen on request only:
/// every cube near y adds its noise, about 2.1 sigma for each dimension where the frequency grid has sigma in all; but the
/// cells grow with the volume of the box and not with the number of frequencies it needs.
/// </summary>
/// <remarks>
/// Guarantee: a record adds to the K^d cells of one cube, to cell k at most C_k = floor(A prod_i b^k_i sqrt(a^k_i / k_i!)) in
/// size, by a clamp in integers, for every x. So |phi|_2^2 is at most sum C_k^2 and |phi|_1 at most sum C_k; replacing a record, in
/// its block or across blocks, at most twice the norms.
/// All arithmetic is that of IEEE doubles on the host, in a fixed order, and so the same everywhere.
/// </remarks>
public sealed class HermiteGridSketch : ISketch
{
    /// <summary>Largest half-side b in units of h, and a: it must exceed 2, where the norm of the answer's vector diverges.</summary>
    const double LargestHalfSide = 0.25, A = 4;

    const int Scale = 1 << 20, LeastTerms = 4, DefaultTerms = 8, MostTerms = 12;

    /// <summary>exp(-Reach^2) is what a record in a cube that is left out can add.</summary>
    const double Reach = 4;

    const long MostCells = 1L << 26;

    readonly int _cubes;
    readonly double _halfSide;
    readonly int[] _bounds;

    HermiteGridSketch(PairFunction function, Domain domain, int terms, int cubes)
    {
        (Function, Domain, Features, _cubes) = (function, domain, terms, cubes);
        _halfSide = ((double)domain.Upper!.Value - domain.Lower!.Value) / (2 * cubes * function.Bandwidth);
        double[] one = new double[terms], product = new double[Terms];
        Monomials(_halfSide, one);
        Multiply([one, one, one], product);
        _bounds = [.. product.Select(static v => (int)(Scale * v))];
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.HermiteGrid;

    /// <summary>Queries elsewhere would be answered as well, but the method is the alternative to one that refuses them.</summary>
    public bool AnswersInsideBoxOnly => true;

    /// <summary>K, terms per coordinate.</summary>
    public int Features { get; }

    public ulong Seed => 0;

    public int CellCount => Power(_cubes, Domain.Dimension) * Terms;

    public long LargestCell => Scale;

    public double OperationsPerRecord => 4.0 * Terms;

    /// <summary>K^d.</summary>
    int Terms => Power(Features, Domain.Dimension);

    double Lower => Domain.Lower!.Value;

    double Side => 2 * _halfSide * Function.Bandwidth;

    /// <summary>A grid of cubes of side h / 2 at most, with <paramref name="features"/> terms per coordinate; 0 = 8.</summary>
    public static HermiteGridSketch Create(PairFunction function, Domain domain, int features)
    {
        if (domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", "the Hermite grid");
        if (domain.Dimension > 3)
            throw new InvalidFieldException("method", SketchMethod.HermiteGrid, "serves at most three dimensions");
        int terms = features == 0 ? DefaultTerms : features;
        if (terms is < LeastTerms or > MostTerms)
            throw new InvalidFieldException("features", features, $"must be between {LeastTerms} and {MostTerms} terms per coordinate here");
        return CubesOf(function, domain, terms) is { } cubes
            ? new(function, domain, terms, cubes)
            : throw new InvalidFieldException(
                "function.bandwidth", function.Bandwidth, $"too small for the box: the cubes would need more than {MostCells} cells");
    }

    static int? CubesOf(PairFunction function, Domain domain, int terms)
    {
        double length = (double)domain.Upper!.Value - domain.Lower!.Value;
        double cubes = Math.Ceiling(length / (2 * LargestHalfSide * function.Bandwidth));
        return Math.Pow(cubes * terms, domain.Dimension) <= MostCells ? (int)cubes : null;
    }

    static int Power(int x, int d) => d == 1 ? x : d == 2 ? x * x : x * x * x;

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = 0, absolute = 0;
        foreach (int bound in _bounds)
        {
            squared += (BigInteger)bound * bound;
            absolute += bound;
        }
        return PrivateKernels.Sensitivity.FromNorms(squared, absolute, adjacency);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int d = Domain.Dimension;
        var phi = new double[Terms];
        ReadOnlySpan<float> weights = points.Weights.Span;
        double[][] monomials = [new double[Features], new double[Features], new double[Features]];
        for (int row = 0; row < points.Count; row++)
        {
            ReadOnlySpan<float> x = points.Row(row);
            int cube = 0;
            for (int i = 0; i < d; i++)
            {
                (int own, double t) = Place(x[i]);
                cube = cube * _cubes + own;
                Monomials(t, monomials[i]);
            }
            Multiply(monomials, phi);
            Span<long> target = cells.Slice(cube * phi.Length, phi.Length);
            double scale = points.IsWeighted ? Scale * (double)weights[row] : Scale;
            // To the nearest integer: the clamp alone keeps the norm, and nothing is biased.
            for (int k = 0; k < phi.Length; k++) target[k] += Math.Clamp((long)Math.Round(scale * phi[k]), -_bounds[k], _bounds[k]);
        }
    }

    /// <summary>Cube of a coordinate, and its place t from the cube's center in units of h.</summary>
    (int Cube, double T) Place(float x)
    {
        int cube = (int)Math.Clamp((x - Lower) / Side, 0, _cubes - 1);
        return (cube, Math.Clamp((x - Center(cube)) / Function.Bandwidth, -_halfSide, _halfSide));
    }

    double Center(int cube) => Lower + (cube + 0.5) * Side;

    /// <summary>t^k sqrt(a^k / k!).</summary>
    static void Monomials(double t, double[] values)
    {
        values[0] = 1;
        for (int k = 1; k < values.Length; k++) values[k] = values[k - 1] * (t * Math.Sqrt(A / k));
    }

    /// <summary>h_k(q) / sqrt(a^k k!), h_k(q) = exp(-q^2) H_k(q), by h_(k+1) = 2 q h_k - 2 k h_(k-1).</summary>
    static void HermiteFunctions(double q, Span<double> values)
    {
        values[0] = PortableMath.Exp(-q * q);
        double step = Math.Sqrt(1 / A);
        values[1] = 2 * q * step * values[0];
        for (int k = 1; k + 1 < values.Length; k++)
            values[k + 1] = (2 * q * values[k] * step - 2 * Math.Sqrt(k) / A * values[k - 1]) / Math.Sqrt(k + 1);
    }

    /// <summary>The tensor product of one vector per coordinate, the last coordinate fastest.</summary>
    void Multiply(ReadOnlySpan<double[]> factors, double[] product)
    {
        int filled = 1;
        product[0] = 1;
        for (int i = 0; i < Domain.Dimension; i++)
        {
            // From the end: what is overwritten has been read.
            for (int j = filled - 1; j >= 0; j--)
            {
                double left = product[j];
                for (int k = Features - 1; k >= 0; k--) product[j * Features + k] = left * factors[i][k];
            }
            filled *= Features;
        }
    }

    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var values = new double[cells.Length];
        for (int i = 0; i < values.Length; i++) values[i] = cells[i] / (double)Scale;
        return values;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int d = Domain.Dimension;
        var psi = new double[Terms];
        var hermite = new double[3][];
        double error = ErrorPerRecord;
        var near = new (int First, int Last, double[][] Functions)[3];
        Array.Fill(near, (0, 0, []));
        for (int q = 0; q < queries.Count; q++)
        {
            for (int i = 0; i < d; i++) near[i] = Near(queries.Row(q)[i]);
            double squared = 0;
            for (int a = near[0].First; a <= near[0].Last; a++)
                for (int b = near[1].First; b <= near[1].Last; b++)
                    for (int c = near[2].First; c <= near[2].Last; c++)
                    {
                        int cube = 0;
                        ReadOnlySpan<int> at = [a, b, c];
                        for (int i = 0; i < d; i++)
                        {
                            cube = cube * _cubes + at[i];
                            hermite[i] = near[i].Functions[at[i] - near[i].First];
                        }
                        Multiply(hermite, psi);
                        foreach (double value in psi) squared += value * value;
                        for (int column = 0; column < answers.Columns; column++)
                            answers.Values[q * answers.Columns + column] += DotProduct.Of(
                                psi, prepared.Slice(column * CellCount + cube * psi.Length, psi.Length));
                    }
            answers.SquaredPsi[q] = squared / ((double)Scale * Scale);
            for (int column = 0; column < answers.Columns; column++)
                answers.Bound[q * answers.Columns + column] = answers.Records[column] * error;
        }
    }

    /// <summary>Cubes that hold records which y may see, and the Hermite functions of y in each.</summary>
    (int First, int Last, double[][] Functions) Near(float y)
    {
        double reach = (Reach + _halfSide) * Function.Bandwidth;
        int first = (int)Math.Clamp(Math.Ceiling((y - reach - Center(0)) / Side), 0, _cubes - 1);
        int last = (int)Math.Clamp(Math.Floor((y + reach - Center(0)) / Side), first, _cubes - 1);
        var functions = new double[last - first + 1][];
        for (int cube = first; cube <= last; cube++)
        {
            functions[cube - first] = new double[Features];
            HermiteFunctions((y - Center(cube)) / Function.Bandwidth, functions[cube - first]);
        }
        return (first, last, functions);
    }

    /// <summary>
    /// Terms left out: |h_k| is at most 1.0865 2^(k/2) sqrt(k!) (Cramer), so each coordinate's series lacks at most the sum over k
    /// of 1.0865 (b sqrt 2)^k / sqrt(k!). Cubes left out: exp(-Reach^2). Rounding: half a unit a cell, each read with at
    /// most 1.0865 2^(-k/2).
    /// </summary>
    double ErrorPerRecord
    {
        get
        {
            double term = 1.0865, lost = 0, read = 0;
            for (int k = 0; k < 60; k++)
            {
                if (k >= Features) lost += term;
                else read += 1.0865 * Math.Pow(2, -k / 2.0);
                term *= _halfSide * Math.Sqrt(2.0 / (k + 1));
            }
            return Math.Pow(1 + lost, Domain.Dimension) - 1 + Math.Exp(-Reach * Reach)
                + Math.Pow(read, Domain.Dimension) / (2.0 * Scale);
        }
    }

    /// <summary>The cells of order 0 of all cubes.</summary>
    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double sum = 0;
        for (int cell = 0; cell < block.Length; cell += Terms) sum += block[cell];
        return new(sum / Scale, Math.Sqrt(block.Length / Terms) / Scale);
    }

    /// <summary>Noise: at the worst place within a cube, all cubes near. Approximation: its bound.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        const int Places = 16;
        double worst = 0;
        var functions = new double[Features];
        for (int place = 0; place <= Places; place++)
        {
            double squared = 0;
            int cubes = (int)Math.Ceiling((Reach + _halfSide) / (2 * _halfSide));
            for (int cube = -Math.Min(cubes, _cubes - 1); cube <= Math.Min(cubes, _cubes - 1); cube++)
            {
                HermiteFunctions(_halfSide * (2.0 * place / Places - 1 - 2 * cube), functions);
                foreach (double value in functions) squared += value * value;
            }
            worst = Math.Max(worst, squared);
        }
        return (Math.Sqrt(noiseVariance * Math.Pow(worst, Domain.Dimension)) / Scale, ErrorPerRecord);
    }

    public int RecipeBytes => 4;

    public void Write(RecipeWriter writer) => writer.WriteInt32(Features);

    internal static HermiteGridSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int terms = reader.ReadInt32();
        bool sound = function is Gaussian && domain is { Lower: not null, Dimension: <= 3 } && terms is >= LeastTerms and <= MostTerms;
        return sound && CubesOf(function, domain, terms) is { } cubes
            ? new(function, domain, terms, cubes)
            : throw new InvalidDataException("the recipe of the Hermite grid is inconsistent");
    }
}
