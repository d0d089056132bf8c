using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Sign features of the l1 distance on a box (structures.md, section 3): per coordinate m cells of width h, each holding
/// the mean of sign(x - t) over the cell, and one count. |x - y| = R/2 - (1/2) int sign(x - t) sign(y - t) dt.
/// </summary>
/// <remarks>
/// Guarantee: each of the d m cells that a record adds is at most W = 2^20 in size for every x (the position is limited to
/// the box and the fraction term to [-W, W]); the count adds C, at most W sqrt(d m). So |phi|^2 is at most W^2 d m + C^2
/// and |phi|_1 at most W d m + C. Replaced within a block, the count stays: at most 2 W sqrt(d m); replaced across
/// blocks: sqrt(2 (W^2 d m + C^2)), no more than that.
/// </remarks>
public sealed class SignSketch : ISketch
{
    const int Weight = 1 << 20;
    const int LeastCells = 16, MostCells = 4096;

    readonly SignMap _map;

    SignSketch(PairFunction function, Domain domain, int features)
    {
        (Function, Domain, Features) = (function, domain, features);
        _map = new(domain.Dimension, domain.Lower!.Value, domain.Upper!.Value, features, Weight);
        // A multiple of 8, so that the square root's argument stays within 64 bits.
        CountWeight = NormClamp.IntegerSquareRoot((long)domain.Dimension * features << 34) << 3;
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Sign;

    /// <summary>m, grid cells per coordinate.</summary>
    public int Features { get; }

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension * Features + 1;

    public long LargestCell => CountWeight;

    public double OperationsPerRecord => 20.0 * Domain.Dimension;

    long CountWeight { get; }

    double Width => ((double)Domain.Upper!.Value - Domain.Lower!.Value) / Features;

    /// <summary>
    /// A sketch with <paramref name="features"/> cells per coordinate; 0 = the next power of two above
    /// sqrt(<paramref name="maxRecords"/>), between 256 and 4096: the bias falls as n/m^2, the noise does not depend on m.
    /// </summary>
    public static SignSketch Create(PairFunction function, Domain domain, int features, long maxRecords)
    {
        if (domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", function.Entry.Name);
        int m = features != 0
            ? features
            : (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((ulong)Math.Sqrt(maxRecords)), 256, MostCells);
        if (m is < LeastCells or > MostCells)
            throw new InvalidFieldException("features", m, $"must be between {LeastCells} and {MostCells} cells per coordinate for l1");
        return new(function, domain, m);
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger cells = (BigInteger)Domain.Dimension * Features;
        BigInteger squared = cells * Weight * Weight, count = CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(4 * squared, 2 * (cells * Weight + count))
            : new(squared + count * count, cells * Weight + count);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int m = Features, size = Domain.Dimension * m;
        long[] counts = new long[size], fractions = new long[size];
        engine.AddSigns(_map, points, counts, fractions);
        // Weighted counts come in units of 1 / W.
        long unit = points.IsWeighted ? 1 : Weight;
        for (int i = 0; i < size; i += m)
        {
            long all = points.IsWeighted ? Sum(counts.AsSpan(i, m)) : points.Count;
            // Cell j of a record in cell c holds W for j < c, -W for j > c, its fraction term at j = c.
            long left = 0;
            for (int j = 0; j < m; j++)
            {
                long right = all - left - counts[i + j];
                cells[i + j] += unit * (right - left) + fractions[i + j];
                left += counts[i + j];
            }
        }
        cells[^1] += points.TimesWeights(CountWeight);
    }

    static long Sum(ReadOnlySpan<long> counts)
    {
        long sum = 0;
        foreach (long count in counts) sum += count;
        return sum;
    }

    /// <summary>Per column: for each coordinate the answer at the m + 1 cell edges, then the constant term, then the count.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1) + 2;
        var table = new double[columns * stride];
        for (int c = 0; c < columns; c++)
        {
            ReadOnlySpan<long> block = cells.Slice(c * CellCount, CellCount);
            Span<double> target = table.AsSpan(c * stride, stride);
            for (int i = 0; i < d; i++) FillEdges(block.Slice(i * m, m), target.Slice(i * (m + 1), m + 1));
            double count = block[^1] / (double)CountWeight;
            target[^2] = count * d * m * Width / 2;
            target[^1] = count;
        }
        return table;
    }

    // At edge e the sign features of y are +1 left of e and -1 right of it; between edges the answer is linear in y.
    void FillEdges(ReadOnlySpan<long> cells, Span<double> edges)
    {
        double scale = -Width / (2.0 * Weight), sum = 0;
        foreach (long cell in cells) sum -= cell;
        edges[0] = scale * sum;
        for (int j = 0; j < cells.Length; j++) edges[j + 1] = scale * (sum += 2.0 * cells[j]);
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int d = Domain.Dimension, m = Features, stride = d * (m + 1) + 2;
        double lower = Domain.Lower!.Value, scale = 1 / Width;
        for (int q = 0; q < queries.Count; q++)
        {
            ReadOnlySpan<float> y = queries.Row(q);
            double inner = 0;                              // sum of squared sign features beyond m - 1
            for (int c = 0; c < answers.Columns; c++)
            {
                ReadOnlySpan<double> table = prepared.Slice(c * stride, stride);
                double value = table[^2], bound = 0, any = 0;
                inner = 0;
                for (int i = 0; i < d; i++)
                {
                    double position = Math.Clamp((y[i] - lower) * scale, 0, m);
                    int cell = Math.Min((int)position, m - 1);
                    double v = position - cell;
                    ReadOnlySpan<double> edges = table.Slice(i * (m + 1), m + 1);
                    value += edges[cell] + v * (edges[cell + 1] - edges[cell]);
                    inner += (2 * v - 1) * (2 * v - 1);
                    any += 2 * Width * v * (1 - v);
                    bound += v <= 0.5 ? v * Bend(edges, cell, table[^1]) : (1 - v) * Bend(edges, cell + 1, table[^1]);
                }
                answers.Values[q * answers.Columns + c] = value;
                answers.Bound[q * answers.Columns + c] = answers.AreDifferences ? answers.Records[c] * any : Math.Max(0, bound);
            }
            double half = Width / 2;
            answers.SquaredPsi[q] = half * half * (d * (m - 1.0) + inner) / ((double)Weight * Weight)
                + d * m * half * (d * m * half) / ((double)CountWeight * CountWeight);
        }
    }

    /// <summary>
    /// Second difference of the answer at an edge: 2h times the sum of 1 - u over the records of the cell right of it and of u
    /// over those left of it, u the place in the cell. The answer is off only by records in y's own cell, each by 2h
    /// (min(u, v) - u v), never below 0 and at most v times its share in the bend at the left edge, (1 - v) times that at the right
    /// one: so this much of the nearer bend bounds the error. The noise of the bound is below noise_std / sqrt(3m).
    /// In differences of data the bends of one side may hide those of the other: there each record may err by 2h v (1 - v).
    /// </summary>
    double Bend(ReadOnlySpan<double> edges, int edge, double count)
    {
        // Left of the box the answer falls by one per unit and record, right of it it rises.
        double before = edge == 0 ? -count * Width : edges[edge] - edges[edge - 1];
        double after = edge == edges.Length - 1 ? count * Width : edges[edge + 1] - edges[edge];
        return after - before;
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    /// <summary>Noise: sigma d R, the same for every y. Approximation per record: d h / 6 averaged over cells, over m of them.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double d = Domain.Dimension, m = Features, range = Width * m;
        double squaredPsi = range * range / 4 * (d / m / ((double)Weight * Weight) + d * d / ((double)CountWeight * CountWeight));
        return (Math.Sqrt(noiseVariance * squaredPsi), d * range / (6 * m * m));
    }

    public int RecipeBytes => 4;

    public void Write(RecipeWriter writer) => writer.WriteInt32(Features);

    internal static SignSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int features = reader.ReadInt32();
        return domain.Lower is not null && features is >= LeastCells and <= MostCells
            ? new(function, domain, features)
            : throw new InvalidDataException("the recipe of the sign sketch is inconsistent");
    }
}
