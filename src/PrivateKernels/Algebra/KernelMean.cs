namespace PrivateKernels;

/// <summary>
/// The mean of a kernel's features over a set of records, (1/n) sum_x phi(x): of a release, noisy, or of public points,
/// exact. Inner products of two means estimate the mean of k(x, y) over all pairs; the distance of two is the maximum mean
/// discrepancy of the sets in the kernel that the map answers for. Post-processing: it costs nothing.
/// </summary>
/// <remarks>
/// With noisy cells a_j of noise variance v, weights w_j and a noisy count of variance u, the reciprocals (1 - u/n^2) / n and
/// (1 - 3u/n^2) / n^2 are free of bias to second order, and sum_j w_j (a_j^2 - v) is free of bias: so are all values here.
/// Stated deviations are those of the noise, from the release itself: with d_j the difference of two means and v the noise
/// variance of d_j, that of sum_j w_j d_j^2 is sum_j w_j^2 (4 (d_j^2 - v) v + 2 v^2 + kappa), kappa the fourth cumulant, and
/// what the noise of the counts adds.
/// </remarks>
public sealed class KernelMean
{
    /// <summary>Below so many standard deviations of its noise a count says nothing about a mean.</summary>
    const double LeastCertainty = 4;

    readonly ISketch _sketch;
    readonly double[] _weights, _mean;
    readonly CellNoise _noise;
    readonly int _known;
    readonly double _relativeVariance;
    readonly string[] _origins;

    KernelMean(
        ISketch sketch, double[] weights, ReadOnlySpan<long> cells, CellNoise noise, CountReading count, double countVariance,
        string[] origins)
    {
        (_sketch, _weights, _origins, Records) = (sketch, weights, origins, count.Value);
        _relativeVariance = countVariance / (Records * Records);
        double factor = (1 - _relativeVariance) / Records;
        _mean = new double[cells.Length];
        for (int j = 0; j < cells.Length; j++) _mean[j] = cells[j] * factor;
        _noise = new(noise.Variance * factor * factor, noise.FourthCumulant * Math.Pow(factor, 4));
        // Over the count that is read off itself the constant feature is what it is for one record, without noise.
        _known = countVariance > 0 ? sketch.ConstantFeature ?? -1 : -1;
        if (_known >= 0) _mean[_known] = 1 / count.NoiseFactor;
    }

    /// <summary>n: noisy if it was read off a release.</summary>
    public double Records { get; }

    /// <summary>Of a release, or of one of its classes.</summary>
    /// <param name="release">Of a kernel; one with a map that has a feature space.</param>
    /// <param name="className">One class of a per-class release; null = all records.</param>
    /// <param name="records">The number of records where it is public; null = the noisy count of the release.</param>
    /// <exception cref="InvalidFieldException">No kernel, no such class, no count, or one that is lost in its noise.</exception>
    public static KernelMean Of(ReleasedSums release, string? className = null, double? records = null)
    {
        double[] weights = WeightsOf(release.Sketch);
        int block = className is null ? -1 : Enumerable.Range(0, release.Classes.Count).FirstOrDefault(c => release.Classes[c] == className, -1);
        if (className is not null && block < 0)
            throw new InvalidFieldException("class", className, $"must be one of [{string.Join(", ", release.Classes)}]");
        ReadOnlySpan<long> cells = block < 0 ? release.Total() : release.Block(block);
        CellNoise noise = block < 0 ? release.TotalNoise : release.NoiseOf(block);
        IEnumerable<string> blocks = className is null ? release.Classes.DefaultIfEmpty("") : [className];
        string[] origins =
            [.. from parent in release.Parents from name in blocks select $"{Convert.ToHexStringLower(parent.Sha256.Span)} {name}"];
        if (records is { } n) return n >= 1 && double.IsFinite(n)
            ? new(release.Sketch, weights, cells, noise, new(n, 0), 0, origins)
            : throw new InvalidFieldException("records", n, "must be at least 1");
        if (release.Sketch.Count(cells) is not { } count)
            throw new InvalidFieldException("records", null,
                "this release holds no count (per-class releases hold one); give the number of records if it is public");
        double variance = count.NoiseFactor * count.NoiseFactor * noise.Variance;
        if (count.Value < LeastCertainty * Math.Sqrt(variance))
            throw new InvalidFieldException(
                "records", null, "the noisy count is below four standard deviations of its noise: too small for a mean");
        return new(release.Sketch, weights, cells, noise, count, variance, origins);
    }

    /// <summary>Of public points, under the map of a release.</summary>
    /// <exception cref="DimensionMismatchException">Another dimension than the data.</exception>
    /// <exception cref="OutOfDomainException">A point is not finite, or outside the bounds that the map is made for.</exception>
    public static KernelMean Of(ISketch sketch, Points publicPoints, IEngine engine)
    {
        double[] weights = WeightsOf(sketch);
        Domain domain = sketch.Domain;
        if (publicPoints.Dimension != domain.Dimension) throw new DimensionMismatchException(domain.Dimension, publicPoints.Dimension);
        if (publicPoints.Count == 0) throw new InvalidFieldException("points", 0, "at least one is needed");
        bool bounded = sketch.AnswersInsideBoxOnly || sketch.Function.Entry.NeedsMaxNorm;
        if ((bounded ? domain : new Domain(domain.Dimension)).Check(publicPoints.Values.Span) is { } violation)
            throw new OutOfDomainException(violation);
        float[] values = publicPoints.Values.ToArray();
        Canonical.Flush(values);
        var cells = new long[sketch.CellCount];
        sketch.Add(engine, new(values, domain.Dimension), cells);
        sketch.Complete(cells);
        return new(sketch, weights, cells, default, new(publicPoints.Count, 0), 0, []);
    }

