namespace PrivateKernels;

/// <summary>Inner products of sums of features, as <see cref="ISketch.FeatureWeights"/> weighs their cells.</summary>
static class FeatureSpace
{
    /// <summary>One weight for the first <paramref name="features"/> of all cells.</summary>
    public static double[] Equal(int cells, double weight, int features)
    {
        var weights = new double[cells];
        weights.AsSpan(0, features).Fill(weight);
        return weights;
    }

    /// <summary>sum_j w_j (c_j^2 - v): the squared length of the sum in noisy cells, noise energy removed.</summary>
    public static double SquaredLength(ReadOnlySpan<double> weights, ReadOnlySpan<long> cells, double noiseVariance)
    {
        double sum = 0;
        for (int j = 0; j < weights.Length; j++) sum += weights[j] * ((double)cells[j] * cells[j] - noiseVariance);
        return sum;
    }
}
