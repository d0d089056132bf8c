namespace PrivateKernels.Tests;

/// <summary>A small sketch for every function of the catalog, and exact (noise-free) releases of it.</summary>
static class SketchCases
{
    public static TheoryData<string, int> All
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string name in CaseNames)
                foreach (int d in (int[])[1, 3, 16, 129])
                    data.Add(name, d);
            return data;
        }
    }

    public static TheoryData<string> Names => [.. CaseNames];

    /// <summary>
    /// Cases as <see cref="SamplePoints.Function"/> reads them: every function with the planner's choice, and those that
    /// landmarks serve once more with landmarks.
    /// </summary>
    static IEnumerable<string> CaseNames => SamplePoints.Functions.Except(["lp_p@0.25", "lp_p@1.25", "lp_p@2"]).Concat(
        Catalog.Functions.Where(static e => e.Methods.Contains(SketchMethod.Landmark)).Select(static e => e.Name + ByLandmarks))
        .Concat(SamplePoints.Functions.Except(["lp_p@0.25", "lp_p@0.75", "lp_p@1", "lp_p@1.25", "lp_p@1.75"]).SelectMany(
            static f => SamplePoints.Function(f, 1).Methods.Where(IsPaper).Select(m => $"{f}/{m}")));

    static bool IsPaper(SketchMethod method) => method is SketchMethod.Paper or SketchMethod.PaperPlus;

    const string ByLandmarks = " by landmarks";

    /// <summary>Public points, other than those whose sums are released.</summary>
    public static Points PublicPoints(int d, int count = 60) => new(
        Enumerable.Range(1000, count).SelectMany(i => SamplePoints.Point(i, d)).Select(static x => (float)x).ToArray(), d);

    public static Domain Domain(int d) => new(d, -0.5, 0.5, 0.5 * Math.Sqrt(d) + 1e-3);

    public static DatasetFacts Facts(
        int d, Adjacency adjacency = Adjacency.AddOrRemoveOne, CostUnit unit = CostUnit.MuSquared, params string[] classes) =>
        new(Domain(d), adjacency, MaxRecordsPerUnit: 1, MaxRecords: 10_000, classes, unit);

    public static ReleaseRequest Request(string name, int d, CostUnit unit = CostUnit.MuSquared)
    {
        bool byLandmarks = name.EndsWith(ByLandmarks, StringComparison.Ordinal);
        if (byLandmarks) name = name[..^ByLandmarks.Length];
        PairFunction f = SamplePoints.Function(name, d);
        SketchMethod? method = name.Contains('/', StringComparison.Ordinal) ? Enum.Parse<SketchMethod>(name.Split('/')[1]) : null;
        bool pure = unit == CostUnit.Epsilon || (method is { } named && IsPaper(named));
        return new()
        {
            Function = f.Entry.Name,
            Landmarks = byLandmarks ? PublicPoints(d) : null,
            Bandwidth = f.Bandwidth,
            Exponent = f.Entry.UsesExponent ? f.Exponent : 0,
            Method = method,
            Mechanism = pure ? MechanismKind.DiscreteLaplace : null,
            // 512 cells for each direction: fewer keep the tests quick.
            Features = name is "l2" or "l2/Paper" ? 256 : 0,
            Seed = 7,
            Loss = new PrivacyLoss(1, pure ? 0 : 1e-6),
        };
    }

    /// <summary>Neighbouring relations that a case serves: the paper's structures are for one.</summary>
    public static IEnumerable<Adjacency> Adjacencies(string name) =>
        Request(name, 1).Method is { } method && IsPaper(method) ? [Adjacency.AddOrRemoveOne] : Enum.GetValues<Adjacency>();

    public static Measurement Measurement(string name, int d, Adjacency adjacency = Adjacency.AddOrRemoveOne, CostUnit unit = CostUnit.MuSquared) =>
        Planner.Plan(Request(name, d, unit), Facts(d, adjacency, unit), new()).Measurement;

    /// <summary>The release of these points with the noise left out: shows what the sketch alone answers.</summary>
    public static Release WithoutNoise(Measurement measurement, float[] points, uint[]? labels, IEngine engine)
    {
        var cells = new long[measurement.CellCount];
        var aggregation = new Aggregation(measurement, engine, cells);
        aggregation.Add(new Records((float[])points.Clone(), labels ?? []));
        measurement.Complete(cells);
        return new(measurement, Provenance, cells);
    }

    /// <summary>What one record adds to the cells.</summary>
    public static long[] Contribution(Measurement measurement, float[] point, IEngine engine) =>
        WithoutNoise(measurement, point, measurement.Classes.Count > 0 ? [0] : null, engine).Cells;

    public static Provenance Provenance { get; } = new(
        new byte[16], new byte[32], new LedgerPosition(new byte[16], 1, 2, new byte[32]), new PrivacyCost(CostUnit.MuSquared, 1));

    public static Receipt Receipt(Measurement measurement, CostUnit unit = CostUnit.MuSquared) => new(
        new byte[16], new byte[32], 1, new LedgerPosition(new byte[16], 1, 2, new byte[32]), measurement.Cost(unit), measurement.Fingerprint);
}
