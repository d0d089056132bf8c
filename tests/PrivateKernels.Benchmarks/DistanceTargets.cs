namespace PrivateKernels.Benchmarks;

/// <summary>Targets of distances and inner products.</summary>
static class DistanceTargets
{
    static readonly ReleaseRequest L1Request = new() { Function = "l1" };

    public static IEnumerable<TargetLine> OfImages(EvaluationSet set)
    {
        foreach (TargetLine line in SingleQueryBounds(set, Text($"d = 784"))) yield return line;

        double r = set.Domain.MaxNorm!.Value;
        double[] own = [.. Norms(set.Queries, 2).Select(y => (r + y) * (r + y))];
        (double total, double noise, double approximation) = Error(set, new() { Function = "l2_squared" });
        yield return TargetLine.Most(
            $"l2_squared: total over each query's own noise, which needs weights made for its norm", 1.1,
            total / (AccuracyTargets.Sigma * Statistics.Rms(own)));

        (_, noise, approximation) = Error(set, new() { Function = "l2" });
        // The most that one record changes the answer at y: r + |y|.
        double bound = AccuracyTargets.Sigma * Statistics.Rms(Norms(set.Queries, 2).Select(y => r + y).ToArray());
        yield return TargetLine.Most($"l2: noise over one query's", 2.2, noise / bound);
        yield return TargetLine.Most($"l2: approximation over the sum, %", 0.15, 100 * approximation / set.Exact(new L2()).Average());
        foreach (double p in (double[])[0.5, 1.5])
        {
            (_, noise, approximation) = Error(set, new() { Function = "lp_p", Exponent = p });
            yield return TargetLine.Most($"lp_p, p = {p}: noise over one query's", 1.35, noise / (AccuracyTargets.Sigma * set.Domain.Dimension));
            yield return TargetLine.Most($"lp_p, p = {p}: bias over noise", 1.0 / 3, approximation / noise);
        }
    }

    public static IEnumerable<TargetLine> OfManyRecords(SimdEngine engine)
    {
        const int d = 16;
        foreach (int n in (int[])[10_000, 100_000, 1_000_000])
        {
            EvaluationSet set = Uniform(d, n, queries: 50, engine);
            foreach (TargetLine line in SingleQueryBounds(set, Text($"{n} uniform records, d = {d}"))) yield return line;
        }
    }

    public static IEnumerable<TargetLine> OfTrees(SimdEngine engine)
    {
        EvaluationSet set = Uniform(1, 1000, queries: 200, engine);
        double tree = set.Error(set.Plan(L1Request with { Features = 1024 }, 1, 0)!.Measurement).Total;
        yield return TargetLine.Most($"l1, pure epsilon 1, d = 1, 1000 records, 1024 cells: total error in R / epsilon", 3.5, tree);
        double paper = set.Error(set.Plan(L1Request with { Method = SketchMethod.Paper }, 1, 0)!.Measurement).Total;
        yield return TargetLine.Least($"the same: the paper's tree over ours", 10, paper / tree);
    }

    /// <summary>l1 against sigma d R, l2_squared against sigma 4 r^2 (at the worst query), inner_product against sigma r |y|.</summary>
    static IEnumerable<TargetLine> SingleQueryBounds(EvaluationSet set, string what)
    {
        double sigma = AccuracyTargets.Sigma, r = set.Domain.MaxNorm!.Value;
        double l1 = Error(set, L1Request).Total, squared = Error(set, new() { Function = "l2_squared" }).Total;
        double product = Error(set, new() { Function = "inner_product" }).Total;
        yield return TargetLine.Most($"l1, {what}: total over one query's noise", 1.1, l1 / (sigma * set.Domain.Dimension));
        yield return TargetLine.Most($"l2_squared, {what}: total over the worst query's noise", 1.1, squared / (sigma * 4 * r * r));
        yield return TargetLine.Most(
            $"inner_product, {what}: total over one query's noise", 1.1, product / (sigma * r * Statistics.Rms(Norms(set.Queries, 2))));
    }

    static (double Total, double Noise, double Approximation) Error(EvaluationSet set, ReleaseRequest request) =>
        set.Error(set.Plan(request, 1, AccuracyTargets.Delta)!.Measurement);

    static double[] Norms(Points points, double p)
    {
        var norms = new double[points.Count];
        for (int i = 0; i < norms.Length; i++)
        {
            double sum = 0;
            foreach (float x in points.Row(i)) sum += Math.Pow(Math.Abs(x), p);
            norms[i] = Math.Pow(sum, 1 / p);
        }
        return norms;
    }

    static EvaluationSet Uniform(int d, int n, int queries, SimdEngine engine)
    {
        var random = new PublicRandom((ulong)n);
        return new("uniform", Draw(n), Draw(queries), new Domain(d, 0, 1, Math.Sqrt(d)), engine);

        Points Draw(int count)
        {
            var values = new float[count * d];
            foreach (ref float value in values.AsSpan()) value = (float)random.NextUnit();
            Canonical.Flush(values);
            return new(values, d);
        }
    }

    static string Text(FormattableString text) => AccuracyBenchmark.Text(text);
}

/// <summary>The gaussian kernel in up to three dimensions.</summary>
static class LowDimensionTargets
{
    public static IEnumerable<TargetLine> OfGrids(Points rows, Points publicImages, SimdEngine engine)
    {
        foreach ((int d, double h) in ((int, double)[])[(1, 0.05), (2, 0.1), (3, 0.2)])
        {
            EvaluationSet set = ImageFolder.Projected(rows, publicImages, d, engine);
            ReleasePlan plan = set.Plan(new() { Function = "gaussian", Bandwidth = h }, 1, AccuracyTargets.Delta)!;
            yield return TargetLine.Most(
                $"gaussian, d = {d}, h = {h}, {plan.Measurement.Sketch.Method} of {plan.Measurement.Sketch.Features} pairs: total over sigma",
                1.02, set.Error(plan.Measurement).Total / AccuracyTargets.Sigma);
            var function = new Gaussian(h);
            ReleasePlan pure = set.Plan(new() { Function = "gaussian", Bandwidth = h }, 1, 0)!;
            yield return TargetLine.Least(
                $"the same: LSQ-FGT over the pure plan, {pure.Measurement.Sketch.Method} of {pure.Measurement.Sketch.Features} intervals",
                1, LsqFastGauss.BestError(set, function, 1) / set.Error(pure.Measurement).Total);
        }
    }
}
