using System.Globalization;

namespace PrivateKernels;

/// <summary>
/// Suggests bandwidths from public facts alone: the dimension, the bound on the records, the noise of an answer and, if
/// there is one, a public sample that resembles the data. Never looks at private rows; costs no budget.
/// </summary>
/// <remarks>
/// In high dimension a kernel sum at small h is carried by the few records nearest to y (Biroli, Mezard: Kernel density
/// estimators in large dimensions, 2024): above h_CLT it behaves like a mean over many records, below h_G a single record
/// decides. There noise calibrated to one record drowns the answer, whatever the sketch. With k = k(x, y) over typical pairs, the
/// records that carry a sum number about n (E k)^2 / E k^2; the suggested range keeps that number and the ratio of
/// signal to noise large, and the kernel away from a constant.
/// </remarks>
public static class BandwidthAdvisor
{
    /// <summary>Least number of records that should carry a sum.</summary>
    const double LeastCarriers = 30;

    /// <summary>Least ratio of the sum to the standard deviation of its noise.</summary>
    const double LeastSignalToNoise = 10;

    /// <summary>Largest mean of the kernel: beyond it all pairs look alike.</summary>
    const double LargestMean = 0.9;

    const int MostPairs = 4_000, GridSteps = 97;

    /// <param name="function">A kernel with a bandwidth, by name.</param>
    /// <param name="exponent">Its exponent; 0 = default.</param>
    /// <param name="domain">Public bounds; the box stands in for a sample where none is given.</param>
    /// <param name="records">Public bound on the number of records.</param>
    /// <param name="noiseStd">Standard deviation of the noise in an answer.</param>
    /// <param name="sample">Public points that resemble the data, at least two; or null.</param>
    /// <exception cref="InvalidFieldException">Not a kernel with a bandwidth, or neither sample nor box.</exception>
    public static BandwidthAdvice Advise(
        string function, double exponent, Domain domain, long records, double noiseStd, Points? sample)
    {
        if (Catalog.Functions.FirstOrDefault(e => e.Name == function) is not { IsKernel: true, UsesBandwidth: true })
            throw new InvalidFieldException("function", function, "must be a kernel with a bandwidth");
        PairFunction unit = Catalog.Create(function, 1, exponent);
        bool sampled = sample is { Count: > 1 };
        double[] pairs = sampled ? SamplePairs(unit.Geometry, sample!.Value) : BoxPairs(unit.Geometry, domain);
        double typical = Scale(unit.Geometry, pairs.Order().ElementAt(pairs.Length / 2));
        if (!(typical > 0)) throw new InvalidFieldException("sample", "all equal", "its points must differ");
        double low = double.NaN, high = double.NaN;
        for (int i = 0; i < GridSteps; i++)
        {
            // From a thousandth to a thousand times the typical distance.
            double h = typical * Math.Pow(10, -3 + 6.0 * i / (GridSteps - 1));
            BandwidthReading reading = Read(function, exponent, h, pairs, records, noiseStd);
            if (reading.Carriers < LeastCarriers || reading.SignalToNoise < LeastSignalToNoise || reading.Mean > LargestMean) continue;
            if (double.IsNaN(low)) low = h;
            high = h;
        }
        return new(function, exponent, pairs, sampled, records, noiseStd, low, high);
    }

    internal static BandwidthReading Read(
        string function, double exponent, double h, double[] pairs, long records, double noiseStd)
    {
        PairFunction f = Catalog.Create(function, h, exponent);
        double first = 0, second = 0;
        foreach (double s in pairs)
        {
            double k = f.Profile(s);
            first += k / pairs.Length;
            second += k * k / pairs.Length;
        }
        return new(h, first, second == 0 ? 0 : records * first * first / second, records * first / noiseStd);
    }

    static double Scale(PairGeometry geometry, double s) => geometry == PairGeometry.SquaredL2 ? Math.Sqrt(s) : s;

