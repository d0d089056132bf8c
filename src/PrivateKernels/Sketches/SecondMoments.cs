using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Second moments of Fourier features over the records of all classes (structures.md, section 11): the upper triangle of
/// sum_x phi(x) phi(x)', phi of length 1, in cells of A m phi_i phi_j. For least squares; one block beside those of the classes.
/// </summary>
/// <remarks>
/// Guarantee: the features of a record are the integers that <see cref="FourierSketch"/> adds, pairs in the disc of squared
/// radius 2^40 - 2^20 (a test visits all of fp32). So the real products x_i x_j 2^-20, i at most j, have squares of at most 2^-40
/// ((sum x^2)^2 + sum x^4) / 2, that is (2^20 - 1)^2 m (m + 1) / 2; rounding to fp32 makes none of them larger by more than
/// 2^-24 of itself, and truncation none: |phi|^2 stays below 2^40 m (m + 1) / 2. The L1 norm by Cauchy-Schwarz. A record adds to
/// this block whatever its class is: replacing it moves the block by at most twice that.
/// </remarks>
sealed class SecondMoments(FourierSketch sketch)
{
    /// <summary>A product of length 1 in cells: A'^2 m / 2^20.</summary>
    double Unit => FourierSketch.PairScale * FourierSketch.PairScale * sketch.Features / (1 << 20);

    public int CellCount => checked((int)CellsOf(sketch.Features));

    /// <summary>m (2m + 1): pairs of 2m features, each with itself as well.</summary>
    public static long CellsOf(int frequencies) => (long)frequencies * (2L * frequencies + 1);

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = (BigInteger.One << 40) * sketch.Features * (sketch.Features + 1) / 2;
        return PrivateKernels.Sensitivity.FromNorms(squared, Rational.FloorSqrt(squared * CellCount) + 1, adjacency);
    }

    public void Add(IEngine engine, Points points, Span<long> cells) =>
        engine.AddSecondMoments(sketch.Map, points, cells);

    /// <summary>The symmetric matrix of noisy moments, row after row.</summary>
    public double[] Matrix(ReadOnlySpan<long> cells)
    {
        int size = 2 * sketch.Features, at = 0;
        var matrix = new double[size * size];
        for (int i = 0; i < size; i++)
            for (int j = i; j < size; j++)
                matrix[i * size + j] = matrix[j * size + i] = cells[at++] / Unit;
        return matrix;
    }

    /// <summary>Standard deviation of the noise in an entry of the matrix.</summary>
    public double NoiseStd(double noiseVariance) => Math.Sqrt(noiseVariance) / Unit;
}
