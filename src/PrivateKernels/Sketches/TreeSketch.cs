using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// l1 and |z|_p^p for 0 &lt; p &lt; 2 under pure epsilon (structures.md 7.2): per coordinate a 4-ary tree of counts over m
/// cells of the box, fitted by weighted least squares; answers read |t - y|^p averaged over each cell.
/// </summary>
/// <remarks>
/// Guarantee: in each coordinate a record adds the integer weight w_l to one node of each level l and nothing else, for
/// every x (the engine limits the cell to the grid). So |phi|_1 = d sum w_l and |phi|_2^2 = d sum w_l^2, exactly;
/// replacing a record, in its block or across blocks, moves at most two nodes a level: twice both. One discrete Laplace
/// scale s = Delta_1 / epsilon serves all cells. Level l, counted in records, thereby gets the budget
/// epsilon w_l / (d sum w): the shares add up to epsilon as the weights add up to Delta_1, in integers.
/// While records are added, cells hold plain counts in the leaves; <see cref="Complete"/> adds them up, exactly.
/// </remarks>
public sealed class TreeSketch : ISketch
{
    /// <summary>Beyond l1 an answer table costs m^2 per coordinate.</summary>
    const int MostCellsOfPowers = 1024;

    readonly SignMap _map;
    readonly TreeShape _shape;

