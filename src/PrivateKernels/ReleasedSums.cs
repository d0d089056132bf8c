using MathNet.Numerics.Distributions;

namespace PrivateKernels;

/// <summary>
/// Noisy cells with the public map that answers from them, of a release or of several combined. Immutable; every answer is
/// post-processing and costs nothing. The same cells and the same point give the same bits for ever, on every engine.
/// </summary>
public abstract class ReleasedSums
{
    readonly Lazy<double[]> _perBlock, _total;
    readonly Lazy<double[]>[] _blocks;

    private protected ReleasedSums(ISketch sketch, IReadOnlyList<string> classes, long[] cells)
    {
        (Sketch, Classes, Cells) = (sketch, classes, cells);
        _perBlock = new(() => Sketch.Prepare(Cells, Blocks));
        _total = new(() => Sketch.Prepare(Total(), 1));
        _blocks = [.. Classes.Select((_, c) => new Lazy<double[]>(() => Sketch.Prepare(Block(c), 1)))];
    }

    public ISketch Sketch { get; }

    /// <summary>Classes, one block of cells each; empty for a single block.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The releases that the cells come from, each once.</summary>
    public abstract IReadOnlyList<ReleaseParent> Parents { get; }

    /// <summary>Noisy cells, block after block.</summary>
    internal long[] Cells { get; }

    internal int Blocks => Math.Max(1, Classes.Count);

    internal ReadOnlySpan<long> Block(int index) => Cells.AsSpan(index * Sketch.CellCount, Sketch.CellCount);

    /// <summary>The noise in each cell of a block.</summary>
    internal abstract CellNoise NoiseOf(int block);

    /// <summary>The noise in each cell of the sum of all blocks.</summary>
    internal CellNoise TotalNoise => Enumerable.Range(0, Blocks).Select(NoiseOf).Aggregate(static (a, b) => a + b);

    /// <summary>About how many records a block is made of, for bounds on their errors; 0 if the sketch holds no count.</summary>
    internal virtual double RecordsOf(int block) => Math.Max(0, Sketch.Count(Block(block))?.Value ?? 0);

    /// <summary>The same for all blocks together.</summary>
    internal virtual double TotalRecords => Math.Max(0, Sketch.Count(Total())?.Value ?? 0);

    /// <summary>Sums over all records, of all classes together in a per-class release.</summary>
    public Answers Estimate(Points queries, IEngine engine)
    {
        RawAnswers raw = EstimateRaw(queries, engine, _total.Value, [TotalRecords]);
        return ToAnswers(raw, 0, TotalNoise);
    }

    /// <summary>Sums over the records of each class of a per-class release.</summary>
    public IReadOnlyList<ClassAnswers> EstimateByClass(Points queries, IEngine engine)
    {
        if (Classes.Count == 0) throw new NotPerClassException();
        RawAnswers raw = EstimateRaw(queries, engine, _perBlock.Value, BlockRecords());
        var answers = new ClassAnswers[Blocks];
        for (int c = 0; c < answers.Length; c++)
        {
            CellNoise noise = NoiseOf(c);
            CountReading count = Sketch.Count(Block(c))!.Value;
            answers[c] = new(c, count.Value, count.NoiseFactor * Math.Sqrt(noise.Variance), ToAnswers(raw, c, noise));
        }
        return answers;
    }

