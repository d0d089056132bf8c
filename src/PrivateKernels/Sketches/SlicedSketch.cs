using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// l2 distance by directions (structures.md, section 6): |z|_s = c sum_j |q_j . z| over k unit rows q_j, orthogonal in
/// blocks, is |z| up to the projection error. |x - y|_s = |x|_s + |y|_s - K(x, y), and K is an inner product of indicators 1[0 &lt; t &lt; |q_j .
/// x|] per direction and side, on 256 cells up to a = 4.5 r / sqrt P. Cells: 512 k indicator cells, the sum of positions per group (|x|_s
/// for the groups of the error bar), a count.
/// </summary>
/// <remarks>
/// Guarantee: for every x, with W = 4096 the full cell and Q_g the sum of the integer positions of group g, the indicator
/// cells of a record have squares of at most W q_j in a direction, W sum Q_g in all. <see cref="SlicedMap"/> keeps
/// sum S_g^2 within Y^2, so sum S_g is at most Y sqrt G, and from S_g > Q_g M / 2^shift - 1 follows sum Q_g below 2^shift / M
/// (Y sqrt G + G) = T. So |phi|_2^2 is at most W T + Y^2, and |phi|_1 at most T + Y sqrt G, plus the count Y. Replaced within a
/// block, the count stays: at most twice that without count; replaced across blocks: sqrt 2 times that with count.
/// </remarks>
public sealed class SlicedSketch : ISketch
{
    const int W = SlicedMap.CellSize, Side = SlicedMap.CellsPerSide;

    /// <summary>a sqrt P / r: a projection beyond this many standard deviations is cut off.</summary>
    const double Reach = 4.5;

    /// <summary>|x|_s differs from |x| by about 1 %: room so that hardly a vector of the domain is shrunk.</summary>
    const double Margin = 1.03;

    const int QueriesPerChunk = 64;

    readonly FourierShape _shape;
    readonly Lazy<SlicedMap> _map;
    readonly float[] _center;
    readonly int _multiplier, _shift, _count;
    readonly BigInteger _largestPositionSum;

    /// <summary>c h / W: a position in units of distance.</summary>
    readonly double _unit;