    static double[] SamplePairs(PairGeometry geometry, Points sample)
    {
        PairFunction distance = geometry == PairGeometry.L1 ? new L1() : new L2Squared();
        var random = new PublicRandom(1);
        var pairs = new double[MostPairs];
        for (int i = 0; i < pairs.Length; i++)
        {
            int a = random.NextBelow(sample.Count), b = (a + 1 + random.NextBelow(sample.Count - 1)) % sample.Count;
            pairs[i] = distance.Evaluate(sample.Row(a), sample.Row(b));
        }
        return pairs;
    }

    /// <summary>Pairs of points uniform in the declared box: a guess of last resort, and said to be one.</summary>
    static double[] BoxPairs(PairGeometry geometry, Domain domain)
    {
        if (domain.Lower is not { } lower)
            throw new InvalidFieldException("sample", null, "a public sample is needed where the domain declares no box");
        double range = domain.Upper!.Value - (double)lower;
        var random = new PublicRandom(1);
        var pairs = new double[2000];
        for (int i = 0; i < pairs.Length; i++)
            for (int k = 0; k < domain.Dimension; k++)
            {
                double z = range * (random.NextUnit() - random.NextUnit());
                pairs[i] += geometry == PairGeometry.L1 ? Math.Abs(z) : z * z;
            }
        return pairs;
    }
}

/// <summary>What a bandwidth means for typical pairs.</summary>
/// <param name="Bandwidth">h.</param>
/// <param name="Mean">E k over typical pairs.</param>
/// <param name="Carriers">About how many records carry a sum: n (E k)^2 / E k^2.</param>
/// <param name="SignalToNoise">n E k over the standard deviation of the noise.</param>
public readonly record struct BandwidthReading(double Bandwidth, double Mean, double Carriers, double SignalToNoise);

/// <summary>A suggested range of bandwidths, and what to say about any other.</summary>
public sealed class BandwidthAdvice
{
    readonly string _function;
    readonly double _exponent, _noiseStd;
    readonly double[] _pairs;
    readonly long _records;

    internal BandwidthAdvice(
        string function, double exponent, double[] pairs, bool isSampled, long records, double noiseStd, double low, double high)
    {
        IsSampled = isSampled;
        (_function, _exponent, _pairs, _records, _noiseStd) = (function, exponent, pairs, records, noiseStd);
        (Low, High) = (low, high);
    }

    /// <summary>False: rows that fill the declared box evenly stood in for a public sample.</summary>
    public bool IsSampled { get; }

    /// <summary>Smallest bandwidth suggested; NaN if none is usable at this noise.</summary>
    public double Low { get; }

    /// <summary>Largest bandwidth suggested; NaN if none is usable at this noise.</summary>
    public double High { get; }

    /// <summary>What one bandwidth means.</summary>
    public BandwidthReading Read(double bandwidth) =>
        BandwidthAdvisor.Read(_function, _exponent, bandwidth, _pairs, _records, _noiseStd);

    /// <summary>A warning about a bandwidth outside the range, or null.</summary>
    public string? Warn(double bandwidth)
    {
        string source = IsSampled ? "the public points" : "rows that fill the box evenly";
        if (double.IsNaN(Low))
            return $"By {source} no bandwidth gives sums well above the noise: more records or more budget are needed.";
        if (bandwidth >= Low && bandwidth <= High) return null;
        BandwidthReading r = Read(bandwidth);
        return bandwidth < Low
            ? string.Create(CultureInfo.InvariantCulture,
                $"By {source}, at bandwidth {bandwidth:G3} a sum is carried by about {r.Carriers:#,0.#} records and is {r.SignalToNoise:G2} ")
                + string.Create(CultureInfo.InvariantCulture, $"times its noise: noise will dominate. Suggested: {Low:G3} to {High:G3}.")
            : string.Create(CultureInfo.InvariantCulture,
                $"By {source}, at bandwidth {bandwidth:G3} the kernel averages {r.Mean:G2}: all points look alike. ")
                + string.Create(CultureInfo.InvariantCulture, $"Suggested: {Low:G3} to {High:G3}.");
    }
}
