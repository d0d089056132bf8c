using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Moments for the squared l2 distance in a ball of radius r about c (structures.md 4.1): phi = (r, sqrt2 z, |z|^2/r)/(2r),
/// psi = (|w|^2/r, -sqrt2 w, r) 2r with z = x - c, w = y - c; their product is |x - y|^2 exactly. d + 2 cells.
/// </summary>
/// <remarks>
/// Guarantee: after the integer norm clamp |phi_int|_2 is at most A = 2^20 for every x, and |phi_int|_1 at most
/// floor(A sqrt(d + 2)) by Cauchy-Schwarz on integers. The constant cell serves as a noisy count.
/// </remarks>
public sealed class MomentSketch : ISketch
{
    const int A = 1 << 20;

    readonly MomentMap _map;
    readonly float[] _center;

    MomentSketch(PairFunction function, Domain domain)
    {
        (Function, Domain) = (function, domain);
        _center = domain.Center.IsEmpty ? new float[domain.Dimension] : domain.Center.ToArray();
        double r = Radius;
        _map = new(domain.Dimension, _center, A / 2, (float)(A / (Math.Sqrt(2) * r)), (float)(A / (2 * r * r)), (long)A * A);
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Moment;

    public int Features => 0;

    public ulong Seed => 0;

    public int CellCount => Domain.Dimension + 2;

    public long LargestCell => A;

    public double OperationsPerRecord => 6.0 * CellCount;

    double Radius => Domain.MaxNorm!.Value;

    public static MomentSketch Create(PairFunction function, Domain domain) =>
        domain.MaxNorm switch
        {
            null => throw new DomainNotDeclaredException("max_norm", function.Entry.Name),
            < 1e-6 or > 1e6 => throw new InvalidFieldException(
                "domain.max_norm", domain.MaxNorm, "must be between 1e-6 and 1e6 for l2_squared"),
            _ => new(function, domain),
        };

    public Sensitivity Sensitivity(Adjacency adjacency) => PrivateKernels.Sensitivity.FromNorms(
        BigInteger.One << 40, NormClamp.IntegerSquareRoot((long)CellCount << 40), adjacency);

    public void Add(IEngine engine, Points points, Span<long> cells) => engine.AddMoments(_map, points, cells);

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        var psi = new double[CellCount];
        for (int q = 0; q < queries.Count; q++)
        {
            FillPsi(queries.Row(q), psi);
            // Truncation loses less than one unit in each cell of each record.
            answers.SetFromCells(q, psi, prepared, unitsLost: 1);
        }
    }

    // psi divides by the very factors that the engines multiply with.
    void FillPsi(ReadOnlySpan<float> y, Span<double> psi)
    {
        double square = 0;
        for (int k = 0; k < y.Length; k++)
        {
            double w = (double)y[k] - _center[k];
            square += w * w;
            psi[k + 1] = -2 * w / _map.Linear;
        }
        psi[0] = square / _map.Constant;
        psi[^1] = 1 / (double)_map.Square;
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[0] / (double)_map.Constant, 1.0 / _map.Constant);

    /// <summary>Noise: 4 r^2 sigma at |y - c| = r, the worst of the domain; half of it at the center. No approximation.</summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (4 * Radius * Radius * Math.Sqrt(noiseVariance) / A, 0);

    public int RecipeBytes => 0;

    public void Write(RecipeWriter writer)
    {
    }

    internal static MomentSketch Read(PairFunction function, Domain domain) =>
        domain.MaxNorm is >= 1e-6 and <= 1e6
            ? new(function, domain)
            : throw new InvalidDataException("the recipe of the moment sketch is inconsistent");
}
