using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// The gaussian kernel on a box of up to three dimensions under pure epsilon: a record adds the products of B-splines of degree
/// m of its coordinates, on a grid of M intervals each; an answer reads the grid with the coefficients that interpolate
/// exp(-|x - y|^2 / h^2) as a spline in x (<see cref="GaussianSpline"/>). Splines spread a record smoothly over (m + 1)^d cells
/// at the L1 norm of a histogram, so the grid may be as wide as half a bandwidth: in each coordinate the noise is
/// sqrt(c) times that of one query with c about 3, where cosines pay for every frequency.
/// </summary>
/// <remarks>
/// Guarantee: the integers that a record adds are limited one after the other to what is left of A = 2^30, so |phi|_1 is at most A
/// for every x and every weight within [-1, 1], and |phi|_2 at most |phi|_1; replacing a record, in its block or across
/// blocks, at most twice the norm.
/// All arithmetic is that of IEEE doubles on the host, in a fixed order, and so the same everywhere.
/// </remarks>
public sealed class SplineGridSketch : ISketch
{
    const long Scale = 1L << 30;

    const int MostDimensions = 3;

    const long MostCells = 1L << 26;

    /// <summary>Nodes are at most so far apart, and at least so close, in bandwidths, where the planner chooses.</summary>
    const double WidestSpacing = 1.2, ClosestSpacing = 0.15, SpacingStep = 0.9;

    readonly CardinalSpline _spline;
    readonly GaussianSpline _kernel;
    readonly double _interval;
    readonly Lazy<double> _errorPerRecord;

