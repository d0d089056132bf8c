using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// What release batteries run on: every structure, with the account, the neighbours and the weights that it may have.
/// </summary>
sealed class ReleaseCase
{
    const float MaxAbsValue = 2.5f;

    readonly string _name;
    readonly bool _weighted;
    readonly Adjacency? _adjacency;

    /// <summary>
    /// The planner's choice for every function in 16 dimensions, and then what it does not show: a case of
    /// <see cref="SketchCases"/>, its dimension, and the account, the neighbours or the weights.
    /// </summary>
    public static TheoryData<string> All =>
    [
        .. SketchCases.Names.Select(static row => row.Data),
        "gaussian, 2", "gaussian, 2, pure", "gaussian/HermiteGrid, 2", "gaussian/HermiteGrid, 2, pure", "gaussian, 16, pure",
        "arc_cosine_1, 16, pure", "inner_product, 16, pure", "l2_squared, 16, pure", "l1, 3, pure", "l2, 3, pure", "lp_p@0.5, 3, pure",
        "lp_p@1.5, 3, pure", "lp_p@4, 3, pure", "gaussian, 16, weighted", "gaussian, 2, weighted", "gaussian, 2, pure, weighted",
        "l1, 16, weighted", "l2, 16, weighted", "l2_squared, 16, weighted", "inner_product, 16, weighted", "lp_p@0.5, 16, weighted",
        "gaussian, 16, replace", "l1, 16, replace", "l2, 3, pure, replace", "gaussian, 16, weighted, replace",
        "l2, 16, pure", "l1, 3, pure, weighted", "l2, 3, pure, weighted", "ntk_relu_1, 3, weighted",
    ];

    public ReleaseCase(string text)
    {
        string[] parts = text.Split(", ");
        _name = parts[0];
        Dimension = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 16;
        Unit = parts.Contains("pure") ? CostUnit.Epsilon : CostUnit.MuSquared;
        _weighted = parts.Contains("weighted");
        _adjacency = parts.Contains("replace") ? Adjacency.ReplaceOne : parts.Length > 1 ? Adjacency.AddOrRemoveOne : null;
    }

    public int Dimension { get; }

    public CostUnit Unit { get; }

    public IEnumerable<Adjacency> Adjacencies => _adjacency is { } one ? [one] : SketchCases.Adjacencies(_name);

    static float Value(int row) => MaxAbsValue * ((row * 31 + 7) % 17 / 8f - 1);

    public Records Rows(float[] points) => new(
        (float[])points.Clone(), default,
        _weighted ? Enumerable.Range(0, SamplePoints.Count).Select(Value).ToArray() : default(ReadOnlyMemory<float>));

    public double Sum(PairFunction function, float[] points, ReadOnlySpan<float> query)
    {
        if (!_weighted) return SamplePoints.Sum(function, points, query);
        double sum = 0;
        for (int i = 0; i < SamplePoints.Count; i++)
            sum += Value(i) * SamplePoints.Sum(function, points.AsSpan(i * Dimension, Dimension), query);
        return sum;
    }

    public Measurement Small(ulong seed, Adjacency? adjacency = null, int features = 256)
    {
        ReleaseRequest request = SketchCases.Request(_name, Dimension, Unit) with { Seed = seed, Weighted = _weighted };
        Adjacency neighbours = adjacency ?? _adjacency ?? Adjacency.AddOrRemoveOne;
        DatasetFacts facts = SketchCases.Facts(Dimension, neighbours, Unit) with { MaxAbsValue = MaxAbsValue };
        Measurement planned = Planner.Plan(request, facts, new()).Measurement;
        // Grids and trees per coordinate have the sizes that they need.
        bool isSized = _adjacency is not null && planned.Sketch is { Function: not L2 }
            && planned.Sketch.Method is not (SketchMethod.Fourier or SketchMethod.Spherical);
        return planned.Sketch.Features <= features || request.Landmarks is not null || isSized
            ? planned
            : Planner.Plan(request with { Features = features }, facts, new()).Measurement;
    }
}
