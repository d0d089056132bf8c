using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Random Fourier features of a positive-definite kernel: phi(x) = (cos 2 pi t_j, sin 2 pi t_j), t_j = w_j . x / (2 pi),
/// psi(y) = (cos, sin) / m (structures.md, section 2). Cells: m cosines, m sines and, for per-class sketches, a count.
/// </summary>
/// <remarks>
/// Guarantee: every pair of cells that a record adds lies in the disc of radius A = 2^20 (engines truncate (2^20 - 1) times
/// the pair toward zero, shown exhaustively over fp32), whatever the record; so its L2 norm is at most A sqrt m and its L1
/// norm at most m floor(sqrt 2 A), both times R, plus the count. Blocks side by side: a change within a block moves the cells by at
/// most twice the norm without count; a change of block by sqrt 2 times the norm with count.
/// </remarks>
public sealed class FourierSketch : ISketch
{
    /// <summary>A - 1: keeps every truncated pair inside the disc of radius A.</summary>
    internal const double PairScale = (1 << 20) - 1;

    /// <summary>floor(sqrt 2 * 2^20).</summary>
    internal const long PairL1 = 1482910;

    static readonly BigInteger PairSquaredL2 = BigInteger.One << 40;

    // Drawn when first needed: pricing a release needs neither.
    readonly Lazy<float[]> _radii;
    readonly Lazy<FourierMap> _map;
    readonly FourierShape _shape;

    /// <summary>
    /// R, what the released cells of features are multiplied with: floor(sqrt m) beside second moments, whose cells are sqrt m
    /// times as large, so that the noise fits both; 1 otherwise.
    /// </summary>
    readonly int _amplitude;

