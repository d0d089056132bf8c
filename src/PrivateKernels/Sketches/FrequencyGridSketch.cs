using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// The gaussian kernel on a box of up to three dimensions (structures.md, section 8): cosines and sines at the fixed
/// frequencies of <see cref="FrequencyGrid"/>, in amplitudes that fit their weights: the noise of a single query, and an
/// error below a tolerance chosen far below the noise. Nothing is random but the noise. Queries lie in the box.
/// </summary>
/// <remarks>
/// Guarantee: a record adds to pair j the integer W_j times a pair of cells in the disc of radius A = 2^20 (engines
/// truncate (2^20 - 1) times the pair, shown exhaustively over fp32), whatever the record. So |phi|^2 is at most
/// 2^40 sum W_j^2 and |phi|_1 at most floor(sqrt 2 A) sum W_j; replacing a record, in its block or across blocks, at most
/// twice the norms. The pair of frequency 0 is the count.
/// While records are added, cells hold the pairs; <see cref="Complete"/> multiplies by W_j, in integers.
/// </remarks>
public sealed class FrequencyGridSketch : ISketch
{
    /// <summary>W of the largest weight.</summary>
    const int LargestAmplitude = 1 << 14;

    const long PairL1 = 1482910;                // floor(sqrt 2 * 2^20)
    const double LeastTolerance = 1e-7, MostTolerance = 1e-3;

    readonly FrequencyGrid _grid;
    readonly Lazy<FourierMap> _map;
    readonly int[] _amplitudes;
    readonly double _tolerance;
    readonly bool _pure;

    FrequencyGridSketch(PairFunction function, Domain domain, double tolerance, bool pure, FrequencyGrid grid)
    {
        (Function, Domain, _tolerance, _pure, _grid) = (function, domain, tolerance, pure, grid);
        // Least noise: |phi|_2 |psi|_2 with W ~ a^(1/2), |phi|_1 |psi|_2 with W ~ a^(2/3).
        double largest = grid.Weights.Max();
        _amplitudes = new int[grid.Weights.Length];
        for (int j = 0; j < _amplitudes.Length; j++)
        {
            double ratio = PortableMath.Pow(grid.Weights[j] / largest, pure ? 2.0 / 3 : 0.5);
            _amplitudes[j] = Math.Max(1, (int)(LargestAmplitude * ratio));
        }
        _map = new(() => FourierMap.Dense(domain.Dimension, Rows(grid), groups: 1));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.FrequencyGrid;

    /// <summary>Pairs; they follow from the tolerance.</summary>
    public int Features => _amplitudes.Length;

    public ulong Seed => 0;

    public int CellCount => 2 * Features;

    public long LargestCell => (long)LargestAmplitude << 20;

    public double OperationsPerRecord => (double)Features * (25 + 2 * Domain.Dimension);

    public long MapBytes => 8L * Features * Domain.Dimension;

    public bool AnswersInsideBoxOnly => true;

    /// <summary>
    /// The grid whose error over <paramref name="maxRecords"/> records is a tenth of the noise, as far as fp32 allows; null
    /// if the function is not gaussian, the domain has no box or more than three dimensions, or the grid more pairs than
    /// <paramref name="mostPairs"/>.
    /// </summary>
    public static FrequencyGridSketch? TryCreate(
        PairFunction function, Domain domain, long maxRecords, double noiseRatio, bool pure, int mostPairs)
    {
        if (function is not Gaussian || domain.Lower is null || domain.Dimension > 3) return null;
        double tolerance = Math.Clamp(0.1 * noiseRatio / maxRecords, LeastTolerance, MostTolerance);
        return Make(function, domain, tolerance, pure, mostPairs);
    }

    static FrequencyGridSketch? Make(PairFunction function, Domain domain, double tolerance, bool pure, int mostPairs)
    {
        double length = (double)domain.Upper!.Value - domain.Lower!.Value;
        return FrequencyGrid.Create(domain.Dimension, length, function.Bandwidth, tolerance, mostPairs) is { } grid
            ? new(function, domain, tolerance, pure, grid)
            : null;
    }

    static float[] Rows(FrequencyGrid grid)
    {
        var rows = new float[grid.Vectors.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            double turns = grid.Vectors[i] * grid.Turns;
            rows[i] = Math.Abs(turns) < Canonical.Smallest ? 0f : (float)turns;
        }
        return rows;
    }

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = 0, absolute = 0;
        foreach (int amplitude in _amplitudes)
        {
            squared += (BigInteger)amplitude * amplitude << 40;
            absolute += amplitude * PairL1;
        }
        return PrivateKernels.Sensitivity.FromNorms(squared, absolute, adjacency);
    }

