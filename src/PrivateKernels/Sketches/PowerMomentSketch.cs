using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// |z|_p^p for even p on a box (structures.md 4.3): the moments of each coordinate about the middle of the box answer
/// exactly, sum_k C(p,k) (x - c)^k (c - y)^(p-k). Cells: p per coordinate and a count.
/// </summary>
/// <remarks>
/// Guarantee: the cell of power k lies in [-W_k, W_k] for every x, for even k in [0, W_k] (the engine limits t to [-1, 1]
/// and multiplies it up, so even powers are never negative); the count adds C. So |phi|^2 is at most d (sum W_k^2) + C^2
/// and |phi|_1 at most d (sum W_k) + C. Replaced within a block, the count stays, an odd cell moves by at most 2 W_k and
/// an even one by W_k; replaced across blocks, at most 2 |phi|^2.
/// </remarks>
public sealed class PowerMomentSketch : ISketch
{
    readonly PowerMap _map;
    readonly double[] _binomials;

    PowerMomentSketch(PairFunction function, Domain domain)
    {
        (Function, Domain, Power) = (function, domain, (int)function.Exponent);
        _binomials = new double[Power + 1];
        for (int k = 0; k <= Power; k++) _binomials[k] = k == 0 ? 1 : _binomials[k - 1] * (Power - k + 1) / k;
        // Weights in the proportion sqrt C(p,k) make |phi| |psi| least at the corners.
        long largest = (long)_binomials[Power / 2];
        var weights = new int[Power];
        for (int k = 1; k <= Power; k++)
            weights[k - 1] = (int)NormClamp.IntegerSquareRoot(((long)_binomials[k] << 40) / largest);
        CountWeight = NormClamp.IntegerSquareRoot(((long)domain.Dimension << 40) / largest);
        float lower = domain.Lower!.Value, upper = domain.Upper!.Value;
        _map = new(domain.Dimension, lower, upper, (float)(((double)lower + upper) / 2), (float)(2 / ((double)upper - lower)), weights);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Moment;

    public int Features => 0;

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension * Power + 1;

    public long LargestCell => Math.Max(1 << 20, CountWeight);

    public double OperationsPerRecord => 4.0 * CellCount;

    /// <summary>p.</summary>
    int Power { get; }

    long CountWeight { get; }

    public static PowerMomentSketch Create(PairFunction function, Domain domain) => domain.Lower is null
        ? throw new DomainNotDeclaredException("lower and upper", function.Entry.Name)
        : new(function, domain);

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger odd = 0, even = 0, absolute = CountWeight, count = (BigInteger)CountWeight * CountWeight;
        for (int k = 1; k <= Power; k++)
        {
            long weight = _map.Weights[k - 1];
            BigInteger squared = (BigInteger)Domain.Dimension * weight * weight;
            if (k % 2 == 0) even += squared; else odd += squared;
            absolute += (BigInteger)Domain.Dimension * weight;
        }
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * odd + even, 2 * (odd + even + count)), 2 * absolute)
            : new(odd + even + count, absolute);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        engine.AddPowers(_map, points, cells[..^1]);
        cells[^1] += points.TimesWeights(CountWeight);
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        var psi = new double[CellCount];
        for (int q = 0; q < queries.Count; q++)
        {
            FillPsi(queries.Row(q), psi);
            // Truncation loses less than one unit in each cell of each record, fp32 less than another.
            answers.SetFromCells(q, psi, prepared, unitsLost: 2);
        }
    }

    // psi divides by the very factors that the engines multiply with.
    void FillPsi(ReadOnlySpan<float> y, Span<double> psi)
    {
        double radius = 1 / (double)_map.Scale;
        psi[^1] = 0;
        for (int i = 0; i < y.Length; i++)
        {
            // power = (c - y)^(p - k) r^k C(p, k) from k = p down.
            double w = _map.Center - (double)y[i], power = 1;
            for (int k = Power; k >= 1; k--, power *= w)
                psi[i * Power + k - 1] = _binomials[k] * Math.Pow(radius, k) * power / _map.Weights[k - 1];
            psi[^1] += power / CountWeight;
        }
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    /// <summary>Noise at a corner, the worst: d R^p sigma without rounding of the weights. No approximation.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        var corner = new float[Domain.Dimension];
        Array.Fill(corner, Domain.Upper!.Value);
        var psi = new double[CellCount];
        FillPsi(corner, psi);
        double squared = 0;
        foreach (double weight in psi) squared += weight * weight;
        return (Math.Sqrt(noiseVariance * squared), 0);
    }

    public int RecipeBytes => 0;

    public void Write(RecipeWriter writer)
    {
    }

    internal static PowerMomentSketch Read(PairFunction function, Domain domain) =>
        domain.Lower is not null && function.Exponent is 2 or 4 or 6
            ? new(function, domain)
            : throw new InvalidDataException("the recipe of the moment sketch is inconsistent");
}
