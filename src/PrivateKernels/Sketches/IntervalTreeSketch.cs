using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// l1 and |z|_p^p for 0 &lt; p &lt; 2 by the interval tree of Backurs et al. (ICLR 2024), for comparison (structures.md 7.3): per
/// coordinate a binary tree of counts over m leaves with equal Laplace noise in every node. An answer charges the records in each
/// ring [y + R/(1+a)^(j+1), y + R/(1+a)^j) and in its mirror image at the ring's far end, counted by a dyadic cover; a = 0.2.
/// l2 is sqrt(pi/2)/k times l1 of k projections onto Gaussian vectors, each within 4.5 max_norm of the center.
/// </summary>
/// <remarks>
/// Guarantee: on each of its axes (d coordinates, or k projections) a record adds 1 to one node of each of the log2 m levels and
/// nothing else, for every x (the engine limits the cell to the grid). So |phi|_1 = |phi|_2^2 = axes log2 m, exactly; replacing
/// a record, in its block or across blocks, moves at most two nodes a level: twice both. While records are added, cells hold
/// counts in the leaves alone.
/// </remarks>
public sealed class IntervalTreeSketch : ISketch
{
    const double Growth = 1.2;

    const int PointsPerChunk = 1 << 14;

    const int LeastLeaves = 16, MostLeaves = 1 << 20;

    /// <summary>Leaves of all axes that are taken by default.</summary>
    const int MostPlanned = 1 << 20;

    /// <summary>A projection of x beyond so many |x| counts at the end of the tree.</summary>
    const double Reach = 4.5;

    const int MostDirections = 4096, MostPlannedDirections = 512, LeastDirections = 8;

    readonly SignMap _map;
    readonly double _power;

    /// <summary>Far end of each ring in leaves, the widest first, and what it is charged.</summary>
    readonly double[] _ends, _charges;

    /// <summary>Gaussian vectors that l2 projects onto.</summary>
    readonly Lazy<FourierMap>? _projections;

    readonly float[] _center;

