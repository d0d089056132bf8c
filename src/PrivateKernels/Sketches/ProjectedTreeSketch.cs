using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// l2 under pure epsilon (structures.md 7.2): the points are projected onto k unit rows q_j, orthogonal in blocks, and each
/// projection, within [-a, a], is counted in a <see cref="TreeShape"/> of 256 cells. The answer is c sum_j of the row
/// answers, sum_x |q_j . (x - y)|; it is the sum of |x - y| up to the projection error, which the groups of rows show.
/// </summary>
/// <remarks>
/// Guarantee: in each direction a record adds the integer weight w_l to at most one node of each level l, for every x
/// (<see cref="SlicedMap"/>: one packed record a direction, in a cell of the grid whatever the projection). So |phi|_1 is at most
/// k sum w_l and |phi|_2^2 at most k sum w_l^2; replaced, in its block or across blocks, twice both. No bound on the norm of x
/// is needed. While records are added, cells hold plain counts in the leaves; <see cref="Complete"/> adds them up, exactly.
/// </remarks>
public sealed class ProjectedTreeSketch : ISketch
{
    /// <summary>a sqrt P / r: a projection beyond this many standard deviations counts at the end of the grid.</summary>
    const double Reach = 4.5;

    /// <summary>Leaves a direction, of two cells of <see cref="SlicedMap"/> each.</summary>
    const int Leaves = SlicedMap.CellsPerSide;

    const int QueriesPerChunk = 64;

    /// <summary>Directions the planner never goes beyond by itself.</summary>
    const int LeastDirections = 8, MostPlannedDirections = 8192;

    static readonly TreeShape Shape = new(1, Leaves);

    readonly FourierShape _shape;
    readonly Lazy<SlicedMap> _map;
    readonly float[] _center;

    /// <summary>c times the width of a leaf: a row answer in leaves, in units of distance.</summary>
    readonly double _unit;

    ProjectedTreeSketch(PairFunction function, Domain domain, FourierShape shape, ulong seed)
    {
        (Function, Domain, Seed, _shape) = (function, domain, seed, shape);
        _center = domain.Center.IsEmpty ? [] : domain.Center.ToArray();
        int sphere = Sphere(shape);
        double a = domain.MaxNorm!.Value * Math.Min(1, Reach / Math.Sqrt(sphere));
        _unit = SlicedSketch.NormFactor(sphere) / shape.Frequencies * (2 * a / Leaves);
        // Group terms are not wanted: they come out as 0, and the norm clamp that rests on them never acts.
        _map = new(() => new SlicedMap(
            Frequencies.DrawDirections(shape, seed, (SlicedMap.LargestPosition + 1) / a), Multiplier: 1, Shift: 48, LargestNorm: 16));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Tree;

    /// <summary>k, directions.</summary>
    public int Features => _shape.Frequencies;

    public ulong Seed { get; }

    public int CellCount => Features * Shape.NodeCount;

    public long LargestCell => Shape.Weights.Max();

    public int WeightUnits => SlicedMap.CellSize;

    /// <summary>Butterflies or multiply-adds, and the histogram.</summary>
    public double OperationsPerRecord =>
        (double)Features * (20 + (_shape.Padded > 0 ? 3 * BitOperations.Log2((uint)_shape.Padded) : 2 * Domain.Dimension));

    public long MapBytes => _shape.MapBytes;

    /// <summary>
    /// A sketch of at least <paramref name="features"/> directions; 0 = where noise, which grows as sqrt k, and projection
    /// error, which falls as 1/sqrt k, are equal: k = 0.006 n epsilon (7.2, for points 0.65 r apart).
    /// </summary>
    /// <param name="function">l2.</param>
    /// <param name="domain">Declares max_norm r.</param>
    /// <param name="features">Directions, rounded up to equal groups; or 0.</param>
    /// <param name="seed">Of the public directions.</param>
    /// <param name="maxRecords">Public bound on the records.</param>
    /// <param name="epsilon">Pure epsilon of the release, at the level of a record.</param>
    public static ProjectedTreeSketch Create(
        PairFunction function, Domain domain, int features, ulong seed, long maxRecords, double epsilon)
    {
        if (domain.MaxNorm is null) throw new DomainNotDeclaredException("max_norm", function.Entry.Name);
        if (domain.MaxNorm is < 1e-6 or > 1e6)
            throw new InvalidFieldException("domain.max_norm", domain.MaxNorm, "must be between 1e-6 and 1e6 for l2");
        int k = features != 0
            ? features
            : (int)Math.Clamp(0.006 * maxRecords * epsilon, LeastDirections, MostPlannedDirections);
        return new(function, domain, FourierShape.ForDirections(domain.Dimension, k, pure: true), seed);
    }

    static int Sphere(FourierShape shape) => shape.Padded > 0 ? shape.Padded : shape.Dimension;

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = 0, absolute = 0;
        foreach (int weight in Shape.Weights)
        {
            squared += (long)Features * weight * weight;
            absolute += (long)Features * weight;
        }
        return adjacency == Adjacency.ReplaceOne ? new(2 * squared, 2 * absolute) : new(squared, absolute);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        var packed = new long[Features * SlicedMap.CellsPerRow];
        var groups = new long[_shape.Groups];
        int most = points.IsWeighted ? SlicedMap.MostWeighted : SlicedMap.MostRecords;
        // Once at least, so that no call depends on there being points.
        for (int first = 0; first == 0 || first < points.Count; first += most)
        {
            Points slice = Canonical.Centred(points.Slice(first, Math.Min(most, points.Count - first)), _center);
            Array.Clear(packed);
            engine.AddSliced(_map.Value, slice, packed, groups);
            for (int j = 0; j < Features; j++)
            {
                Span<long> leaves = Nodes(cells, j)[^Leaves..];
                ReadOnlySpan<long> row = packed.AsSpan(j * SlicedMap.CellsPerRow, SlicedMap.CellsPerRow);
                for (int cell = 0; cell < SlicedMap.CellsPerSide; cell++)
                {
                    leaves[Leaves / 2 + cell / 2] += SlicedMap.Unpack(row[cell], points.IsWeighted).Records;
                    leaves[Leaves / 2 - 1 - cell / 2] +=
                        SlicedMap.Unpack(row[SlicedMap.CellsPerSide + cell], points.IsWeighted).Records;
                }
            }
        }
    }

