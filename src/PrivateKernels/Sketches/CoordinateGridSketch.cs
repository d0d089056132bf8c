using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// |z|_p^p for 0 &lt; p &lt; 2 on a box (structures.md, section 5): per coordinate a grid of m cells; a record adds the row
/// of <see cref="GridRows"/> at its position, interpolated between grid points, and a count. Shift map for p up to 1.5;
/// above, the centred map, with one more cell for sum_i |x_i - middle|^p.
/// </summary>
/// <remarks>
/// Guarantee: positions are integers q of 1024 in a cell (the engine limits them for every x), and a record adds
/// (1024 - q) row_j + q row_(j+1): at most 1024 A = 2^30 long in each coordinate, since the rows are at most A long, so
/// d 2^60 in squared length over all coordinates. The count adds C, the power cell between 0 and P = 1024 d peak. So
/// |phi|^2 is at most d 2^60 + P^2 + C^2. Replaced within a block, the count stays and the power cell moves by at most
/// P: 4 d 2^60 + P^2; replaced across blocks twice |phi|^2. L1 norms by Cauchy-Schwarz.
/// A weighted record adds w - f and w + f in place of the two weights, |w| and |f| at most 8 times 512: in sum 8 times 1024 at most.
/// While records are added, cells hold integer weights of grid points; <see cref="Complete"/> multiplies by the rows.
/// Both are linear in integers, so the result is the sum of phi.
/// </remarks>
public sealed class CoordinateGridSketch : ISketch
{
    const int LeastCells = 16, MostCells = 4096;

    /// <summary>Half the positions in a cell: the weight of the engine's fraction term, -512 to 512.</summary>
    const int Half = 512;

    readonly SignMap _map, _weightedMap;
    readonly double _radius;
    readonly Lazy<GridRows> _rows;

    /// <summary>|j - m/2|^p for every grid point j; 0 for the shift map.</summary>
    readonly double[] _distances;

