using System.Globalization;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// Private rows, queries and public bounds, and how far from the exact sums a measurement's answers are. Errors are exact
/// expectations over the noise: the answer without noise is computed once, and the variance that the release states is added.
/// (Tests hold stated noise to measured noise; so does the first target.)
/// </summary>
sealed class EvaluationSet(string name, Points rows, Points queries, Domain domain, SimdEngine engine)
{
    readonly Dictionary<string, double[]> _exact = [];
    readonly Dictionary<string, NoiseFreeAnswers> _answers = [];

    public string Name { get; } = name;

    public Points Rows { get; } = rows;

    public Points Queries { get; } = queries;

    public Domain Domain { get; } = domain;

    public SimdEngine Engine { get; } = engine;

    public int Count => Rows.Count;

    public DatasetFacts Facts(bool pure) => new(
        Domain, Adjacency.AddOrRemoveOne, 1, Count, [], pure ? CostUnit.Epsilon : CostUnit.MuSquared);

    /// <summary>[query] exact sums.</summary>
    public double[] Exact(PairFunction function)
    {
        string key = string.Create(CultureInfo.InvariantCulture, $"{function.Entry.Name} {function.Bandwidth} {function.Exponent}");
        if (_exact.TryGetValue(key, out double[]? sums)) return sums;
        sums = new double[Queries.Count];
        Engine.AddExactSums(function, Rows, Queries, sums);
        return _exact[key] = sums;
    }

    public double Mean(PairFunction function) => Exact(function).Average() / Count;

    /// <summary>The plan of a request at this price; null if it is refused.</summary>
    public ReleasePlan? Plan(ReleaseRequest request, double epsilon, double delta, PlannerGoal? goal = null)
    {
        try
        {
            return Planner.Plan(request with { Loss = new(epsilon, delta), Seed = request.Seed ?? 1 }, Facts(delta == 0), new(), goal);
        }
        catch (Exception e) when (e is InvalidFieldException or LimitExceededException)
        {
            return null;
        }
    }

    /// <summary>Answers of the measurement's sketch before noise.</summary>
    public NoiseFreeAnswers Answers(Measurement measurement)
    {
        string key = Convert.ToHexString(SketchBytes(measurement));
        if (_answers.TryGetValue(key, out NoiseFreeAnswers? known)) return known;
        var cells = new long[measurement.CellCount];
        measurement.Sum([new Records(Rows.Values.ToArray(), default)], Engine, cells);
        Answers answers = new Release(measurement, null!, cells).Estimate(Queries, Engine);
        double std = Math.Sqrt(measurement.Noise.Variance);
        double[] errors = [.. answers.Values.Zip(Exact(measurement.Sketch.Function), static (a, b) => a - b)];
        return _answers[key] = new(errors, [.. answers.NoiseStd.Select(s => s / std)]);
    }

    /// <summary>Root mean square error over queries and noise, and its noise part; not divided by n.</summary>
    public (double Total, double Noise, double Approximation) Error(Measurement measurement)
    {
        NoiseFreeAnswers answers = Answers(measurement);
        double noise = Statistics.Rms(answers.NoisePerCell) * Math.Sqrt(measurement.Noise.Variance);
        double approximation = Statistics.Rms(answers.Errors);
        return (double.Hypot(noise, approximation), noise, approximation);
    }

    static ReadOnlySpan<byte> SketchBytes(Measurement measurement)
    {
        ISketch sketch = measurement.Sketch;
        var writer = new RecipeWriter();
        writer.WriteText(sketch.Function.Entry.Name);
        writer.WriteDouble(sketch.Function.Bandwidth);
        writer.WriteDouble(sketch.Function.Exponent);
        writer.WriteInt32((int)sketch.Method);
        sketch.Write(writer);
        return System.Security.Cryptography.SHA256.HashData(writer.Written);
    }
}

/// <summary>What a sketch answers before noise.</summary>
/// <param name="Errors">[query] answer minus exact sum.</param>
/// <param name="NoisePerCell">[query] noise of the answer over noise of a cell.</param>
sealed record NoiseFreeAnswers(double[] Errors, double[] NoisePerCell);

static class Statistics
{
    public static double Rms(IReadOnlyCollection<double> values) => Math.Sqrt(values.Average(static v => v * v));
}