    TreeSketch(PairFunction function, Domain domain, int cells)
    {
        (Function, Domain) = (function, domain);
        _map = new(domain.Dimension, domain.Lower!.Value, domain.Upper!.Value, cells, WeightUnits);
        _shape = new(PowerOf(function), cells);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Tree;

    /// <summary>m, cells per coordinate; a power of 4.</summary>
    public int Features => _shape.Cells;

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension * _shape.NodeCount;

    public long LargestCell => _shape.Weights.Max();

    public int WeightUnits => 1 << 20;

    public double OperationsPerRecord => 20.0 * Domain.Dimension;

    double Range => (double)Domain.Upper!.Value - Domain.Lower!.Value;

    double Unit => PortableMath.Pow(Range / Features, _shape.Power);

    /// <summary>
    /// A tree over about <paramref name="features"/> cells per coordinate; 0 = enough for a cell's width to matter less than
    /// the noise, n eps / (6 sqrt d), between 256 and 4096 (powers: 1024): noise grows with log m only.
    /// </summary>
    /// <param name="function">l1, or lp_p with an exponent below 2.</param>
    /// <param name="domain">Declares lower and upper.</param>
    /// <param name="features">Cells per coordinate, made a power of 4; or 0.</param>
    /// <param name="maxRecords">Public bound on the records.</param>
    /// <param name="epsilon">Pure epsilon of the release, at the level of a record.</param>
    public static TreeSketch Create(PairFunction function, Domain domain, int features, long maxRecords, double epsilon)
    {
        if (domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", function.Entry.Name);
        int most = PowerOf(function) == 1 ? TreeShape.MostCells : MostCellsOfPowers;
        if (features != 0 && (features < TreeShape.LeastCells || features > most))
            throw new InvalidFieldException(
                "features", features, $"must be between {TreeShape.LeastCells} and {most} cells per coordinate for a tree");
        double wanted = Math.Clamp(maxRecords * epsilon / (6 * Math.Sqrt(domain.Dimension)), 256, most);
        return new(function, domain, TreeShape.Rounded(features != 0 ? features : wanted));
    }

    static double PowerOf(PairFunction function) => function is L1 ? 1 : function.Exponent;

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = 0, absolute = 0;
        foreach (int weight in _shape.Weights)
        {
            squared += (long)Domain.Dimension * weight * weight;
            absolute += (long)Domain.Dimension * weight;
        }
        return adjacency == Adjacency.ReplaceOne ? new(2 * squared, 2 * absolute) : new(squared, absolute);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int m = Features;
        long[] counts = new long[Domain.Dimension * m], fractions = new long[counts.Length];
        engine.AddSigns(_map, points, counts, fractions);
        for (int i = 0; i < Domain.Dimension; i++)
        {
            Span<long> leaves = Nodes(cells, i)[^m..];
            for (int j = 0; j < m; j++) leaves[j] += counts[i * m + j];
        }
    }

    public void Complete(Span<long> block)
    {
        for (int i = 0; i < Domain.Dimension; i++) _shape.Complete(Nodes(block, i));
    }

    /// <summary>Per column: for each coordinate the answer at the m + 1 cell edges.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1);
        double unit = Unit;
        var table = new double[columns * stride];
        for (int c = 0; c < columns; c++)
        {
            ReadOnlySpan<long> block = cells.Slice(c * CellCount, CellCount);
            Span<double> target = table.AsSpan(c * stride, stride);
            for (int i = 0; i < d; i++)
                _shape.FillEdges(block.Slice(i * _shape.NodeCount, _shape.NodeCount), target.Slice(i * (m + 1), m + 1));
            foreach (ref double edge in target) edge *= unit;
        }
        return table;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1);
        double lower = Domain.Lower!.Value, scale = m / Range, unit = Unit;
        int[] edge = new int[d];
        double[] inside = new double[d];
        for (int q = 0; q < queries.Count; q++)
        {
            ReadOnlySpan<float> y = queries.Row(q);
            double squared = 0;
            for (int i = 0; i < d; i++)
            {
                double position = Math.Clamp((y[i] - lower) * scale, 0, m);
                edge[i] = Math.Min((int)position, m - 1);
                inside[i] = position - edge[i];
                squared += _shape.SquaredPsi(edge[i], inside[i]);
            }
            answers.SquaredPsi[q] = unit * unit * squared;
            for (int c = 0; c < answers.Columns; c++)
            {
                ReadOnlySpan<double> table = prepared.Slice(c * stride, stride);
                double value = 0, records = answers.Records[c];
                for (int i = 0; i < d; i++)
                {
                    double left = table[i * (m + 1) + edge[i]], right = table[i * (m + 1) + edge[i] + 1];
                    value += left + inside[i] * (right - left);
                }
                answers.Values[q * answers.Columns + c] = value;
                answers.Bound[q * answers.Columns + c] = records * MeanError + Math.Sqrt(records) * Spread;
            }
        }
    }

    /// <summary>Mean error of an evenly spread record: interpolation in y alone, d R^p / (6 m^2).</summary>
    double MeanError => Domain.Dimension * PortableMath.Pow(Range, _shape.Power) / (6.0 * Features * Features);

    /// <summary>
    /// Standard deviation of the error of an evenly spread record, whose place in its cell is lost: p |z|^(p-1) h / sqrt 12
    /// averaged over |z| beyond a cell, and up to h^p within one.
    /// </summary>
    double Spread
    {
        get
        {
            double p = _shape.Power, m = Features, e = 2 * p - 1;
            double far = Math.Abs(e) < 1e-9 ? Math.Log(m) : (1 - Math.Pow(m, -e)) / e;
            double variance = p * p / (12 * m * m) * far + Math.Pow(m, -2 * p - 1) / 3;
            return Math.Pow(Range, p) * Math.Sqrt(Domain.Dimension * variance);
        }
    }

    /// <summary>The coarsest level of every coordinate holds all records: their mean.</summary>
    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double sum = 0, scale = 1.0 / ((double)Domain.Dimension * _shape.Weights[0]);
        for (int i = 0; i < Domain.Dimension; i++)
            foreach (long node in block.Slice(i * _shape.NodeCount, 4)) sum += node;
        return new(sum * scale, scale * Math.Sqrt(4.0 * Domain.Dimension));
    }

    /// <summary>Noise: of the worst y. Approximation: the mean over evenly spread records.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (Unit * Math.Sqrt(noiseVariance * Domain.Dimension * _shape.WorstSquaredPsi), MeanError);

    public int RecipeBytes => 4;

    public void Write(RecipeWriter writer) => writer.WriteInt32(Features);

    internal static TreeSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int features = reader.ReadInt32();
        bool sound = domain.Lower is not null && function.Methods.Contains(SketchMethod.Tree)
            && features is >= TreeShape.LeastCells and <= TreeShape.MostCells && TreeShape.Rounded(features) == features;
        return sound
            ? new(function, domain, features)
            : throw new InvalidDataException("the recipe of the tree is inconsistent");
    }

    Span<long> Nodes(Span<long> block, int coordinate) => block.Slice(coordinate * _shape.NodeCount, _shape.NodeCount);
}
