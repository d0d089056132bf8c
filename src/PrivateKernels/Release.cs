using MathNet.Numerics.Distributions;

namespace PrivateKernels;

/// <summary>
/// Noisy cells with everything needed to answer from them: what may leave. Immutable; every answer is post-processing and
/// costs nothing. The same release and the same point give the same bits for ever, on every engine.
/// </summary>
public sealed class Release
{
    readonly Lazy<double[]> _perBlock, _total;

    internal Release(Measurement measurement, Provenance provenance, long[] cells)
    {
        (Measurement, Provenance, Cells) = (measurement, provenance, cells);
        _perBlock = new(() => Measurement.Sketch.Prepare(Cells, Measurement.Blocks));
        _total = new(() => Measurement.Sketch.Prepare(Sum(Cells, Measurement.Sketch.CellCount), 1));
    }

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    /// <summary>Noisy cells, block after block.</summary>
    internal long[] Cells { get; }

    internal ReadOnlySpan<long> Block(int index) =>
        Cells.AsSpan(index * Measurement.Sketch.CellCount, Measurement.Sketch.CellCount);

    /// <summary>Sums over all records, of all classes together in a per-class release.</summary>
    public Answers Estimate(Points queries, IEngine engine)
    {
        RawAnswers raw = EstimateRaw(queries, engine, _total.Value, 1);
        return ToAnswers(raw, 0, Measurement.Noise.Variance * Measurement.Blocks);
    }

    /// <summary>Sums over the records of each class of a per-class release.</summary>
    public IReadOnlyList<ClassAnswers> EstimateByClass(Points queries, IEngine engine)
    {
        if (Measurement.Classes.Count == 0) throw new NotPerClassException();
        double variance = Measurement.Noise.Variance;
        RawAnswers raw = EstimateRaw(queries, engine, _perBlock.Value, Measurement.Blocks);
        var answers = new ClassAnswers[Measurement.Blocks];
        for (int c = 0; c < answers.Length; c++)
        {
            CountReading count = Measurement.Sketch.Count(Block(c))!.Value;
            answers[c] = new(c, count.Value, count.NoiseFactor * Math.Sqrt(variance), ToAnswers(raw, c, variance));
        }
        return answers;
    }

    /// <summary>Classifies by the scores of a per-class release; null = the best score that the sketch allows.</summary>
    public Classification Classify(Points queries, ClassScore? score, IEngine engine)
    {
        if (Measurement.Classes.Count == 0) throw new NotPerClassException();
        var classifier = new Classifier(this, score);
        RawAnswers raw = EstimateRaw(queries, engine, _perBlock.Value, Measurement.Blocks);
        return classifier.Classify(raw, Math.Sqrt(Measurement.Noise.Variance));
    }

    /// <summary>Noisy number of records with the standard deviation of its noise; null if the sketch holds no count.</summary>
    public (double Value, double NoiseStd)? Count()
    {
        long[] total = Sum(Cells, Measurement.Sketch.CellCount);
        return Measurement.Sketch.Count(total) is { } count
            ? (count.Value, count.NoiseFactor * Math.Sqrt(Measurement.Noise.Variance * Measurement.Blocks))
            : null;
    }

    RawAnswers EstimateRaw(Points queries, IEngine engine, double[] prepared, int columns)
    {
        var raw = new RawAnswers(queries.Count, columns);
        if (queries.Count > 0) Measurement.Sketch.Estimate(engine, CanonicalQueries(queries), prepared, raw);
        return raw;
    }

    Points CanonicalQueries(Points queries)
    {
        Domain domain = Measurement.Sketch.Domain;
        if (queries.Dimension != domain.Dimension)
            throw new DimensionMismatchException(domain.Dimension, queries.Dimension);
        // Only a sketch that is made for the box needs its queries inside it.
        Domain bounds = Measurement.Sketch.AnswersInsideBoxOnly ? domain : new Domain(domain.Dimension);
        if (bounds.Check(queries.Values.Span) is { Rule: not DomainRule.MaxNorm } violation)
            throw new OutOfDomainException(violation);
        float[] values = queries.Values.ToArray();
        Canonical.Flush(values);
        return new(values, queries.Dimension);
    }

    static Answers ToAnswers(RawAnswers raw, int column, double variance)
    {
        int n = raw.Queries, freedom = raw.DegreesOfFreedom;
        double[] values = new double[n], noise = new double[n], approximation = new double[n], half = new double[n];
        const double Normal = 1.96;
        double t = freedom > 0 ? StudentT.InvCDF(0, 1, freedom, 0.975) : Normal;
        for (int q = 0; q < n; q++)
        {
            int i = q * raw.Columns + column;
            values[q] = raw.Values[i];
            noise[q] = Math.Sqrt(variance * raw.SquaredPsi[q]);
            // Noise in cells that all groups share has a known variance; the rest is estimated from the groups.
            double common = variance * raw.CommonSquaredPsi[q], total = common + raw.Variance[i];
            approximation[q] = freedom > 0 ? Math.Sqrt(Math.Max(0, total - noise[q] * noise[q])) : raw.Bound[i];
            half[q] = freedom > 0
                ? Math.Sqrt(Normal * Normal * common + t * t * raw.Variance[i])
                : t * noise[q] + approximation[q];
        }
        return new(values, noise, approximation, half, freedom);
    }

    static long[] Sum(long[] cells, int size)
    {
        if (cells.Length == size) return cells;
        var total = new long[size];
        for (int i = 0; i < cells.Length; i++)
        {
            long sum = unchecked(total[i % size] + cells[i]);
            // Noise is drawn with saturation, so a sum of blocks may pass the end of int64: saturate here as well.
            bool overflow = ((total[i % size] ^ sum) & (cells[i] ^ sum)) < 0;
            total[i % size] = overflow ? (cells[i] < 0 ? long.MinValue : long.MaxValue) : sum;
        }
        return total;
    }
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
