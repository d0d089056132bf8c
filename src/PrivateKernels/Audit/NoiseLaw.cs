namespace PrivateKernels;

/// <summary>A law on the integers by its distribution function, with tests of samples against it.</summary>
sealed record NoiseLaw(Func<double, double> UpperTail, double Scale)
{
    /// <summary>A law is accepted below the first and refused above the second; no test may end in between.</summary>
    public const double Accepted = 4, Refused = 6;

    /// <summary>P(X at least k) for k at least 1, as P(|X| at least k) / 2.</summary>
    public static NoiseLaw Normal(double scale) => new(k => GaussianDp.Tail((k - 0.5) / scale), scale);

    /// <summary>q^k / (1 + q).</summary>
    public static NoiseLaw Laplace(double scale) => new(k => Math.Exp(-k / scale) / (1 + Math.Exp(-1 / scale)), scale);

    /// <summary>
    /// How many standard deviations the samples' chi-squared statistic lies above its mean (Wilson and Hilferty), over
    /// cells of about equal probability in the middle and finer ones far out, on both sides.
    /// </summary>
    public double Excess(ReadOnlySpan<long> samples)
    {
        (List<long> edges, List<double> probabilities) = Cells(samples.Length);
        var counts = new long[probabilities.Count];
        foreach (long sample in samples)
        {
            int cell = edges.BinarySearch(sample);
            counts[cell >= 0 ? cell + 1 : ~cell]++;
        }
        double chi = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            double expected = probabilities[i] * samples.Length;
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
        double freedom = 2.0 / 9 / (counts.Length - 1);
        return (Math.Cbrt(chi / (counts.Length - 1)) - (1 - freedom)) / Math.Sqrt(freedom);
    }

    /// <summary>
    /// Uniformity of the two lowest bits of the samples beyond two scales: a coarse real shows there.
    /// </summary>
    public static double LowBitExcess(ReadOnlySpan<long> samples, double scale)
    {
        var counts = new long[4];
        foreach (long sample in samples)
            if (Math.Abs((double)sample) > 2 * scale) counts[sample & 3]++;
        double expected = counts.Sum() / 4.0, chi = counts.Sum(c => (c - expected) * (c - expected) / expected);
        return (Math.Cbrt(chi / 3) - (1 - (2.0 / 27))) / Math.Sqrt(2.0 / 27);
    }

    /// <summary>Cell i holds the integers from edge i - 1 up to, and without, edge i.</summary>
    (List<long> Edges, List<double> Probabilities) Cells(int samples)
    {
        var positive = new List<long>();
        foreach (double z in Enumerable.Range(0, 80).Select(i => i * 0.3))
        {
            long edge = (long)Math.Max(1, Math.Round(z * Scale));
            double tail = UpperTail(edge);
            double cell = positive.Count == 0 ? 1 - (2 * tail) : UpperTail(positive[^1]) - tail;
            if (cell * samples < 25) continue;
            if (tail * samples < 25) break;
            positive.Add(edge);
        }
        // X at most -k where X at least k on the other side: the edge there is 1 - k.
        List<long> edges = [.. positive.AsEnumerable().Reverse().Select(edge => 1 - edge), .. positive];
        double[] upper = [.. positive.Select(edge => UpperTail(edge))];
        var probabilities = new List<double> { upper[^1] };
        for (int i = upper.Length - 1; i > 0; i--) probabilities.Add(upper[i - 1] - upper[i]);
        probabilities.Add(1 - (2 * upper[0]));
        for (int i = 1; i < upper.Length; i++) probabilities.Add(upper[i - 1] - upper[i]);
        probabilities.Add(upper[^1]);
        return (edges, probabilities);
    }
}