    SplineGridSketch(PairFunction function, Domain domain, int degree, int intervals)
    {
        (Function, Domain, Features) = (function, domain, intervals);
        _spline = CardinalSpline.Of(degree);
        _interval = Length(domain) / intervals;
        _kernel = new(degree, _interval / function.Bandwidth, intervals);
        CellCount = (int)Cells(domain, degree, intervals);
        _errorPerRecord = new(ErrorPerRecord);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.SplineGrid;

    /// <summary>M, intervals per coordinate.</summary>
    public int Features { get; }

    public int Degree => _spline.Degree;

    public ulong Seed => 0;

    public int CellCount { get; }

    public long LargestCell => Scale;

    public double OperationsPerRecord => 4.0 * Power(Degree + 1, Domain.Dimension);

    double Lower => Domain.Lower!.Value;

    static double Length(Domain domain) => (double)domain.Upper!.Value - domain.Lower!.Value;

    static long Power(long x, int d) => d == 1 ? x : d == 2 ? x * x : x * x * x;

    /// <summary>(M + m)^d, or more than any limit.</summary>
    static long Cells(Domain domain, int degree, long intervals) =>
        intervals > MostCells ? long.MaxValue : (long)Math.Min(long.MaxValue / 2, Math.Pow(intervals + degree, domain.Dimension));

    /// <summary>
    /// The degree and the number of intervals of least error over <paramref name="records"/> records, or the best degree for a given
    /// number of intervals.
    /// </summary>
    /// <param name="function">The gaussian.</param>
    /// <param name="domain">A box of one to three dimensions.</param>
    /// <param name="intervals">0 = chosen here.</param>
    /// <param name="records">What the approximation is balanced for.</param>
    /// <param name="epsilon">What the noise is balanced for, at the level of a record.</param>
    /// <param name="mostCells">A larger grid is not considered.</param>
    public static SplineGridSketch Create(
        PairFunction function, Domain domain, int intervals, long records, double epsilon, long mostCells)
    {
        if (domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", "the spline grid");
        if (domain.Dimension > MostDimensions)
            throw new InvalidFieldException("method", SketchMethod.SplineGrid, "serves at most three dimensions");
        double bandwidths = Length(domain) / function.Bandwidth;
        mostCells = Math.Min(mostCells, MostCells);
        IEnumerable<long> sizes = intervals > 0 ? [intervals] : Spacings().Select(s => (long)Math.Max(1, Math.Ceiling(bandwidths / s))).Distinct();
        SplineGridSketch? best = null;
        double least = double.PositiveInfinity;
        foreach (long size in sizes)
            foreach (int degree in CardinalSpline.Degrees)
            {
                if (Cells(domain, degree, size) > mostCells || bandwidths / size > WidestSpacing) continue;
                var sketch = new SplineGridSketch(function, domain, degree, (int)size);
                (double noise, double approximation) = sketch.Predict(2 * Math.Pow(Scale / epsilon, 2));
                double error = double.Hypot(noise, approximation * records);
                if (error < least) (best, least) = (sketch, error);
            }
        return best ?? throw (intervals > 0
            ? new InvalidFieldException("features", intervals,
                $"needs at least {Math.Ceiling(bandwidths / WidestSpacing):0} intervals per coordinate here, and at most {mostCells} cells")
            : new InvalidFieldException(
                "function.bandwidth", function.Bandwidth, $"too small for the box: the grid would need more than {mostCells} cells"));
    }

    static IEnumerable<double> Spacings()
    {
        for (double spacing = WidestSpacing; spacing > ClosestSpacing; spacing *= SpacingStep) yield return spacing;
    }

    public Sensitivity Sensitivity(Adjacency adjacency) =>
        PrivateKernels.Sensitivity.FromNorms((BigInteger)Scale * Scale, Scale, adjacency);

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int d = Domain.Dimension;
        ReadOnlySpan<float> weights = points.Weights.Span;
        var corner = new int[MostDimensions];
        double[][] basis = [new double[Degree + 1], new double[Degree + 1], new double[Degree + 1]];
        for (int row = 0; row < points.Count; row++)
        {
            ReadOnlySpan<float> x = points.Row(row);
            for (int i = 0; i < d; i++)
            {
                double place = Math.Clamp((x[i] - Lower) / _interval, 0, Features);
                corner[i] = Math.Min((int)place, Features - 1);
                _spline.Basis(Math.Clamp(place - corner[i], 0, 1), basis[i]);
            }
            double scale = points.IsWeighted ? Scale * (double)weights[row] : Scale;
            AddProducts(corner.AsSpan(0, d), basis, scale, cells);
        }
    }

    /// <summary>To the nearest integer, so that nothing is biased; what is left of the norm limits each.</summary>
    void AddProducts(ReadOnlySpan<int> corner, double[][] basis, double scale, Span<long> cells)
    {
        int side = Degree + 1, count = (int)Power(side, corner.Length);
        long left = Scale;
        for (int k = 0; k < count; k++)
        {
            int cell = 0, digits = k;
            double product = scale;
            for (int i = corner.Length - 1, stride = 1; i >= 0; i--, stride *= _kernel.Nodes, digits /= side)
            {
                product *= basis[i][digits % side];
                cell += (corner[i] + digits % side) * stride;
            }
            long value = Math.Clamp((long)Math.Round(product), -left, left);
            left -= Math.Abs(value);
            cells[cell] += value;
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
        int d = Domain.Dimension, side = _kernel.Nodes;
        double error = _errorPerRecord.Value;
        // Coordinates that the box lacks are one node with coefficient 1, in front.
        var first = new int[MostDimensions];
        double[][] psi = [[1], [1], [1]];
        for (int q = 0; q < queries.Count; q++)
        {
            double squared = 1;
            for (int i = 0; i < d; i++)
            {
                int at = MostDimensions - d + i;
                psi[at] = _kernel.Coefficients((queries.Row(q)[i] - Lower) / _interval, out first[at]);
                squared *= DotProduct.Of(psi[at], psi[at]);
            }
            answers.SquaredPsi[q] = squared / ((double)Scale * Scale);
            for (int column = 0; column < answers.Columns; column++)
            {
                ReadOnlySpan<double> grid = prepared.Slice(column * CellCount, CellCount);
                double sum = 0;
                for (int a = 0; a < psi[0].Length; a++)
                    for (int b = 0; b < psi[1].Length; b++)
                    {
                        int start = ((first[0] + a) * side + first[1] + b) * side + first[2];
                        sum += psi[0][a] * psi[1][b] * DotProduct.Of(psi[2], grid.Slice(start, psi[2].Length));
                    }
                answers.Values[q * answers.Columns + column] = sum;
                answers.Bound[q * answers.Columns + column] = answers.Records[column] * error;
            }
        }
    }

    /// <summary>
    /// The spline's error in each coordinate, the others being at most 1 + that error; and cells rounded or limited, half a unit
    /// each, twice for what the limit may take.
    /// </summary>
    double ErrorPerRecord()
    {
        (double error, double coefficient) = _kernel.Worst();
        return Math.Pow(1 + error, Domain.Dimension) - 1 + Math.Pow((Degree + 1) * coefficient, Domain.Dimension) / Scale;
    }

    /// <summary>All cells: splines add up to 1.</summary>
    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double sum = 0;
        foreach (long cell in block) sum += cell;
        return new(sum / Scale, Math.Sqrt(block.Length) / Scale);
    }

    /// <summary>Noise: at the worst y, in the middle of the box. Approximation: its bound.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) => (
        Math.Sqrt(noiseVariance * Math.Pow(_kernel.LargestSquaredNorm(), Domain.Dimension)) / Scale, _errorPerRecord.Value);

    public int RecipeBytes => 8;

    public void Write(RecipeWriter writer)
    {
        writer.WriteInt32(Degree);
        writer.WriteInt32(Features);
    }

    internal static SplineGridSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int degree = reader.ReadInt32(), intervals = reader.ReadInt32();
        bool sound = function is Gaussian && domain is { Lower: not null, Dimension: <= MostDimensions }
            && CardinalSpline.Degrees.Contains(degree) && intervals >= 1 && Cells(domain, degree, intervals) <= MostCells
            && Length(domain) / intervals / function.Bandwidth <= WidestSpacing;
        return sound
            ? new(function, domain, degree, intervals)
            : throw new InvalidDataException("the recipe of the spline grid is inconsistent");
    }
}