    IntervalTreeSketch(PairFunction function, Domain domain, int leaves, int directions, ulong seed)
    {
        (Function, Domain, Features, Directions, Seed) = (function, domain, leaves, directions, seed);
        _center = directions > 0 && !domain.Center.IsEmpty ? domain.Center.ToArray() : [];
        double reach = Reach * (domain.MaxNorm ?? 0);
        _map = directions > 0
            ? new(directions, (float)-reach, (float)reach, leaves, 1)
            : new(domain.Dimension, domain.Lower!.Value, domain.Upper!.Value, leaves, 1);
        if (directions > 0) _projections = new(() => PaperFrequencies.DrawGaussian(domain.Dimension, directions, seed));
        _power = function is LpP ? function.Exponent : 1;
        var ends = new List<double>();
        for (double end = leaves; end >= 0.5; end /= Growth) ends.Add(end);
        _ends = [.. ends];
        _charges = [.. ends.Select(end => PortableMath.Pow(end, _power))];
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Paper;

    /// <summary>m, leaves of an axis; a power of two.</summary>
    public int Features { get; }

    /// <summary>k, Gaussian vectors projected onto; 0 where the axes are the coordinates.</summary>
    public int Directions { get; }

    public ulong Seed { get; }

    public int CellCount => Axes * NodeCount;

    public long LargestCell => 1;

    public double OperationsPerRecord => Axes * (20.0 + (Directions > 0 ? 2 * Domain.Dimension : 0));

    public long MapBytes => 8L * Directions * Domain.Dimension;

    int Axes => _map.Dimension;

    /// <summary>Levels of 2, 4, ..., m nodes, one after the other.</summary>
    int NodeCount => 2 * Features - 2;

    int Levels => BitOperations.Log2((uint)Features);

    double Width => (double)_map.Upper - _map.Lower;

    /// <summary>What a charge of 1, in leaves, is in the answer.</summary>
    double Unit => PortableMath.Pow(Width / Features, _power) * (Directions > 0 ? Math.Sqrt(Math.PI / 2) / Directions : 1);

    /// <summary>
    /// Trees over at least <paramref name="features"/> leaves, a power of two; 0 = one for each record of the public bound, as in
    /// the paper, but at most 2^20 for all axes together.
    /// </summary>
    /// <param name="function">l1, lp_p with an exponent below 2 (declare lower and upper), or l2 (declares max_norm).</param>
    /// <param name="domain">Public bounds.</param>
    /// <param name="features">Leaves of an axis; or 0.</param>
    /// <param name="directions">l2: k; 0 = where noise, sqrt k, and projection error, 1/sqrt k, are about equal.</param>
    /// <param name="seed">Of the Gaussian vectors.</param>
    /// <param name="records">Public bound on the records.</param>
    /// <param name="epsilon">Pure epsilon of the release, at the level of a record.</param>
    public static IntervalTreeSketch Create(
        PairFunction function, Domain domain, int features, int directions, ulong seed, double records, double epsilon)
    {
        if (function is not L2 && domain.Lower is null) throw new DomainNotDeclaredException("lower and upper", function.Entry.Name);
        if (function is L2 && domain.MaxNorm is null) throw new DomainNotDeclaredException("max_norm", function.Entry.Name);
        if (function is L2 && domain.MaxNorm is < 1e-6 or > 1e6)
            throw new InvalidFieldException("domain.max_norm", domain.MaxNorm, "must be between 1e-6 and 1e6 for l2");
        if (directions > MostDirections)
            throw new InvalidFieldException("projected_dimension", directions, $"must be at most {MostDirections} for l2");
        if (function is L2 && directions == 0)
            directions = (int)Math.Clamp(0.001 * records * epsilon, LeastDirections, MostPlannedDirections);
        int axes = directions > 0 ? directions : domain.Dimension;
        double wanted = features != 0 ? features
            : Math.Clamp(records, LeastLeaves, Math.Max(256, MostPlanned / (int)BitOperations.RoundUpToPowerOf2((uint)axes)));
        return wanted is >= LeastLeaves and <= MostLeaves && wanted * axes < 1 << 29
            ? new(function, domain, (int)BitOperations.RoundUpToPowerOf2((uint)Math.Ceiling(wanted)), directions, seed)
            : throw new InvalidFieldException("features", features,
                $"must be between {LeastLeaves} and {MostLeaves} leaves for the paper's tree, and below 2^29 times {axes} axes");
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger moved = (BigInteger)Axes * Levels * (adjacency == Adjacency.ReplaceOne ? 2 : 1);
        return new(moved, moved);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        int m = Features;
        long[] counts = new long[Axes * m], fractions = new long[counts.Length];
        // Once at least, so that no call depends on there being points.
        for (int first = 0; first == 0 || first < points.Count; first += PointsPerChunk)
            engine.AddSigns(
                _map, Positions(engine, points.Slice(first, Math.Min(PointsPerChunk, points.Count - first))), counts, fractions);
        for (int i = 0; i < Axes; i++)
        {
            Span<long> leaves = cells.Slice(i * NodeCount, NodeCount)[^m..];
            for (int j = 0; j < m; j++) leaves[j] += counts[i * m + j];
        }
    }

    /// <summary>Points on the axes: the points themselves, or their projections, within the grid and canonical.</summary>
    Points Positions(IEngine engine, Points points)
    {
        if (_projections is null) return points;
        var positions = new float[points.Count * Axes];
        engine.MultiplyRows(_projections.Value, Canonical.Centred(points, _center), positions);
        foreach (ref float position in positions.AsSpan()) position = Math.Clamp(position, _map.Lower, _map.Upper);
        Canonical.Flush(positions);
        return new(positions, Axes);
    }

    public void Complete(Span<long> block)
    {
        for (int i = 0; i < Axes; i++)
        {
            Span<long> nodes = block.Slice(i * NodeCount, NodeCount);
            for (int width = Features; width > 2; width /= 2)
                for (int j = 0; j < width / 2; j++)
                    nodes[width / 2 - 2 + j] = nodes[width - 2 + 2 * j] + nodes[width - 1 + 2 * j];
        }
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        double lower = _map.Lower, scale = Features / Width, unit = Unit;
        int columns = answers.Columns;
        Points positions = Positions(engine, queries);
        for (int q = 0; q < queries.Count; q++)
        {
            ReadOnlySpan<float> y = positions.Row(q);
            Span<double> values = answers.Values.AsSpan(q * columns, columns);
            double squared = 0;
            for (int i = 0; i < y.Length; i++)
                squared += AddRings(Math.Clamp((y[i] - lower) * scale, 0, Features), prepared[(i * NodeCount)..], values);
            answers.SquaredPsi[q] = unit * unit * squared;
            for (int c = 0; c < columns; c++)
            {
                values[c] *= unit;
                // A difference does not show how large its two sums are: at most the box wide for every record.
                double sums = answers.AreDifferences
                    ? answers.Records[c] * Axes * unit * Math.Pow(Features, _power)
                    : Math.Max(0, values[c]);
                answers.Bound[q * columns + c] = sums * RelativeError + answers.Records[c] * LeafError;
            }
        }
    }

    /// <summary>
    /// Adds the answer of one coordinate to every column, in units of a leaf; returns the squared norm of what it reads.
    /// <paramref name="nodes"/> starts at the coordinate's first node and has those of column c at c times CellCount.
    /// </summary>
    double AddRings(double position, ReadOnlySpan<double> nodes, Span<double> values)
    {
        double squared = 0;
        int right = Features, left = 0;
        for (int j = 0; j < _ends.Length; j++)
        {
            // Leaves by their centers: those beyond the near end, at most at the far end; the last ring goes down to 0.
            double near = j + 1 < _ends.Length ? _ends[j + 1] : 0;
            int first = (int)Math.Clamp(Math.Ceiling(position + near - 0.5), 0, right);
            squared += AddCover(first, right, _charges[j], nodes, values);
            int last = (int)Math.Clamp(Math.Ceiling(position - near - 0.5), left, Features);
            squared += AddCover(left, last, _charges[j], nodes, values);
            (right, left) = (first, last);
        }
        return squared;
    }

    /// <summary>Adds the charge times the nodes of the dyadic cover of leaves first..last - 1.</summary>
    double AddCover(int first, int last, double charge, ReadOnlySpan<double> nodes, Span<double> values)
    {
        int read = 0;
        for (int width = Features; first < last; (first, last, width) = (first / 2, last / 2, width / 2))
        {
            if (first % 2 == 1 || width == 2) AddNode(width - 2 + first++, nodes, values);
            if (first < last && (last % 2 == 1 || width == 2)) AddNode(width - 2 + --last, nodes, values);
            if (width == 2) break;
        }
        return charge * charge * read;

        void AddNode(int node, ReadOnlySpan<double> nodes, Span<double> values)
        {
            read++;
            for (int c = 0; c < values.Length; c++) values[c] += charge * nodes[c * CellCount + node];
        }
    }

    /// <summary>
    /// A ring's far end over its near end, as part of the answer; four standard deviations of the projection, sqrt((pi/2 - 1) / k).
    /// </summary>
    double RelativeError => 1 - Math.Pow(Growth, -_power) + 4 * ProjectionError;

    double ProjectionError => Directions > 0 ? Math.Sqrt((Math.PI / 2 - 1) / Directions) : 0;

    /// <summary>
    /// Per record and beside that: half a leaf between a record and the center of its leaf, and the last ring, which ends within
    /// 0.6 leaves.
    /// </summary>
    double LeafError => Axes * Unit
        * (Math.Pow(0.6, _power) + (_power <= 1 ? Math.Pow(0.5, _power) : 0.5 * _power * Math.Pow(Features, _power - 1)));

    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double sum = 0;
        for (int i = 0; i < Axes; i++) sum += block[i * NodeCount] + (double)block[i * NodeCount + 1];
        return new(sum / Axes, Math.Sqrt(2.0 / Axes));
    }

