using System.Diagnostics;

namespace PrivateKernels.Benchmarks;

/// <summary>Targets of kernels by random features.</summary>
static class KernelTargets
{
    const int Features = 4096;

    const int Seeds = 3;

    /// <summary>Noise alone, drawn: against what the release states, and against sigma.</summary>
    public static IEnumerable<TargetLine> OfNoise(EvaluationSet set)
    {
        foreach ((int features, int draws) in ((int, int)[])[(4096, 20_000), (8192, 10_000), (16384, 10_000)])
        {
            Measurement measurement = Plan(set, new Gaussian(8), features, 1);
            Points query = set.Queries.Slice(0, 1);
            var cells = new long[measurement.CellCount];
            double sum = 0, stated = 0;
            for (int draw = 0; draw < draws; draw++)
            {
                Array.Clear(cells);
                measurement.Noise.AddTo(cells);
                Answers answers = new Release(measurement, null!, cells).Estimate(query, set.Engine);
                (sum, stated) = (sum + answers.Values[0] * answers.Values[0], answers.NoiseStd[0]);
            }
            double measured = Math.Sqrt(sum / draws);
            yield return TargetLine.Most(
                $"gaussian, {features} frequencies, {draws} draws: measured noise off the stated, %", 3, 100 * Math.Abs(measured / stated - 1));
            yield return TargetLine.Most(
                $"gaussian, {features} frequencies: measured noise off sigma, %", 3, 100 * Math.Abs(measured / AccuracyTargets.Sigma - 1));
        }
    }

    /// <summary>Noise-free error of 4,096 frequencies against as many plain iid ones.</summary>
    public static IEnumerable<TargetLine> OfApproximation(EvaluationSet set)
    {
        foreach ((PairFunction function, double asked) in ((PairFunction, double)[])
            [
                (new Gaussian(5), 1.1), (new Gaussian(8), 1.6), (new Exponential(10), 2), (new Matern32(10), 2), (new Matern52(10), 2),
                (new RationalQuadratic(10, 1), 2), (new InverseMultiquadric(10), 2), (new Cauchy(10), 2), (new InverseL2(10), 2),
            ])
        {
            double plain = Math.Sqrt(LsqRandomFeatures.Measure(set, function)!.PairVariance / Features);
            double ours = Structured(set, function);
            yield return TargetLine.Least(
                $"{Name(function)}, mean {set.Mean(function):0.000}, error / n {ours / set.Count:0.00000}: plain features' over ours",
                asked, plain / ours);
        }
    }

    /// <summary>Structured against dense rows: equal features, radii stratified in both.</summary>
    public static IEnumerable<TargetLine> OfStructure(EvaluationSet set)
    {
        foreach (PairFunction function in (PairFunction[])[new Gaussian(7), new Exponential(10), new Matern52(10)])
        {
            double squared = 0;
            FourierMap dense = null!;
            for (ulong seed = 1; seed <= Seeds; seed++)
            {
                var shape = new FourierShape(set.Rows.Dimension, Features, 4, 0);
                dense = Draw(function, shape, seed);
                squared += Math.Pow(Statistics.Rms(MapErrors(set, function, dense)), 2);
            }
            double structured = Structured(set, function);
            yield return TargetLine.Most(
                $"{Name(function)}, {Features} frequencies: structured error over dense", 1.05, structured / Math.Sqrt(squared / Seeds));
            var blocks = new FourierShape(set.Rows.Dimension, Features, 4, 1024);
            double slow = QuerySeconds(set, dense), fast = QuerySeconds(set, Draw(function, blocks, 1));
            yield return TargetLine.Least($"{Name(function)}: dense query time over structured", 5, slow / fast);
        }
    }

    /// <summary>Kernels of the paper against the better of LSQ-RFF and JL + LSQ, both at their best number of features.</summary>
    public static IEnumerable<TargetLine> OfBaselines(EvaluationSet set)
    {
        foreach (PairFunction function in (PairFunction[])
            [
                new Gaussian(5), new Gaussian(7), new Exponential(10), new Laplacian(100), new Cauchy(10), new InverseL2(10), new InverseL1(100),
            ])
        {
            LsqRandomFeatures lsq = LsqRandomFeatures.Measure(set, function)!;
            double best = function is ICauchySpectrum ? lsq.Lsq(1) : Math.Min(lsq.Lsq(1), lsq.ProjectedLsq(1));
            ReleaseRequest request = ImageFolder.Request(function);
            ReleasePlan plan = set.Plan(request, 1, AccuracyTargets.Delta)!;
            yield return TargetLine.Least(
                $"{Name(function)}, mean {set.Mean(function):0.000}: LSQ ({best / set.Count:0.0000} n) over our {plan.Request.Features} frequencies",
                3, best / set.Error(plan.Measurement).Total);
            plan = set.Plan(request, 1, AccuracyTargets.Delta, new(TargetStd: 1e-9))!;
            yield return TargetLine.Least(
                $"{Name(function)}: the same over the best plan, {plan.Request.Features} frequencies", 3, best / set.Error(plan.Measurement).Total);
            plan = set.Plan(request, 1, 0)!;
            yield return TargetLine.Least(
                $"{Name(function)}: the same over the pure plan, {plan.Request.Features} frequencies", 1, best / set.Error(plan.Measurement).Total);
        }
    }

    public static string Name(PairFunction function) => function.Bandwidth == 0
        ? function.Entry.Name : AccuracyBenchmark.Text($"{function.Entry.Name}, h = {function.Bandwidth}");

    public static Measurement Plan(EvaluationSet set, PairFunction function, int features, ulong seed) => set.Plan(
        ImageFolder.Request(function) with { Method = SketchMethod.Fourier, Features = features, Seed = seed },
        1, AccuracyTargets.Delta)!.Measurement;

    /// <summary>[query] errors of plain sums over a map's frequencies, without noise.</summary>
    public static double[] MapErrors(EvaluationSet set, PairFunction function, FourierMap map)
    {
        var cells = new long[2 * map.Frequencies];
        set.Engine.AddFourier(map, set.Rows, cells);
        double unit = 1 / (map.Frequencies * FourierSketch.PairScale * FourierSketch.PairScale);
        var sums = new double[set.Queries.Count * map.Groups];
        set.Engine.ProjectFourier(map, set.Queries, [.. cells.Select(cell => cell * unit)], 1, sums);
        return [.. sums.Chunk(map.Groups).Zip(set.Exact(function), static (parts, exact) => parts.Sum() - exact)];
    }

    static double Structured(EvaluationSet set, PairFunction function) => Math.Sqrt(Enumerable.Range(1, Seeds)
        .Average(seed => Math.Pow(set.Error(Plan(set, function, Features, (ulong)seed)).Approximation, 2)));

    /// <summary>The least of seven: others share the machine.</summary>
    static double QuerySeconds(EvaluationSet set, FourierMap map)
    {
        double least = double.PositiveInfinity;
        var sums = new double[set.Queries.Count * map.Groups];
        var weights = new double[2 * map.Frequencies];
        for (int round = 0; round < 7; round++)
        {
            long began = Stopwatch.GetTimestamp();
            set.Engine.ProjectFourier(map, set.Queries, weights, 1, sums);
            least = Math.Min(least, Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        return least;
    }

    /// <summary>A map as the product draws it, of any shape.</summary>
    public static FourierMap Draw(PairFunction function, FourierShape shape, ulong seed) =>
        Frequencies.Draw(function, shape, seed, Frequencies.DrawRadii(function, shape, seed));
}
