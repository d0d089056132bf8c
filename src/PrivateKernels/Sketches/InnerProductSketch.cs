using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Sum of the vectors of a ball, for inner products with any y (structures.md 4.2): phi = x / R, psi = R y, and a count.
/// R is the largest length in the domain: its radius plus the length of its center. That is optimal, since
/// max |x . y| over the ball is R |y| where y points along the center. d + 1 cells.
/// </summary>
/// <remarks>
/// Guarantee: after the integer norm clamp the d cells of a record have an L2 norm of at most A = 2^20 for every x, and an
/// L1 norm of at most floor(A sqrt d) by Cauchy-Schwarz on integers; plus the count. Replaced within a block, the count
/// stays: at most 2A; replaced across blocks: sqrt 2 times the norm with count, no more than that.
/// </remarks>
public sealed class InnerProductSketch : ISketch
{
    const int A = 1 << 20;
    const long SquaredBound = (long)A * A;

    readonly MomentMap _map;
    readonly double _radius;

    InnerProductSketch(PairFunction function, Domain domain, long countWeight)
    {
        (Function, Domain, CountWeight) = (function, domain, countWeight);
        double squares = 0;
        foreach (float c in domain.Center) squares += (double)c * c;
        _radius = domain.MaxNorm!.Value + Math.Sqrt(squares);
        _map = new(domain.Dimension, new float[domain.Dimension], 0, (float)(A / _radius), 0, SquaredBound);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Moment;

    public int Features => 0;

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension + 1;

    public long LargestCell => Math.Max(A, CountWeight);

    public double OperationsPerRecord => 6.0 * CellCount;

    /// <summary>What a record adds to the count cell.</summary>
    long CountWeight { get; }

    /// <summary>
    /// A sketch whose count cell weighs 20 % of the L2 bound where counts matter (<paramref name="perClass"/>; 2 % more
    /// noise), 10 % otherwise (0.5 % more); under pure epsilon 5 % of the L1 bound.
    /// </summary>
    public static InnerProductSketch Create(PairFunction function, Domain domain, MechanismKind mechanism, bool perClass)
    {
        if (domain.MaxNorm is null) throw new DomainNotDeclaredException("max_norm", function.Entry.Name);
        if (domain.MaxNorm is < 1e-6 or > 1e6)
            throw new InvalidFieldException("domain.max_norm", domain.MaxNorm, "must be between 1e-6 and 1e6 for inner_product");
        long weight = mechanism == MechanismKind.DiscreteLaplace ? FeatureL1(domain) / 20 : perClass ? A / 5 : A / 10;
        return new(function, domain, weight);
    }

    static long FeatureL1(Domain domain) => NormClamp.IntegerSquareRoot((long)domain.Dimension << 40);

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = SquaredBound, l1 = FeatureL1(Domain), count = (BigInteger)CountWeight * CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * squared, 2 * squared + 2 * count), 2 * (l1 + CountWeight))
            : new(squared + count, l1 + CountWeight);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        // The map's constant and square are 0, and so are their cells.
        var moments = new long[Domain.Dimension + 2];
        engine.AddMoments(_map, points, moments);
        for (int k = 0; k < Domain.Dimension; k++) cells[k] += moments[k + 1];
        cells[^1] += points.Count * CountWeight;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int d = Domain.Dimension;
        var psi = new double[d];
        for (int q = 0; q < queries.Count; q++)
        {
            double absolute = 0;
            for (int k = 0; k < d; k++)
            {
                psi[k] = queries.Row(q)[k] / (double)_map.Linear;
                absolute += Math.Abs(psi[k]);
            }
            answers.SquaredPsi[q] = DotProduct.Of(psi, psi);
            for (int c = 0; c < answers.Columns; c++)
            {
                ReadOnlySpan<double> block = prepared.Slice(c * CellCount, CellCount);
                answers.Values[q * answers.Columns + c] = DotProduct.Of(psi, block[..d]);
                // Truncation loses less than one unit in each cell of each record.
                answers.Bound[q * answers.Columns + c] = answers.Records[c] * absolute;
            }
        }
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    /// <summary>Here phi has the length of x.</summary>
    public double[] FeatureWeights => FeatureSpace.Equal(CellCount, 1 / ((double)_map.Linear * _map.Linear), Domain.Dimension);

    /// <summary>Noise: R |y| sigma, here for |y| = R. No approximation.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (_radius * _radius * Math.Sqrt(noiseVariance) / A, 0);

    public int RecipeBytes => 8;

    public void Write(RecipeWriter writer) => writer.WriteInt64(CountWeight);

    internal static InnerProductSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        long countWeight = reader.ReadInt64();
        return domain.MaxNorm is >= 1e-6 and <= 1e6 && countWeight is >= 1 and < 1 << 28
            ? new(function, domain, countWeight)
            : throw new InvalidDataException("the recipe of the inner product sketch is inconsistent");
    }
}