    CoordinateGridSketch(PairFunction function, Domain domain, int features)
    {
        (Function, Domain, Features) = (function, domain, features);
        int d = domain.Dimension;
        double p = function.Exponent;
        _map = new(d, domain.Lower!.Value, domain.Upper!.Value, features, Half);
        _weightedMap = _map with { Weight = WeightUnits * Half };
        _radius = GridRows.Radius(p, features, IsCentred);
        _rows = new(() => new(p, features, IsCentred, _radius));
        // Shift: sqrt d in units of the rows' length; centred: sqrt(d/2), the power cell's largest share as well.
        CountWeight = NormClamp.IntegerSquareRoot((long)d << (IsCentred ? 39 : 40)) << 10;
        Peak = IsCentred ? NormClamp.IntegerSquareRoot((1L << 39) / d) : 0;
        _distances = new double[features + 1];
        for (int j = 0; IsCentred && j <= features; j++) _distances[j] = PortableMath.Pow(Math.Abs(j - features / 2), p);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.CoordinateGrid;

    /// <summary>m, grid cells per coordinate; even.</summary>
    public int Features { get; }

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension * Features + (IsCentred ? 2 : 1);

    public long LargestCell => Math.Max(2L * Half * GridRows.Length, Math.Max(CountWeight, MostPower));

    public double OperationsPerRecord => 20.0 * Domain.Dimension;

    public long MapBytes => 4L * Features * (Features + 1);

    public int WeightUnits => 8;

    bool IsCentred => Function.Exponent > 1.5;

    long CountWeight { get; }

    /// <summary>The power cell at a corner of the box, per position and coordinate.</summary>
    long Peak { get; }

    long MostPower => 2 * Half * Domain.Dimension * Peak;

    double Range => (double)Domain.Upper!.Value - Domain.Lower!.Value;

    /// <summary>
    /// A sketch with <paramref name="features"/> cells per coordinate, made even; 0 = the least power of two from 256 to
    /// 4096 at which evenly spread records err by at most a third of the noise: the error falls with m, the noise does not.
    /// </summary>
    /// <param name="function">Its exponent is below 2.</param>
    /// <param name="domain">Declares lower and upper.</param>
    /// <param name="features">Grid cells per coordinate, or 0.</param>
    /// <param name="maxRecords">Public bound on the records.</param>
    /// <param name="noiseRatio">Standard deviation of the noise over the L2 sensitivity.</param>
    public static CoordinateGridSketch Create(
        PairFunction function, Domain domain, int features, long maxRecords, double noiseRatio)
    {
        if (domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", function.Entry.Name);
        int m = features != 0 ? features + (features & 1) : DefaultCells(function.Exponent, maxRecords, noiseRatio);
        if (m is < LeastCells or > MostCells)
            throw new InvalidFieldException(
                "features", m, $"must be between {LeastCells} and {MostCells} cells per coordinate for lp_p");
        return new(function, domain, m);
    }

    static int DefaultCells(double p, long maxRecords, double noiseRatio)
    {
        // Noise over sigma d R^p: the same for every y; at the middle for the centred map.
        double noise = p > 1.5 ? 2 * Math.Pow(0.5, p) : 2 * PowerSimplex.SquaredRadius(p, 64) / Math.Pow(64, p);
        int m = 256;
        while (m < MostCells && maxRecords * Math.Abs(GridError.Mean(p, m)) > noise * noiseRatio / 3) m *= 2;
        return m;
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        int d = Domain.Dimension;
        BigInteger rows = (BigInteger)d << 60, power = (BigInteger)MostPower * MostPower;
        BigInteger whole = rows + power + (BigInteger)CountWeight * CountWeight;
        BigInteger l1 = ((BigInteger)(NormClamp.IntegerSquareRoot((long)Features << 40) + 1) << 10) * d + MostPower + CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * rows + power, 2 * whole), 2 * l1)
            : new(whole, l1);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int m = Features, size = Domain.Dimension * m;
        long[] counts = new long[size], fractions = new long[size];
        engine.AddSigns(points.IsWeighted ? _weightedMap : _map, points, counts, fractions);
        // Weighted counts come in units of 1 / Half already.
        long half = points.IsWeighted ? 1 : Half, sum = 0;
        // The last grid point of a coordinate is left out: all weights of a coordinate sum to 1024 n.
        for (int i = 0; i < size; i++)
        {
            cells[i] += half * counts[i] - fractions[i];
            if (i % m > 0) cells[i] += half * counts[i - 1] + fractions[i - 1];
            if (i < m) sum += half * counts[i];
        }
        cells[^1] += sum * (CountWeight / Half);
    }

    /// <summary>Weights of grid points become sums of rows; about d m^2 multiply-adds.</summary>
    public void Complete(Span<long> block)
    {
        int m = Features, d = Domain.Dimension;
        long all = block[^1] / (CountWeight / (2 * Half)), power = 0;
        var weights = new long[m + 1];
        GridRows rows = _rows.Value;
        for (int i = 0; i < d; i++)
        {
            Span<long> cells = block.Slice(i * m, m);
            weights[m] = all;
            for (int j = 0; j < m; j++) weights[m] -= weights[j] = cells[j];
            rows.Combine(weights, cells);
            for (int j = 0; IsCentred && j <= m; j++)
                power += weights[j] * (long)Math.Round(Peak * (_distances[j] / _distances[0]));
        }
        if (IsCentred) block[^2] = power;
    }