    FourierSketch(
        PairFunction function, Domain domain, FourierShape shape, ulong seed, Func<float[]> radii, int countWeight,
        bool withMoments)
    {
        (Function, Domain, Seed, CountWeight) = (function, domain, seed, countWeight);
        _amplitude = withMoments ? (int)NormClamp.IntegerSquareRoot(shape.Frequencies) : 1;
        Moments = withMoments ? new(this) : null;
        (_shape, _radii) = (shape, new(radii));
        _map = new(() => Frequencies.Draw(function, shape, seed, _radii.Value));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Fourier;

    public int Features => _shape.Frequencies;

    public ulong Seed { get; }

    public bool IsStructured => _shape.Padded > 0;

    public int Groups => _shape.Groups;

    public int CellCount => 2 * Features + (CountWeight > 0 ? 1 : 0);

    public long LargestCell => Math.Max((long)_amplitude << 20, CountWeight);

    /// <summary>Second moments that are released beside the classes, for least squares; or null.</summary>
    internal SecondMoments? Moments { get; }

    internal FourierMap Map => _map.Value;

    /// <summary>Butterflies or multiply-adds, and about 25 operations for each cosine and sine.</summary>
    public double OperationsPerRecord =>
        (double)Features * (25 + (IsStructured ? 3 * BitOperations.Log2((uint)_shape.Padded) : 2 * Domain.Dimension))
        + (Moments is null ? 0 : 3.0 * Moments.CellCount);

    public long MapBytes => _shape.MapBytes;

    /// <summary>What a record adds to the count cell; 0 if there is none.</summary>
    int CountWeight { get; }

    /// <summary>Draws a sketch of at least <paramref name="features"/> frequencies (0 = default) from a public seed.</summary>
    public static FourierSketch Create(
        PairFunction function, Domain domain, int features, ulong seed, MechanismKind mechanism, bool withCount,
        bool withMoments = false)
    {
        // Moments cost m^2 cells: few frequencies, no whole blocks.
        bool few = withMoments || mechanism == MechanismKind.DiscreteLaplace;
        var shape = FourierShape.For(function, domain.Dimension, features, few);
        long m = shape.Frequencies, amplitude = withMoments ? NormClamp.IntegerSquareRoot(m) : 1;
        // 20 % of the L2 bound costs 2 % more noise; 5 % of the L1 bound costs 5 % (structures.md 1.5).
        long weight = mechanism == MechanismKind.DiscreteLaplace
            ? m * PairL1 / 20
            : NormClamp.IntegerSquareRoot((m << 40) / 25) * amplitude;
        return new(
            function, domain, shape, seed, () => Frequencies.DrawRadii(function, shape, seed), withCount ? (int)Math.Min(weight, int.MaxValue) : 0,
            withMoments);
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = PairSquaredL2 * Features * _amplitude * _amplitude;
        BigInteger l1 = (BigInteger)Features * PairL1 * _amplitude;
        BigInteger count = (BigInteger)CountWeight * CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * squared, 2 * squared + 2 * count), 2 * (l1 + CountWeight))
            : new(squared + count, l1 + CountWeight);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        engine.AddFourier(_map.Value, points, cells[..(2 * Features)]);
        if (CountWeight > 0) cells[^1] += (long)points.Count * CountWeight;
    }

    /// <summary>While records are added, cells hold the features; here they are multiplied by R.</summary>
    public void Complete(Span<long> block)
    {
        for (int j = 0; j < 2 * Features; j++) block[j] *= _amplitude;
    }

    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var weights = new double[columns * 2 * Features];
        for (int c = 0; c < columns; c++)
            for (int j = 0; j < 2 * Features; j++)
                weights[c * 2 * Features + j] = cells[c * CellCount + j] / (double)_amplitude;
        return weights;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int groups = _shape.Groups, columns = answers.Columns;
        var sums = new double[(long)queries.Count * columns * groups];
        engine.ProjectFourier(_map.Value, queries, prepared, columns, sums);
        double unit = 1 / (Features * PairScale * PairScale);
        for (int i = 0; i < queries.Count * columns; i++) answers.SetFromGroups(i, sums.AsSpan(i * groups, groups), unit);
        Array.Fill(answers.SquaredPsi, 1 / (Features * Scale * Scale));
        answers.DegreesOfFreedom = groups - 1;
    }

    public CountReading? Count(ReadOnlySpan<long> block) =>
        CountWeight > 0 ? new(block[^1] / (double)CountWeight, 1.0 / CountWeight) : null;

    public double[] FeatureWeights => FeatureSpace.Equal(CellCount, 1 / (Features * Scale * Scale), 2 * Features);

    /// <summary>A feature of size 1 in cells.</summary>
    double Scale => PairScale * _amplitude;

    /// <summary>Noise: sqrt(variance of a cell / m) / A at every y. Approximation: sqrt(v / 2m), v from structures.md 2.2.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (Math.Sqrt(noiseVariance / Features) / Scale, Math.Sqrt(FeatureVariance / (2 * Features)));

    /// <summary>
    /// v of structures.md section 2: variance of one iid frequency's answer, averaged over real data, of blocks of orthogonal
    /// rows; of dense rows, orthogonal as far as d allows, with stratified radii; of iid rows, the worst.
    /// </summary>
    internal const double StructuredVariance = 0.03, OrthogonalVariance = 0.1, DenseVariance = 0.5;

    double FeatureVariance => IsStructured ? StructuredVariance : Function is IRadialSpectrum ? OrthogonalVariance : DenseVariance;

    public int RecipeBytes => FourierShape.RecipeBytes + 8 + 4 * Features;

    public void Write(RecipeWriter writer)
    {
        _shape.Write(writer, Seed);
        writer.WriteInt32(CountWeight);
        writer.WriteSingles(_radii.Value);
    }

    internal static FourierSketch Read(RecipeReader reader, PairFunction function, Domain domain, bool withMoments)
    {
        (FourierShape shape, ulong seed) = FourierShape.Read(reader, domain.Dimension);
        int countWeight = reader.ReadInt32();
        float[] radii = reader.ReadSingles();
        bool sound = radii.Length == shape.Frequencies && shape.IsSound && countWeight >= 0
            && function is IRadialSpectrum or ICauchySpectrum && !(withMoments && shape.Frequencies > PlanChoice.MostLeastSquares);
        if (!sound) throw new InvalidDataException("the recipe of the Fourier sketch is inconsistent");
        return new(function, domain, shape, seed, () => radii, countWeight, withMoments);
    }
}
