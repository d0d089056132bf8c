using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Sums sum_x v_x f(x, y) with a public bound V on |v| (structures.md, section 10): another sketch whose records carry the
/// weight u = v / V, v limited to [-V, V]; its answers times V. Where the sketch reads a count off a feature, which now is
/// sum u, one more cell counts records, whatever their values.
/// </summary>
/// <remarks>
/// Guarantee: the weight is part of the private record. Engines multiply each fp32 feature by u before they truncate it and
/// clamp afterwards (<see cref="IEngine"/>), sketches of histograms multiply bounded integers: so what a record adds has norms
/// of at most B and B_1, those that the sketch declares for adding or removing it, times <see cref="ISketch.WeightUnits"/>.
/// The bounds for replacing it do not carry over where they rest on a constant feature that stays, or on features
/// that are never negative. So: within a block, twice B and B_1, the count C stays; across blocks, sqrt 2 times
/// sqrt(B^2 + C^2), and 2 (B_1 + C). A sketch whose count cell is no feature keeps its own bounds: they rest on norms alone.
/// </remarks>
public sealed class WeightedSketch : ISketch
{
    readonly ISketch _inner;
    readonly long _countWeight;

    /// <summary>V over the units of the inner sketch.</summary>
    readonly double _scale;

    WeightedSketch(ISketch inner, float maxAbsValue, long countWeight)
    {
        (_inner, MaxAbsValue, _countWeight) = (inner, maxAbsValue, countWeight);
        _scale = maxAbsValue / (double)inner.WeightUnits;
    }

    /// <summary>V.</summary>
    public float MaxAbsValue { get; }

    /// <summary>What weighs every record alike.</summary>
    internal ISketch Inner => _inner;

    public PairFunction Function => _inner.Function;

    public Domain Domain => _inner.Domain;

    public SketchMethod Method => _inner.Method;

    public bool AnswersInsideBoxOnly => _inner.AnswersInsideBoxOnly;

    public int Features => _inner.Features;

    public ulong Seed => _inner.Seed;

    public int CellCount => _inner.CellCount + (HasOwnCount ? 1 : 0);

    public long LargestCell => Math.Max(_inner.LargestCell * _inner.WeightUnits, _countWeight);

    public double OperationsPerRecord => _inner.OperationsPerRecord;

    public long MapBytes => _inner.MapBytes;

    bool HasOwnCount => _countWeight > 0;

    /// <summary>Weighs the records of a sketch.</summary>
    /// <exception cref="InvalidFieldException">The sketch does not take weights.</exception>
    public static WeightedSketch Create(ISketch inner, double maxAbsValue, MechanismKind mechanism)
    {
        if (!Serves(inner))
            throw new InvalidFieldException("weighting", "value", $"the method {inner.Method} takes no values");
        if (CountsRecords(inner)) return new(inner, (float)maxAbsValue, 0);
        Sensitivity one = FeatureNorms(inner);
        // 20 % of the L2 bound costs 2 % more noise; 5 % of the L1 bound costs 5 % (structures.md 1.5).
        BigInteger weight = mechanism == MechanismKind.DiscreteLaplace ? one.L1 / 20 : Rational.FloorSqrt(one.SquaredL2 / 25);
        return new(inner, (float)maxAbsValue, (long)BigInteger.Max(1, weight));
    }

    static bool Serves(ISketch inner) => CountsRecords(inner)
        || inner is SignSketch or MomentSketch or PowerMomentSketch or CoordinateGridSketch or SlicedSketch
            or FrequencyGridSketch or HermiteGridSketch or SplineGridSketch or TreeSketch or ProjectedTreeSketch;

    /// <summary>Whether the count cell of the sketch, if any, is none of its features.</summary>
    static bool CountsRecords(ISketch inner) =>
        inner is FourierSketch or SphericalSketch or InnerProductSketch or LandmarkSketch;

    /// <summary>Norms of what one weighted record adds, the own count aside.</summary>
    static Sensitivity FeatureNorms(ISketch inner)
    {
        Sensitivity one = inner.Sensitivity(Adjacency.AddOrRemoveOne);
        return new(one.SquaredL2 * inner.WeightUnits * inner.WeightUnits, one.L1 * inner.WeightUnits);
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        if (!HasOwnCount) return _inner.Sensitivity(adjacency);
        Sensitivity one = FeatureNorms(_inner);
        BigInteger count = (BigInteger)_countWeight * _countWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * one.SquaredL2, 2 * (one.SquaredL2 + count)), 2 * (one.L1 + _countWeight))
            : new(one.SquaredL2 + count, one.L1 + _countWeight);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        _inner.Add(engine, points, InnerBlock(cells));
        if (HasOwnCount) cells[^1] += points.Count * _countWeight;
    }

    public void Complete(Span<long> block) => _inner.Complete(InnerBlock(block));

    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        if (!HasOwnCount) return _inner.Prepare(cells, columns);
        int size = _inner.CellCount;
        var features = new long[columns * size];
        for (int c = 0; c < columns; c++) cells.Slice(c * CellCount, size).CopyTo(features.AsSpan(c * size));
        return _inner.Prepare(features, columns);
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        // Values may be negative, so sums do not show where records lie.
        answers.AreDifferences = true;
        _inner.Estimate(engine, queries, prepared, answers);
        Scale(answers.Values, _scale);
        Scale(answers.SquaredPsi, _scale * _scale);
        Scale(answers.CommonSquaredPsi, _scale * _scale);
        Scale(answers.Variance, _scale * _scale);
        Scale(answers.Bound, MaxAbsValue);
    }

    public CountReading? Count(ReadOnlySpan<long> block) =>
        HasOwnCount ? new(block[^1] / (double)_countWeight, 1.0 / _countWeight) : _inner.Count(block);

    public double[]? FeatureWeights
    {
        get
        {
            if (_inner.FeatureWeights is not { } inner) return null;
            var weights = new double[CellCount];
            for (int j = 0; j < inner.Length; j++) weights[j] = inner[j] * _scale * _scale;
            return weights;
        }
    }

    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        (double noise, double approximation) = _inner.Predict(noiseVariance);
        return (noise * _scale, approximation * MaxAbsValue);
    }

    public int RecipeBytes => 16 + _inner.RecipeBytes;

    public void Write(RecipeWriter writer)
    {
        writer.WriteDouble(MaxAbsValue);
        writer.WriteInt64(_countWeight);
        _inner.Write(writer);
    }

    internal static WeightedSketch Read(RecipeReader reader, Func<ISketch> readInner)
    {
        double maxAbsValue = reader.ReadDouble();
        long countWeight = reader.ReadInt64();
        ISketch inner = readInner();
        bool sound = maxAbsValue >= Canonical.Smallest && maxAbsValue <= Canonical.Largest && maxAbsValue == (float)maxAbsValue
            && Serves(inner) && countWeight is >= 0 and < 1L << 50 && countWeight == 0 == CountsRecords(inner);
        return sound
            ? new(inner, (float)maxAbsValue, countWeight)
            : throw new InvalidDataException("the recipe of the weighted sketch is inconsistent");
    }

    Span<long> InnerBlock(Span<long> block) => block[.._inner.CellCount];

    static void Scale(double[] values, double factor)
    {
        for (int i = 0; i < values.Length; i++) values[i] *= factor;
    }
}