    public void Add(IEngine engine, Points points, Span<long> cells) => engine.AddFourier(_map.Value, points, cells);

    public void Complete(Span<long> block)
    {
        for (int j = 0; j < Features; j++)
        {
            block[j] *= _amplitudes[j];
            block[Features + j] *= _amplitudes[j];
        }
    }

    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var weights = new double[columns * 2 * Features];
        for (int i = 0; i < weights.Length; i++)
            weights[i] = cells[i] * _grid.Weights[i % Features] / _amplitudes[i % Features];
        return weights;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        double unit = 1 / (FourierSketch.PairScale * FourierSketch.PairScale);
        engine.ProjectFourier(_map.Value, queries, prepared, answers.Columns, answers.Values);
        for (int i = 0; i < answers.Values.Length; i++)
        {
            answers.Values[i] *= unit;
            answers.Bound[i] = answers.Records[i % answers.Columns] * ErrorPerRecord;
        }
        Array.Fill(answers.SquaredPsi, SquaredPsi);
    }

    /// <summary>
    /// The same at every query: cos^2 + sin^2 = 1 in each pair, but for the zero frequency, whose sine is 0 as well.
    /// </summary>
    double SquaredPsi
    {
        get
        {
            double sum = 0;
            for (int j = 0; j < Features; j++)
            {
                double weight = _grid.Weights[j] / _amplitudes[j];
                sum += weight * weight;
            }
            return sum / (FourierSketch.PairScale * FourierSketch.PairScale);
        }
    }

    /// <summary>The tolerance; truncated cells, about 1e-6; fp32 phases, three roundings of up to so many turns.</summary>
    double ErrorPerRecord
    {
        get
        {
            double largest = Math.Max(Math.Abs(Domain.Lower!.Value), Math.Abs(Domain.Upper!.Value)), turns = 0;
            for (int j = 0; j < Features; j++)
                for (int k = 0; k < Domain.Dimension; k++)
                    turns += _grid.Weights[j] * Math.Abs(_grid.Vectors[j * Domain.Dimension + k]) * _grid.Turns * largest;
            return _tolerance + 2e-6 + 2 * 2 * Math.PI * 3 * turns * Math.Pow(2, -24);
        }
    }

    public CountReading? Count(ReadOnlySpan<long> block)
    {
        double unit = 1 / (_amplitudes[0] * FourierSketch.PairScale);
        return new(block[0] * unit, unit);
    }

    /// <summary>The cosine of frequency 0.</summary>
    public int? ConstantFeature => 0;

    /// <summary>a_j in units of the amplitudes.</summary>
    public double[] FeatureWeights
    {
        get
        {
            var weights = new double[CellCount];
            for (int j = 0; j < Features; j++)
            {
                double amplitude = _amplitudes[j] * FourierSketch.PairScale;
                weights[j] = weights[Features + j] = _grid.Weights[j] / (amplitude * amplitude);
            }
            return weights;
        }
    }

    /// <summary>Noise: sigma at every y, whatever the dimension and the pairs. Approximation: its bound.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (Math.Sqrt(noiseVariance * SquaredPsi), ErrorPerRecord);

    public int RecipeBytes => 12;

    public void Write(RecipeWriter writer)
    {
        writer.WriteDouble(_tolerance);
        writer.WriteInt32(_pure ? 1 : 0);
    }

    internal static FrequencyGridSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        double tolerance = reader.ReadDouble();
        int pure = reader.ReadInt32();
        bool sound = function is Gaussian && domain is { Lower: not null, Dimension: <= 3 }
            && tolerance is >= LeastTolerance and <= MostTolerance && pure is 0 or 1;
        return (sound ? Make(function, domain, tolerance, pure == 1, MostPairs) : null)
            ?? throw new InvalidDataException("the recipe of the frequency grid is inconsistent");
    }

    /// <summary>More pairs than this are never planned.</summary>
    internal const int MostPairs = 1 << 20;
}
