namespace PrivateKernels.Tests;

/// <summary>A small sketch for every function of the catalog, and exact (noise-free) releases of it.</summary>
static class SketchCases
{
    public static TheoryData<string, int> All
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (PairFunctionEntry entry in Catalog.Functions)
                foreach (int d in (int[])[1, 3, 16, 129])
                    data.Add(entry.Name, d);
            return data;
        }
    }

    public static TheoryData<string> Names => [.. Catalog.Functions.Select(static e => e.Name)];

    public static Domain Domain(int d) => new(d, -0.5, 0.5, 0.5 * Math.Sqrt(d) + 1e-3);

    public static DatasetFacts Facts(int d, Adjacency adjacency = Adjacency.AddOrRemoveOne, CostUnit unit = CostUnit.MuSquared, params string[] classes) =>
        new(Domain(d), adjacency, MaxRecordsPerUnit: 1, MaxRecords: 10_000, classes, unit);

    public static ReleaseRequest Request(string name, int d, CostUnit unit = CostUnit.MuSquared)
    {
        PairFunction f = SamplePoints.Function(name, d);
        return new()
        {
            Function = name,
            Bandwidth = f.Bandwidth,
            Seed = 7,
            Loss = new PrivacyLoss(1, unit == CostUnit.Epsilon ? 0 : 1e-6),
        };
    }

    public static Measurement Measurement(string name, int d, Adjacency adjacency = Adjacency.AddOrRemoveOne, CostUnit unit = CostUnit.MuSquared) =>
        Planner.Plan(Request(name, d, unit), Facts(d, adjacency, unit), new()).Measurement;

    /// <summary>The release of these points with the noise left out: shows what the sketch alone answers.</summary>
    public static Release WithoutNoise(Measurement measurement, float[] points, uint[]? labels, IEngine engine)
    {
        var cells = new long[measurement.CellCount];
        new Aggregation(measurement, engine, cells).Add(new Records((float[])points.Clone(), labels ?? []));
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