    /// <summary>Per column: for each coordinate the answer at the m + 1 grid points, then the constant.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1) + 1;
        var table = new double[columns * stride];
        GridRows rows = _rows.Value;
        for (int c = 0; c < columns; c++)
        {
            ReadOnlySpan<long> block = cells.Slice(c * CellCount, CellCount);
            Span<double> target = table.AsSpan(c * stride, stride);
            double count = block[^1] / (double)CountWeight;
            for (int i = 0; i < d; i++)
            {
                Span<double> products = target.Slice(i * (m + 1), m + 1);
                for (int j = 0; IsCentred && j <= m; j++) products[j] = count * CellPower * _distances[j];
                rows.AddProducts(block.Slice(i * m, m), -RowUnit, products);
            }
            target[^1] = IsCentred ? block[^2] * PowerUnit : count * CornerSum;
        }
        return table;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1) + 1;
        double lower = Domain.Lower!.Value, scale = m / Range, p = Function.Exponent;
        double mean = Math.Abs(GridError.Mean(p, m)) * d, spread = GridError.Spread(p, m) * Math.Sqrt(d);
        double unit = PortableMath.Pow(Range, p);
        int[] grid = new int[d];
        double[] inside = new double[d];
        for (int q = 0; q < queries.Count; q++)
        {
            ReadOnlySpan<float> y = queries.Row(q);
            double squared = 0, powers = 0;
            for (int i = 0; i < d; i++)
            {
                double position = Math.Clamp((y[i] - lower) * scale, 0, m);
                grid[i] = Math.Min((int)position, m - 1);
                inside[i] = position - grid[i];
                squared += _rows.Value.SquaredLength(grid[i], inside[i]);
                powers += (1 - inside[i]) * _distances[grid[i]] + inside[i] * _distances[grid[i] + 1];
            }
            double count = (IsCentred ? CellPower * powers : CornerSum) / CountWeight;
            answers.SquaredPsi[q] = RowUnit * RowUnit * squared + count * count + PowerUnit * PowerUnit;
            for (int c = 0; c < answers.Columns; c++)
            {
                ReadOnlySpan<double> table = prepared.Slice(c * stride, stride);
                double value = table[^1], records = answers.Records[c];
                for (int i = 0; i < d; i++)
                {
                    double left = table[i * (m + 1) + grid[i]], right = table[i * (m + 1) + grid[i] + 1];
                    value += left + inside[i] * (right - left);
                }
                answers.Values[q * answers.Columns + c] = value;
                answers.Bound[q * answers.Columns + c] = unit * (mean * records + spread * Math.Sqrt(records));
            }
        }
    }

    /// <summary>What a unit of a row cell times a unit of a row means in |z|^p.</summary>
    double RowUnit => CellPower * _radius * _radius / (GridRows.Scale * GridRows.Scale * 2 * Half);

    /// <summary>What a unit of the power cell means; 0 without one.</summary>
    double PowerUnit => IsCentred ? PortableMath.Pow(Range / 2, Function.Exponent) / (2 * Half * Peak) : 0;

    /// <summary>Shift map: d C in units of |z|^p, what one record adds to every answer.</summary>
    double CornerSum => IsCentred ? 0 : CellPower * _radius * _radius * Domain.Dimension;

    double CellPower => PortableMath.Pow(Range / Features, Function.Exponent);

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    /// <summary>
    /// Noise: shift map 2 C d R^p sigma at every y, centred map 4 d (R/2)^p sigma at a corner, the worst. Approximation:
    /// the mean over evenly spread records.
    /// </summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double d = Domain.Dimension, unit = PortableMath.Pow(Range, Function.Exponent);
        double rows = RowUnit * RowUnit * GridRows.Scale * GridRows.Scale * d;
        double count = (IsCentred ? d * unit * Math.Pow(0.5, Function.Exponent) : CornerSum) / CountWeight;
        return (Math.Sqrt(noiseVariance * (rows + count * count + PowerUnit * PowerUnit)),
            d * unit * Math.Abs(GridError.Mean(Function.Exponent, Features)));
    }

    public int RecipeBytes => 4;

    public void Write(RecipeWriter writer) => writer.WriteInt32(Features);

    internal static CoordinateGridSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int features = reader.ReadInt32();
        bool sound = domain.Lower is not null && features is >= LeastCells and <= MostCells && features % 2 == 0
            && function.Methods.Contains(SketchMethod.CoordinateGrid);
        return sound
            ? new(function, domain, features)
            : throw new InvalidDataException("the recipe of the coordinate grid is inconsistent");
    }
}