    /// <summary>Sums over the records of one class, the same bits as <see cref="EstimateByClass"/> gives for it.</summary>
    /// <param name="queries">Points to answer at.</param>
    /// <param name="classIndex">Index in <see cref="Classes"/>.</param>
    /// <param name="engine">Where features are computed.</param>
    public Answers EstimateClass(Points queries, int classIndex, IEngine engine)
    {
        if (Classes.Count == 0) throw new NotPerClassException();
        ArgumentOutOfRangeException.ThrowIfNegative(classIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(classIndex, Classes.Count);
        RawAnswers raw = EstimateRaw(queries, engine, _blocks[classIndex].Value, [RecordsOf(classIndex)]);
        return ToAnswers(raw, 0, NoiseOf(classIndex));
    }

    /// <summary>Classifies by the scores of a per-class release; null = the best score that the sketch allows.</summary>
    public Classification Classify(Points queries, ClassScore? score, IEngine engine)
    {
        if (Classes.Count == 0) throw new NotPerClassException();
        var classifier = new Classifier(this, score);
        double[] prepared = classifier.LeastSquares?.Prepared ?? _perBlock.Value;
        return classifier.Classify(EstimateRaw(queries, engine, prepared, BlockRecords()));
    }

    /// <summary>Noisy number of records with the standard deviation of its noise; null if the sketch holds no count.</summary>
    public (double Value, double NoiseStd)? Count() => Sketch.Count(Total()) is { } count
        ? (count.Value, count.NoiseFactor * Math.Sqrt(TotalNoise.Variance))
        : null;

    /// <summary>Cells of all blocks added up.</summary>
    internal long[] Total()
    {
        if (Blocks == 1) return Cells;
        var total = new long[Sketch.CellCount];
        for (int i = 0; i < Cells.Length; i++)
            total[i % total.Length] = CellSum.Add(total[i % total.Length], Cells[i]);
        return total;
    }

    /// <summary>The linear classifier fitted by least squares; null without second moments.</summary>
    internal virtual LeastSquares? LeastSquares => null;

    /// <summary>Whether some of the records count negatively.</summary>
    internal virtual bool AreDifferences => false;

    double[] BlockRecords() => [.. Enumerable.Range(0, Blocks).Select(RecordsOf)];

    RawAnswers EstimateRaw(Points queries, IEngine engine, double[] prepared, double[] records)
    {
        var raw = new RawAnswers(queries.Count, records) { AreDifferences = AreDifferences };
        // Also where there is no point to answer at: a wrong dimension is a mistake however many follow.
        Points canonical = CanonicalQueries(queries);
        if (canonical.Count > 0) Sketch.Estimate(engine, canonical, prepared, raw);
        return raw;
    }

    Points CanonicalQueries(Points queries)
    {
        Domain domain = Sketch.Domain;
        if (queries.Dimension != domain.Dimension)
            throw new DimensionMismatchException(domain.Dimension, queries.Dimension);
        // Only a sketch that is made for the box needs its queries inside it.
        Domain bounds = Sketch.AnswersInsideBoxOnly ? domain : new Domain(domain.Dimension);
        if (bounds.Check(queries.Values.Span) is { Rule: not DomainRule.MaxNorm } violation)
            throw new OutOfDomainException(violation);
        float[] values = queries.Values.ToArray();
        Canonical.Flush(values);
        return new(values, queries.Dimension);
    }

    static Answers ToAnswers(RawAnswers raw, int column, CellNoise cell)
    {
        double variance = cell.Variance;
        int n = raw.Queries, freedom = raw.DegreesOfFreedom;
        double[] values = new double[n], noise = new double[n], approximation = new double[n], half = new double[n];
        double known = cell.HalfWidth95, t = freedom > 0 ? StudentT.InvCDF(0, 1, freedom, 0.975) : known;
        for (int q = 0; q < n; q++)
        {
            int i = q * raw.Columns + column;
            values[q] = raw.Values[i];
            noise[q] = Math.Sqrt(variance * raw.SquaredPsi[q]);
            // Noise in cells that all groups share has a known variance; the rest is estimated from the groups.
            double common = variance * raw.CommonSquaredPsi[q], total = common + raw.Variance[i];
            approximation[q] = freedom > 0 ? Math.Sqrt(Math.Max(0, total - noise[q] * noise[q])) : raw.Bound[i];
            // A spread that happens to be small says nothing against noise that is known to be there.
            half[q] = freedom > 0
                ? Math.Max(known * noise[q], Math.Sqrt(known * known * common + t * t * raw.Variance[i]))
                : t * noise[q] + approximation[q];
        }
        return new(values, noise, approximation, half, freedom);
    }
}

/// <summary>Noise of one cell: its variance and fourth cumulant. Those of sums of independent noise add up.</summary>
/// <param name="Variance">Exact to fp64.</param>
/// <param name="FourthCumulant">0 for normal noise; with it the square of a cell's noise varies by 2 Variance^2 more.</param>
readonly record struct CellNoise(double Variance, double FourthCumulant)
{
    /// <summary>
    /// Standard deviations within which 95 % of the noise in an answer lie: 1.96; with Laplace noise ln 20 / sqrt 2, which is
    /// that of an answer from one cell, and a little wide for answers from many.
    /// </summary>
    public double HalfWidth95 => FourthCumulant > 0 ? 2.1184 : 1.96;

    public static CellNoise operator +(CellNoise a, CellNoise b) =>
        new(a.Variance + b.Variance, a.FourthCumulant + b.FourthCumulant);
}

/// <summary>Sums of noisy cells: noise is drawn with saturation, so they saturate as well.</summary>
static class CellSum
{
    public static long Add(long a, long b) => Saturate((Int128)a + b);

    public static long Subtract(long a, long b) => Saturate((Int128)a - b);

    static long Saturate(Int128 sum) => (long)Int128.Clamp(sum, long.MinValue, long.MaxValue);
}

/// <summary>Vectors have another dimension than the data.</summary>
public sealed class DimensionMismatchException(int expected, int actual)
    : ArgumentException($"points.dimension is {actual}: the data has dimension {expected}.")
{
    public int Expected { get; } = expected;

    public int Actual { get; } = actual;
}

/// <summary>A row lies outside the domain, or is not finite. Names row, column and rule, never the value.</summary>
public sealed class OutOfDomainException(DomainViolation violation) : ArgumentException(Describe(violation))
{
    public DomainViolation Violation { get; } = violation;

    static string Describe(DomainViolation v) => v.Rule switch
    {
        DomainRule.Finite => $"row {v.Row}, column {v.Column}: the value is not finite, or beyond 2^40 in size.",
        DomainRule.Lower => $"row {v.Row}, column {v.Column}: the value is below the domain's lower.",
        DomainRule.Upper => $"row {v.Row}, column {v.Column}: the value is above the domain's upper.",
        _ => $"row {v.Row}: the vector is farther from the center than the domain's max_norm.",
    };
}