    /// <summary>
    /// Noise: the largest at 65 evenly spaced y. Approximation: the mean over evenly spread records and queries; a ring is
    /// charged 1/11 of |z| more than its mean distance, by which its records err. l2: for |z| of 0.65 max_norm.
    /// </summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double worst = 0;
        for (int i = 0; i <= 64; i++) worst = Math.Max(worst, AddRings(Features * (i / 64.0), [], []));
        double mean = Directions > 0 ? 0.65 * Domain.MaxNorm!.Value
            : 2 / ((_power + 1) * (_power + 2)) * Math.Pow(Features, _power) * Unit * Axes;
        return (Unit * Math.Sqrt(noiseVariance * Axes * worst), mean * double.Hypot(_power / 11, ProjectionError));
    }

    public int RecipeBytes => 16;

    public void Write(RecipeWriter writer)
    {
        writer.WriteInt32(Features);
        writer.WriteInt32(Directions);
        writer.WriteInt64((long)Seed);
    }

    internal static IntervalTreeSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int features = reader.ReadInt32(), directions = reader.ReadInt32();
        ulong seed = (ulong)reader.ReadInt64();
        bool sound = function.Methods.Contains(SketchMethod.Paper) && BitOperations.IsPow2(features)
            && (function is L2 ? domain.MaxNorm is >= 1e-6 and <= 1e6 && directions is > 0 and <= MostDirections
                : domain.Lower is not null && directions == 0)
            && features is >= LeastLeaves and <= MostLeaves && Math.Max(domain.Dimension, (long)directions) * features < 1 << 29;
        return sound
            ? new(function, domain, features, directions, seed)
            : throw new InvalidDataException("the recipe of the paper's tree is inconsistent");
    }
}
