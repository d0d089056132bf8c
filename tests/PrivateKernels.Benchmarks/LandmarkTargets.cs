namespace PrivateKernels.Benchmarks;

/// <summary>Landmarks from public images of the same kind, against random features of as many cells.</summary>
static class LandmarkTargets
{
    const int Landmarks = 2048, Queries = 200, Seeds = 3;

    public static IEnumerable<TargetLine> Of(EvaluationSet set, Points publicImages)
    {
        int landmarks = Math.Min(Landmarks, publicImages.Count / 2);
        Points points = publicImages.Slice(0, landmarks);
        Points others = publicImages.Slice(landmarks, Math.Min(Queries, publicImages.Count - landmarks));
        var elsewhere = new EvaluationSet("other public images", set.Rows, others, set.Domain, set.Engine);
        var themselves = new EvaluationSet("landmarks", set.Rows, points.Slice(0, Queries), set.Domain, set.Engine);
        foreach (PairFunction function in (PairFunction[])[new Gaussian(5), new Gaussian(8), new Exponential(10), new Matern52(10)])
        {
            ReleaseRequest request = ImageFolder.Request(function) with { Landmarks = points, Features = landmarks };
            Measurement measurement = elsewhere.Plan(request, 1, AccuracyTargets.Delta)!.Measurement;
            // The cells are the same for both sets of queries.
            var cells = new long[measurement.CellCount];
            measurement.Sum([new Records(set.Rows.Values.ToArray(), default)], set.Engine, cells);
            (double approximation, _) = Errors(elsewhere, cells, measurement);
            double fourier = Math.Sqrt(Enumerable.Range(1, Seeds).Average(
                seed => Math.Pow(Fourier(elsewhere, function, landmarks / 2, (ulong)seed), 2)));
            yield return TargetLine.Least(
                $"{KernelTargets.Name(function)}, {landmarks} landmarks ({approximation / set.Count:0.00000} n): features' error over theirs",
                5, fourier / approximation);
            (_, double total) = Errors(themselves, cells, measurement);
            yield return TargetLine.Most(
                $"{KernelTargets.Name(function)}: total error at the landmarks over sigma", 1.1, total / AccuracyTargets.Sigma);
        }
    }

    /// <summary>Errors before noise, and with it.</summary>
    static (double Approximation, double Total) Errors(EvaluationSet set, long[] cells, Measurement measurement)
    {
        Answers answers = new Release(measurement, null!, cells).Estimate(set.Queries, set.Engine);
        double[] errors = [.. answers.Values.Zip(set.Exact(measurement.Sketch.Function), static (a, b) => a - b)];
        return (Statistics.Rms(errors), double.Hypot(Statistics.Rms(errors), Statistics.Rms(answers.NoiseStd)));
    }

    /// <summary>One block of structured stratified frequencies, two cells each.</summary>
    static double Fourier(EvaluationSet set, PairFunction function, int frequencies, ulong seed)
    {
        var shape = new FourierShape(set.Rows.Dimension, frequencies, 1, 1024);
        return Statistics.Rms(KernelTargets.MapErrors(set, function, KernelTargets.Draw(function, shape, seed)));
    }
}