    /// <summary>Mean of k(x, y) over the pairs of the two sets.</summary>
    /// <exception cref="MapMismatchException">The two come from different maps.</exception>
    /// <exception cref="InvalidFieldException">The two share noise.</exception>
    public NoisyValue InnerProduct(KernelMean other)
    {
        CheckComparable(other);
        int known = Math.Max(_known, other._known);
        double value = Product(other), moving = known < 0 ? value : value - _weights[known] * _mean[known] * other._mean[known];
        double variance = moving * moving * (_relativeVariance + other._relativeVariance);
        for (int j = 0; j < _weights.Length; j++)
        {
            double v = NoiseOf(j).Variance, u = other.NoiseOf(j).Variance;
            double a = _mean[j] * _mean[j], b = other._mean[j] * other._mean[j];
            variance += _weights[j] * _weights[j] * Math.Max(v * u, a * u + b * v - u * v);
        }
        return new(value, Math.Sqrt(variance));
    }

    /// <summary>Maximum mean discrepancy: the squared distance of the two means, |m|^2 + |m'|^2 - 2 m . m'.</summary>
    /// <exception cref="MapMismatchException">The two come from different maps.</exception>
    /// <exception cref="InvalidFieldException">The two share noise.</exception>
    public MeanDiscrepancy Discrepancy(KernelMean other)
    {
        CheckComparable(other);
        double product = Product(other), own = SquaredNorm(), others = other.SquaredNorm(), noise = 0, least = 0;
        for (int j = 0; j < _weights.Length; j++)
        {
            CellNoise both = NoiseOf(j) + other.NoiseOf(j);
            double d = _mean[j] - other._mean[j], w = _weights[j] * _weights[j], v = both.Variance;
            least += w * (2 * v * v + both.FourthCumulant);
            noise += w * (4 * d * d * v - 2 * v * v + both.FourthCumulant);
        }
        // An estimate from few cells may fall far below what the noise alone causes where the means agree.
        double variance = Math.Max(noise, least / 2)
            + 4 * _relativeVariance * Square(own - product) + 4 * other._relativeVariance * Square(others - product);
        double floor = _sketch.Function.Geometry == PairGeometry.InnerProduct
            ? double.NaN
            : (1 / Records + 1 / other.Records) * Math.Max(0, 1 - product);
        return new(own + others - 2 * product, Math.Sqrt(variance), product, floor);
    }

    /// <summary>|m|^2, noise energy removed: the mean of k(x, x') over all pairs of records.</summary>
    public double SquaredNorm()
    {
        double sum = 0;
        for (int j = 0; j < _weights.Length; j++)
            if (j != _known) sum += _weights[j] * (_mean[j] * _mean[j] - _noise.Variance);
        sum *= 1 - _relativeVariance;
        return _known < 0 ? sum : sum + _weights[_known] * Square(_mean[_known]);
    }

    double Product(KernelMean other)
    {
        double sum = 0;
        for (int j = 0; j < _weights.Length; j++) sum += _weights[j] * _mean[j] * other._mean[j];
        return sum;
    }

    CellNoise NoiseOf(int cell) => cell == _known ? default : _noise;

    void CheckComparable(KernelMean other)
    {
        if (!ReferenceEquals(_sketch, other._sketch)) MapMismatchException.ThrowIfDifferent(_sketch, other._sketch);
        if (_origins.Intersect(other._origins).Any())
            throw new InvalidFieldException("release", "shared", "both sides hold the same release: its noise is not independent of itself");
    }

    static double[] WeightsOf(ISketch sketch)
    {
        if (sketch is WeightedSketch) throw new InvalidFieldException("weighting", "value", "sums of values have no kernel mean");
        return sketch.FeatureWeights ?? throw new InvalidFieldException(
            "function", sketch.Function.Entry.Name, $"by {sketch.Method} it has no feature space, so no kernel mean");
    }

    static double Square(double x) => x * x;
}

/// <summary>A value with the standard deviation of its privacy noise.</summary>
public readonly record struct NoisyValue(double Value, double NoiseStd);

/// <summary>Maximum mean discrepancy of two sets.</summary>
/// <param name="Squared">Squared distance of the means, noise energy removed: free of bias, so it may be negative.</param>
/// <param name="SquaredNoiseStd">Standard deviation of the privacy noise in it.</param>
/// <param name="InnerProduct">Mean of k(x, y) over the pairs of the two sets.</param>
/// <param name="SamplingFloor">
/// About what two samples of these sizes from one distribution show, (1/n + 1/n') (1 - E k): less is no closer than that. NaN for
/// inner products, where k(x, x) is not 1.
/// </param>
public sealed record MeanDiscrepancy(double Squared, double SquaredNoiseStd, double InnerProduct, double SamplingFloor)
{
    /// <summary>The root of Squared, 0 where it is negative.</summary>
    public double Distance => Math.Sqrt(Math.Max(0, Squared));
}
