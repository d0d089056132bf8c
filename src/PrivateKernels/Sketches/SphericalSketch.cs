using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Random features of a kernel of the angle (structures.md, section 2.4), for unit vectors x (others are divided by their
/// length) and m rows w_j (and v_j) of length sqrt P, orthogonal in blocks:
/// <code>
/// arc_cosine_0: phi = (sqrt(1/2), sgn(w_j.x) / sqrt(2m))
/// arc_cosine_1: phi = (x / sqrt 2, |w_j.x| / sqrt(2m))
/// ntk_relu_1:   phi = (x / sqrt 2, |w_j.x| / sqrt(4m), sgn(w_j.x) (v_j.x) / sqrt(4m))
/// </code>
/// psi = phi, of length 1. Cells hold A sqrt(m) phi, and for per-class sketches a count. A zero vector has phi = 0.
/// </summary>
/// <remarks>
/// Guarantee: after the integer norm clamp the cells of a record have |phi_int|^2 of at most B^2 = A^2 m for every x (A^2 (m +
/// 1.5 sqrt(2m)) where blocks are cut short and lengths vary), hence an L1 norm of at most floor(B sqrt D), D cells,
/// by Cauchy-Schwarz on integers; plus the count. Blocks side by side: a change within a block moves the cells by
/// at most twice the norm without count; a change of block by sqrt 2 times the norm with count.
/// </remarks>
public sealed class SphericalSketch : ISketch
{
    const double A = 1 << 20;
    const int QueriesPerChunk = 64;

    readonly FourierShape _shape;
    readonly AngularFeatures _features;
    readonly Lazy<SphericalMap> _map;
    readonly long _squaredBound;
    readonly int _commonCells, _featureCells, _constant;
    readonly float _linear, _scale;

    SphericalSketch(PairFunction function, Domain domain, FourierShape shape, ulong seed, long countWeight)
    {
        (Function, Domain, Seed, CountWeight, _shape) = (function, domain, seed, countWeight, shape);
        _features = ((IAngularFeatures)function).Features;
        long m = shape.Frequencies;
        bool sign = _features == AngularFeatures.Sign, gated = _features == AngularFeatures.AbsoluteAndGated;
        _squaredBound = SquaredBoundOf(_features, shape);
        (_commonCells, _featureCells) = (sign ? 1 : domain.Dimension, gated ? 2 * (int)m : (int)m);
        _constant = sign ? (int)NormClamp.IntegerSquareRoot(m << 39) : 0;
        _linear = (float)(A * Math.Sqrt(m / 2.0));
        _scale = sign ? MathF.Floor((float)(A / Math.Sqrt(2))) : gated ? (float)(A / 2) : (float)(A / Math.Sqrt(2));
        _map = new(() => new SphericalMap(
            _features, Directions(seed), gated ? Directions(~seed) : null, _constant, sign ? 0 : _linear, _scale, _squaredBound));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Spherical;

    /// <summary>m, rows w.</summary>
    public int Features => _shape.Frequencies;

    public ulong Seed { get; }

    public bool IsStructured => _shape.Padded > 0;

    public int Groups => _shape.Groups;

    public int CellCount => _commonCells + _featureCells + (CountWeight > 0 ? 1 : 0);

    public long LargestCell => Math.Max(NormClamp.IntegerSquareRoot(_squaredBound), CountWeight);

    /// <summary>Butterflies or multiply-adds, and a few operations for each feature.</summary>
    public double OperationsPerRecord =>
        (double)_featureCells * (6 + (IsStructured ? 3 * BitOperations.Log2((uint)_shape.Padded) : 2 * Domain.Dimension));

    public long MapBytes => _shape.MapBytes * (_featureCells / Features);

    /// <summary>What a record adds to the count cell; 0 if there is none.</summary>
    long CountWeight { get; }

    /// <summary>Draws a sketch of at least <paramref name="features"/> rows (0 = default) from a public seed.</summary>
    public static SphericalSketch Create(
        PairFunction function, Domain domain, int features, ulong seed, MechanismKind mechanism, bool withCount)
    {
        bool pure = mechanism == MechanismKind.DiscreteLaplace;
        var shape = FourierShape.ForDirections(domain.Dimension, features, pure);
        var bare = new SphericalSketch(function, domain, shape, seed, 0);
        if (!withCount) return bare;
        // 20 % of the L2 bound costs 2 % more noise; 5 % of the L1 bound costs 5 % (structures.md 1.5).
        long weight = pure ? (long)(bare.FeatureL1 / 20) : NormClamp.IntegerSquareRoot(bare._squaredBound / 25);
        return new(function, domain, shape, seed, weight);
    }

    static long SquaredBoundOf(AngularFeatures features, FourierShape shape)
    {
        long m = shape.Frequencies;
        // Signs have one length whatever the rows are.
        long slack = features == AngularFeatures.Sign || shape.HasWholeBlocks ? 0 : (long)Math.Ceiling(1.5 * Math.Sqrt(2 * m));
        return (m + slack) << 40;
    }

    FourierMap Directions(ulong seed) => Frequencies.DrawDirections(
        _shape, seed, Math.Sqrt(IsStructured ? _shape.Padded : Domain.Dimension));

    /// <summary>floor(B sqrt D).</summary>
    BigInteger FeatureL1 => Rational.FloorSqrt((BigInteger)_squaredBound * (_commonCells + _featureCells));

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = _squaredBound, l1 = FeatureL1, count = (BigInteger)CountWeight * CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * squared, 2 * squared + 2 * count), 2 * (l1 + CountWeight))
            : new(squared + count, l1 + CountWeight);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        engine.AddSpherical(_map.Value, UnitVectors.Of(points, out _), cells[..(_commonCells + _featureCells)]);
        if (CountWeight > 0) cells[^1] += points.Count * CountWeight;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        // A query of 0 is left out: its answers stay 0, without noise.
        Points units = UnitVectors.Of(queries, out int[] kept);
        var psi = new double[_commonCells + _featureCells];
        SphericalMap map = _map.Value;
        for (int first = 0; first < units.Count; first += QueriesPerChunk)
        {
            Points chunk = units.Slice(first, Math.Min(QueriesPerChunk, units.Count - first));
            var products = new float[chunk.Count * Features];
            engine.MultiplyRows(map.Rows, chunk, products);
            float[] gates = map.GateRows is null ? [] : new float[products.Length];
            if (map.GateRows is { } rows) engine.MultiplyRows(rows, chunk, gates);
            for (int i = 0; i < chunk.Count; i++)
            {
                ReadOnlySpan<float> u = gates.Length == 0 ? [] : gates.AsSpan(i * Features, Features);
                FillPsi(chunk.Row(i), products.AsSpan(i * Features, Features), u, psi);
                Answer(kept[first + i], psi, prepared, answers);
            }
        }
        answers.DegreesOfFreedom = Groups - 1;
    }

    /// <summary>psi over the very factors that the engines multiply with, so that psi . phi_int is the kernel.</summary>
    void FillPsi(ReadOnlySpan<float> y, ReadOnlySpan<float> t, ReadOnlySpan<float> u, Span<double> psi)
    {
        int m = Features;
        if (_features == AngularFeatures.Sign)
        {
            psi[0] = 0.5 / _constant;
            for (int j = 0; j < m; j++) psi[1 + j] = (t[j] < 0 ? -0.5 : 0.5) / ((double)m * _scale);
            return;
        }
        for (int k = 0; k < y.Length; k++) psi[k] = y[k] / (2.0 * _linear);
        double unit = 1 / ((_features == AngularFeatures.Absolute ? 2.0 : 4.0) * m * _scale);
        Span<double> absolute = psi.Slice(_commonCells, m), gated = psi[(_commonCells + m)..];
        for (int j = 0; j < m; j++) absolute[j] = Math.Abs(t[j]) * unit;
        for (int j = 0; j < gated.Length; j++) gated[j] = (t[j] < 0 ? -u[j] : u[j]) * unit;
    }

    void Answer(int query, ReadOnlySpan<double> psi, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int groups = Groups, perGroup = Features / groups;
        ReadOnlySpan<double> common = psi[.._commonCells];
        answers.CommonSquaredPsi[query] = DotProduct.Of(common, common);
        answers.SquaredPsi[query] = DotProduct.Of(psi, psi);
        Span<double> parts = stackalloc double[groups];
        for (int c = 0; c < answers.Columns; c++)
        {
            ReadOnlySpan<double> cells = prepared.Slice(c * CellCount, psi.Length);
            for (int g = 0; g < groups; g++)
            {
                parts[g] = 0;
                for (int at = _commonCells + g * perGroup; at < psi.Length; at += Features)
                    parts[g] += DotProduct.Of(psi.Slice(at, perGroup), cells.Slice(at, perGroup));
            }
            answers.SetFromGroups(query * answers.Columns + c, parts);
            answers.Values[query * answers.Columns + c] += DotProduct.Of(common, cells[.._commonCells]);
        }
    }

    public CountReading? Count(ReadOnlySpan<long> block) =>
        CountWeight > 0 ? new(block[^1] / (double)CountWeight, 1.0 / CountWeight) : null;

    public double[] FeatureWeights => FeatureSpace.Equal(CellCount, 1 / (A * A * Features), _commonCells + _featureCells);

    /// <summary>Noise: |psi| = 1 at every y. Approximation: sqrt(v / 2m), v measured (2.4) or that of iid rows.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (Math.Sqrt(noiseVariance / Features) / A,
            Math.Sqrt((IsStructured ? StructuredVariance : FourierSketch.DenseVariance) / (2 * Features)));

    /// <summary>v of the structured rows, for a typical angle: the root mean square error is sqrt(v / 2m) per record.</summary>
    internal const double StructuredVariance = 0.015;

    public int RecipeBytes => FourierShape.RecipeBytes + 8;

    public void Write(RecipeWriter writer)
    {
        _shape.Write(writer, Seed);
        writer.WriteInt64(CountWeight);
    }

    internal static SphericalSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        (FourierShape shape, ulong seed) = FourierShape.Read(reader, domain.Dimension);
        long countWeight = reader.ReadInt64();
        return function is IAngularFeatures && shape.IsSound && countWeight is >= 0 and < 1L << 40
            ? new(function, domain, shape, seed, countWeight)
            : throw new InvalidDataException("the recipe of the spherical sketch is inconsistent");
    }
}
