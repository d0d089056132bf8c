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

    /// <summary>
    /// Linear classifier of the features, fitted by least squares; needs a release with second moments. Leaves out classes that
    /// are too small. Margins are in units of the largest noise that the class sums can give a score.
    /// </summary>
    LeastSquares = 4,
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
        if (_score == ClassScore.LeastSquares)
            LeastSquares = release.LeastSquares ?? throw new InvalidFieldException(
                "score", "least squares", "needs a release with second moments (class_least_squares)");
        (_release, _counts, _halfSquaredMeans, _excluded) = (release, new double[classes], new double[classes], new bool[classes]);
        _variances = [.. Enumerable.Range(0, classes).Select(c => release.NoiseOf(c).Variance)];
        for (int c = 0; c < classes; c++)
        {
            _counts[c] = (sketch.Count(release.Block(c)) ?? throw new NotPerClassException()).Value;
            _excluded[c] = _score != ClassScore.Sum && IsTooSmall(release, c);
            if (_score == ClassScore.NearestKernelMean && !_excluded[c])
                _halfSquaredMeans[c] = FeatureSpace.SquaredLength(weights!, release.Block(c), _variances[c]) / (2 * _counts[c] * _counts[c]);
        }
        if (Array.TrueForAll(_excluded, static e => e)) throw new NoClassLargeEnoughException();
    }

    /// <summary>The fit, if that is the score.</summary>
    public LeastSquares? LeastSquares { get; }

    /// <summary>Dividing by a count that may be nothing but noise would let an empty class win.</summary>
    public static bool IsTooSmall(ReleasedSums release, int block)
    {
        CountReading count = release.Sketch.Count(release.Block(block)) ?? throw new NotPerClassException();
        return count.Value < 4 * count.NoiseFactor * Math.Sqrt(release.NoiseOf(block).Variance);
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
                : Math.Abs(row[best] - row[second])
                    / (LeastSquares?.DifferenceStd ?? Math.Sqrt(raw.SquaredPsi[q] * DifferenceVariance(best, second)));
        }
        int[] excluded = [.. Enumerable.Range(0, classes).Where(c => _excluded[c])];
        return new(_score, labels, margins, scores, excluded);
    }

    double Score(double sum, int c) => _score is ClassScore.Sum or ClassScore.LeastSquares ? sum : sum / _counts[c] - _halfSquaredMeans[c];

    /// <summary>Noise of the difference of two scores, for cells read with a weight of 1.</summary>
    double DifferenceVariance(int a, int b) => _score == ClassScore.Sum
        ? _variances[a] + _variances[b]
        : _variances[a] / (_counts[a] * _counts[a]) + _variances[b] / (_counts[b] * _counts[b]);

    static bool Better(double a, double b, bool largest) => largest ? a > b : a < b;
}