    SlicedSketch(PairFunction function, Domain domain, FourierShape shape, ulong seed)
    {
        (Function, Domain, Seed, _shape) = (function, domain, seed, shape);
        _center = domain.Center.IsEmpty ? [] : domain.Center.ToArray();
        int k = shape.Frequencies, sphere = shape.Padded > 0 ? shape.Padded : domain.Dimension;
        double r = Radius * Margin, c = NormFactor(sphere) / k, h = Reach * r / (Math.Sqrt(sphere) * Side);
        _unit = c * h / W;
        // |x|_s = r in positions. Indicators, group terms and count share the squared length as 2 : 1 : 1.
        double positions = r / _unit, term = Math.Sqrt(W * positions / 2);
        (_count, double factor) = ((int)term, term * Math.Sqrt(shape.Groups) / positions);
        for (_shift = 16; factor * (2L << _shift) < 1 << 16; _shift++) { }
        _multiplier = (int)(factor * (1L << _shift));
        BigInteger terms = LargestTermSum + shape.Groups;
        _largestPositionSum = (terms << _shift) / _multiplier;
        _map = new(() => new SlicedMap(
            Frequencies.DrawDirections(shape, seed, W / h), _multiplier, _shift, _count));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Sliced;

    /// <summary>k, directions.</summary>
    public int Features => _shape.Frequencies;

    public ulong Seed { get; }

    public bool IsStructured => _shape.Padded > 0;

    public int Groups => _shape.Groups;

    public int CellCount => IndicatorCells + Groups + 1;

    public long LargestCell => _count;

    /// <summary>Butterflies or multiply-adds, and the histogram.</summary>
    public double OperationsPerRecord =>
        (double)Features * (20 + (IsStructured ? 3 * BitOperations.Log2((uint)_shape.Padded) : 2 * Domain.Dimension));

    public long MapBytes => _shape.MapBytes;

    int IndicatorCells => Features * SlicedMap.CellsPerRow;

    double Radius => Domain.MaxNorm!.Value;

    /// <summary>Y sqrt G, rounded up.</summary>
    BigInteger LargestTermSum => Rational.FloorSqrt((BigInteger)_count * _count * Groups) + 1;

    /// <summary>A sketch of at least <paramref name="features"/> directions (0 = four blocks of 1,024 or more).</summary>
    public static SlicedSketch Create(PairFunction function, Domain domain, int features, ulong seed)
    {
        if (domain.MaxNorm is null) throw new DomainNotDeclaredException("max_norm", function.Entry.Name);
        if (domain.MaxNorm is < 1e-6 or > 1e6)
            throw new InvalidFieldException("domain.max_norm", domain.MaxNorm, "must be between 1e-6 and 1e6 for l2");
        return new(function, domain, FourierShape.ForDirections(domain.Dimension, features, pure: false), seed);
    }

    /// <summary>
    /// k c = sqrt(pi) Gamma((P + 1) / 2) / Gamma(P / 2): one over the mean of |q . z| for unit z in P dimensions. By the recurrence
    /// f(P + 2) = f(P) (P + 1) / P, which has the same bits on every platform.
    /// </summary>
    internal static double NormFactor(int sphere)
    {
        double f = sphere % 2 == 1 ? 1 : Math.PI / 2;
        for (int p = 2 - sphere % 2; p < sphere; p += 2) f *= (p + 1.0) / p;
        return f;
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger count = _count, squared = W * _largestPositionSum + count * count;
        BigInteger l1 = _largestPositionSum + LargestTermSum + count;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * squared, 2 * (squared + count * count)), 2 * l1)
            : new(squared + count * count, l1);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        var packed = new long[IndicatorCells];
        int most = points.IsWeighted ? SlicedMap.MostWeighted : SlicedMap.MostRecords;
        // Weighted records come in units of 1 / W.
        int unit = points.IsWeighted ? 1 : W;
        // Once at least, so that no call depends on there being points.
        for (int first = 0; first == 0 || first < points.Count; first += most)
        {
            Points slice = Canonical.Centred(points.Slice(first, Math.Min(most, points.Count - first)), _center);
            Array.Clear(packed);
            engine.AddSliced(_map.Value, slice, packed, cells.Slice(IndicatorCells, Groups));
            for (int row = 0; row < packed.Length; row += Side)
            {
                // A record in cell c holds W in the cells before c and its place within c in cell c.
                long beyond = 0;
                for (int c = row + Side - 1; c >= row; c--)
                {
                    (long records, long places) = SlicedMap.Unpack(packed[c], points.IsWeighted);
                    cells[c] += unit * beyond + places;
                    beyond += records;
                }
            }
        }
        cells[^1] += points.TimesWeights(_count);
    }

    /// <summary>Per column: running sums of the indicator cells of each direction and side, the group terms, the count.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var table = new double[cells.Length];
        for (int c = 0; c < columns; c++)
        {
            ReadOnlySpan<long> block = cells.Slice(c * CellCount, CellCount);
            Span<double> to = table.AsSpan(c * CellCount, CellCount);
            for (int i = 0; i < CellCount; i++)
                to[i] = block[i] + (i < IndicatorCells && i % Side > 0 ? to[i - 1] : 0);
        }
        return table;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        Points centred = Canonical.Centred(queries, _center);
        for (int first = 0; first < centred.Count; first += QueriesPerChunk)
        {
            Points chunk = centred.Slice(first, Math.Min(QueriesPerChunk, centred.Count - first));
            var positions = new float[chunk.Count * Features];
            engine.MultiplyRows(_map.Value.Rows, chunk, positions);
            for (int i = 0; i < chunk.Count; i++)
                Answer(first + i, positions.AsSpan(i * Features, Features), prepared, answers);
        }
        answers.DegreesOfFreedom = Groups - 1;
    }

    void Answer(int query, ReadOnlySpan<float> t, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int groups = Groups, perGroup = Features / groups;
        double term = _unit * (1L << _shift) / _multiplier, length = 0, squares = 0;
        foreach (float position in t) length += Math.Abs((double)position);
        foreach (float position in t)
        {
            (int full, double part) = Split(position);
            squares += full + part * part;
        }
        double common = length * _unit / _count;
        answers.CommonSquaredPsi[query] = common * common;
        answers.SquaredPsi[query] = common * common + groups * term * term + 4 * _unit * _unit * squares;
        Span<double> parts = stackalloc double[groups];
        for (int column = 0; column < answers.Columns; column++)
        {
            ReadOnlySpan<double> table = prepared.Slice(column * CellCount, CellCount);
            double count = table[^1] / _count;
            for (int g = 0; g < groups; g++)
            {
                double own = 0, overlap = 0;
                for (int j = g * perGroup; j < (g + 1) * perGroup; j++)
                {
                    own += Math.Abs((double)t[j]);
                    (int full, double part) = Split(t[j]);
                    int row = (2 * j + (t[j] < 0 ? 1 : 0)) * Side;
                    double left = full == 0 ? 0 : table[row + full - 1];
                    overlap += full == Side ? left : left + part * (table[row + full] - left);
                }
                parts[g] = term * table[IndicatorCells + g] + _unit * (own * count - 2 * overlap);
            }
            answers.SetFromGroups(query * answers.Columns + column, parts);
        }
    }

    /// <summary>Whole cells below a position, and the part of the next one.</summary>
    static (int Full, double Part) Split(float position)
    {
        double cells = Math.Min(Math.Abs((double)position) / W, Side);
        return ((int)cells, cells - (int)cells);
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)_count, 1.0 / _count);

    /// <summary>Noise: at |y - c|_s = r, the worst of the domain. Approximation: measured for structured rows (section 6).</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double r = Radius * Margin, common = r / _count, term = _unit * (1L << _shift) / _multiplier;
        double squaredPsi = common * common + Groups * term * term + 4 * _unit * r / W;
        return (Math.Sqrt(noiseVariance * squaredPsi), Radius * (IsStructured ? 0.058 : 0.6) / Math.Sqrt(Features));
    }

    public int RecipeBytes => FourierShape.RecipeBytes;

    public void Write(RecipeWriter writer) => _shape.Write(writer, Seed);

    internal static SlicedSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        (FourierShape shape, ulong seed) = FourierShape.Read(reader, domain.Dimension);
        return domain.MaxNorm is >= 1e-6 and <= 1e6 && shape.IsSound
            ? new(function, domain, shape, seed)
            : throw new InvalidDataException("the recipe of the sliced sketch is inconsistent");
    }
}