    public void Complete(Span<long> block)
    {
        for (int j = 0; j < Features; j++) Shape.Complete(Nodes(block, j));
    }

    /// <summary>Per column, for each direction: the row answer at the cell edges, in leaves, and the number of records.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var table = new double[columns * Features * Stride];
        for (int row = 0; row < columns * Features; row++)
        {
            Span<double> edges = table.AsSpan(row * Stride, Stride);
            edges[^1] = Shape.FillEdges(cells.Slice(row * Shape.NodeCount, Shape.NodeCount), edges[..^1]);
        }
        return table;
    }

    const int Stride = Leaves + 2;

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
        answers.DegreesOfFreedom = _shape.Groups - 1;
    }

    void Answer(int query, ReadOnlySpan<float> t, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int groups = _shape.Groups, perGroup = Features / groups;
        double squared = 0;
        foreach (float position in t)
        {
            (int edge, double part) = Place(position);
            squared += part is >= 0 and <= 1 ? Shape.SquaredPsi(edge, part) : Shape.SquaredPsiBeyond(part < 0 ? -part : part - 1);
        }
        answers.SquaredPsi[query] = _unit * _unit * squared;
        Span<double> parts = stackalloc double[groups];
        for (int column = 0; column < answers.Columns; column++)
        {
            for (int g = 0; g < groups; g++)
            {
                double sum = 0;
                for (int j = g * perGroup; j < (g + 1) * perGroup; j++)
                {
                    ReadOnlySpan<double> edges = prepared.Slice((column * Features + j) * Stride, Stride);
                    (int edge, double part) = Place(t[j]);
                    sum += part < 0 ? edges[0] - part * edges[^1]
                        : part > 1 ? edges[Leaves] + (part - 1) * edges[^1]
                        : edges[edge] + part * (edges[edge + 1] - edges[edge]);
                }
                parts[g] = sum;
            }
            answers.SetFromGroups(query * answers.Columns + column, parts, _unit);
        }
    }

    /// <summary>Leaf of a position, and the place in it: below 0 or above 1 beyond the ends of the grid.</summary>
    static (int Edge, double Part) Place(float position)
    {
        double leaves = position * (Leaves / 2.0 / (SlicedMap.LargestPosition + 1)) + Leaves / 2;
        int edge = (int)Math.Clamp(leaves, 0, Leaves - 1);
        return (edge, leaves - edge);
    }

    /// <summary>The coarsest level of every direction holds all records: their mean.</summary>
    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double sum = 0, scale = 1.0 / ((double)Features * Shape.Weights[0]);
        for (int j = 0; j < Features; j++)
            foreach (long node in block.Slice(j * Shape.NodeCount, 4)) sum += node;
        return new(sum * scale, scale * Math.Sqrt(4.0 * Features));
    }

    /// <summary>Noise: of the worst projections. Approximation: for rows that fill no whole block, as most here.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double perRow = _shape.Padded > 0 ? 0.058 : Domain.Dimension >= 32 ? 0.21 : 0.6;
        return (_unit * Math.Sqrt(noiseVariance * Features * Shape.WorstSquaredPsi),
            Domain.Dimension == 1 ? 0 : Domain.MaxNorm!.Value * perRow / Math.Sqrt(Features));
    }

    public int RecipeBytes => FourierShape.RecipeBytes;

    public void Write(RecipeWriter writer) => _shape.Write(writer, Seed);

    internal static ProjectedTreeSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        (FourierShape shape, ulong seed) = FourierShape.Read(reader, domain.Dimension);
        return domain.MaxNorm is >= 1e-6 and <= 1e6 && shape.IsSound
            ? new(function, domain, shape, seed)
            : throw new InvalidDataException("the recipe of the projected trees is inconsistent");
    }

    static Span<long> Nodes(Span<long> block, int direction) => block.Slice(direction * Shape.NodeCount, Shape.NodeCount);
}
