using MathNet.Numerics.LinearAlgebra;

namespace PrivateKernels;

/// <summary>
/// A linear classifier from noisy class sums M and second moments G (structures.md, section 11): (G + lambda I) W = M - mean of
/// M over the classes that are large enough, the score of a class is W_c . phi(y). Post-processing.
/// </summary>
sealed class LeastSquares
{
    /// <summary>
    /// lambda over 2 s sqrt(D), the spectral norm of the symmetric noise of entries of std s: below 1 the noise rules.
    /// </summary>
    const double Ridge = 1;

    public LeastSquares(Release release)
    {
        var sketch = (FourierSketch)release.Sketch;
        SecondMoments moments = release.Measurement.Moments!;
        double variance = release.Measurement.Noise.Variance, noise = moments.NoiseStd(variance);
        int m = sketch.Features, size = 2 * m, classes = release.Classes.Count;
        // Of length 1: a feature of size A is 1 / sqrt m.
        double unit = 1 / (FourierSketch.PairScale * Math.Sqrt(m)), lambda = Ridge * 2 * noise * Math.Sqrt(size);
        double[] sums = sketch.Prepare(release.Cells, classes);
        int[] kept = [.. Enumerable.Range(0, classes).Where(c => !Classifier.IsTooSmall(release, c))];
        Matrix<double> right = Matrix<double>.Build.Dense(
            size, classes, (j, c) => unit * (sums[c * size + j] - kept.Sum(k => sums[k * size + j]) / Math.Max(1, kept.Length)));
        double[] gram = moments.Matrix(release.AllCells.AsSpan(release.Measurement.BlockCells));
        Matrix<double> solved = Solve(gram, size, right, ref lambda);
        // Estimate reads features of size A sqrt m over A^2 m.
        Prepared = new double[classes * size];
        for (int c = 0; c < classes; c++)
            for (int j = 0; j < size; j++) Prepared[c * size + j] = solved[j, c] / unit;
        DifferenceStd = Math.Sqrt(2) * Math.Sqrt(sketch.FeatureWeights[0] * variance) / lambda;
    }

    /// <summary>[class][feature] in the form that the sketch answers from.</summary>
    public double[] Prepared { get; }

    /// <summary>sqrt 2 s / lambda: the most that noise in the class sums gives the difference of two scores.</summary>
    public double DifferenceStd { get; }

    /// <summary>Where noise leaves the matrix indefinite all the same, lambda grows until it is not.</summary>
    static Matrix<double> Solve(double[] gram, int size, Matrix<double> right, ref double lambda)
    {
        for (; ; lambda *= 1.25)
        {
            Matrix<double> matrix = Matrix<double>.Build.Dense(size, size, (double[])gram.Clone());
            for (int j = 0; j < size; j++) matrix[j, j] += lambda;
            try
            {
                return matrix.Cholesky().Solve(right);
            }
            catch (ArgumentException)
            {
                // Not positive definite.
            }
        }
    }
}
