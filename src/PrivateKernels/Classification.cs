namespace PrivateKernels;

/// <summary>How a score is made of a class's sum. The numbers are those of the wire.</summary>
public enum ClassScore
{
    /// <summary>Noisy sum over noisy count: average similarity. Leaves out classes that are too small.</summary>
    Mean = 1,

    /// <summary>Noisy sum: average similarity times class size. Leaves no class out.</summary>
    Sum = 2,

    /// <summary>
    /// Average similarity minus half the squared length of the class mean, noise energy removed. Leaves out classes that
    /// are too small.
    /// </summary>
    NearestKernelMean = 3,
}

/// <summary>Classes of the query points, in order.</summary>
/// <param name="Score">The score that was used.</param>
/// <param name="Labels">Index of the best class of each point: the largest score of a kernel, the smallest of a distance.</param>
/// <param name="Margins">Best against second best over the standard deviation of the noise in that difference.</param>
/// <param name="Scores">[point][class]; NaN for a class that was left out.</param>
/// <param name="Excluded">Classes whose noisy count is below four standard deviations of its noise.</param>
public sealed record Classification(
    ClassScore Score, int[] Labels, double[] Margins, double[] Scores, IReadOnlyList<int> Excluded);

/// <summary>Every class is too small to be told from noise.</summary>
public sealed class NoClassLargeEnoughException() : InvalidOperationException(
    "no class has a noisy count above four standard deviations of its noise; use the score sum, or a release with less noise.");

/// <summary>A release of a single block was asked for classes, or the other way round.</summary>
public sealed class NotPerClassException()
    : InvalidOperationException("the release is not per class; ask for one that was built with per_class.");

/// <summary>Turns per-class sums into classes (structures.md, section 11). All of it is post-processing.</summary>
sealed class Classifier
{
    readonly ReleasedSums _release;
    readonly ClassScore _score;
    readonly double[] _counts, _halfSquaredMeans, _variances;
    readonly bool[] _excluded;

    public Classifier(ReleasedSums release, ClassScore? score)
    {
        ISketch sketch = release.Sketch;
        int classes = release.Classes.Count;
        double[]? weights = sketch.FeatureWeights;
        bool hasLength = weights is not null;
        _score = score ?? (hasLength ? ClassScore.NearestKernelMean : ClassScore.Mean);
        if (_score == ClassScore.NearestKernelMean && !hasLength)
            throw new InvalidFieldException("score", "nearest kernel mean", $"is not defined for {sketch.Function.Entry.Name}; use mean or sum");
        (_release, _counts, _halfSquaredMeans, _excluded) = (release, new double[classes], new double[classes], new bool[classes]);
        _variances = [.. Enumerable.Range(0, classes).Select(c => release.NoiseOf(c).Variance)];
        for (int c = 0; c < classes; c++)
        {
            CountReading count = sketch.Count(release.Block(c)) ?? throw new NotPerClassException();
            _counts[c] = count.Value;
            // Dividing by a count that may be nothing but noise would let an empty class win.
            _excluded[c] = _score != ClassScore.Sum && count.Value < 4 * count.NoiseFactor * Math.Sqrt(_variances[c]);
            if (_score == ClassScore.NearestKernelMean && !_excluded[c])
                _halfSquaredMeans[c] = FeatureSpace.SquaredLength(weights!, release.Block(c), _variances[c]) / (2 * count.Value * count.Value);
        }
        if (Array.TrueForAll(_excluded, static e => e)) throw new NoClassLargeEnoughException();
    }

    public Classification Classify(RawAnswers raw)
    {
        int classes = _counts.Length;
        bool largest = _release.Sketch.Function.Entry.IsKernel;
        var scores = new double[raw.Queries * classes];
        var labels = new int[raw.Queries];
        var margins = new double[raw.Queries];
        for (int q = 0; q < raw.Queries; q++)
        {
            Span<double> row = scores.AsSpan(q * classes, classes);
            int best = -1, second = -1;
            for (int c = 0; c < classes; c++)
            {
                row[c] = _excluded[c] ? double.NaN : Score(raw.Values[q * classes + c], c);
                if (_excluded[c]) continue;
                if (best < 0 || Better(row[c], row[best], largest)) (second, best) = (best, c);
                else if (second < 0 || Better(row[c], row[second], largest)) second = c;
            }
            labels[q] = best;
            margins[q] = second < 0
                ? double.PositiveInfinity
                : Math.Abs(row[best] - row[second]) / Math.Sqrt(raw.SquaredPsi[q] * DifferenceVariance(best, second));
        }
        int[] excluded = [.. Enumerable.Range(0, classes).Where(c => _excluded[c])];
        return new(_score, labels, margins, scores, excluded);
    }

    double Score(double sum, int c) => _score == ClassScore.Sum ? sum : sum / _counts[c] - _halfSquaredMeans[c];

    /// <summary>Noise of the difference of two scores, for cells read with a weight of 1.</summary>
    double DifferenceVariance(int a, int b) => _score == ClassScore.Sum
        ? _variances[a] + _variances[b]
        : _variances[a] / (_counts[a] * _counts[a]) + _variances[b] / (_counts[b] * _counts[b]);

    static bool Better(double a, double b, bool largest) => largest ? a > b : a < b;
}
