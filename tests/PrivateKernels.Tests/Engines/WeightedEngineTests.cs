namespace PrivateKernels.Tests;

/// <summary>Weighted contributions: every engine and width has the plain recipe's integers.</summary>
public sealed class WeightedEngineTests
{
    const int Dimension = 21;

    static readonly ReferenceEngine Reference = new();

    static readonly FourierMap Dense = EngineCases.Dense(Dimension, 100);

    static readonly FourierMap Structured = EngineCases.Structured(Dimension, 32, 96);

    static readonly SlicedMap Sliced = new(EngineCases.Dense(Dimension, 100, turns: 500_000, groups: 4), 40_000, 20, 3_000_000);

    static readonly LandmarkMap Landmarks = new(
        Catalog.Create("gaussian", 3, 0), Dimension, EngineCases.Normal(13, Dimension, seed: 9).Values.ToArray(),
        [.. Enumerable.Range(0, 13 * 14 / 2).Select(static i => i % 7 / 4f - 0.5f)]);

    static readonly Dictionary<string, Action<IEngine, Points, long[]>> Sums = new()
    {
        ["dense"] = static (e, p, c) => e.AddFourier(Dense, p, c.AsSpan(0, 2 * Dense.Frequencies)),
        ["structured"] = static (e, p, c) => e.AddFourier(Structured, p, c.AsSpan(0, 2 * Structured.Frequencies)),
        ["signs"] = static (e, p, c) =>
            e.AddSigns(new(Dimension, -1f, 1f, 64, 999_999), p, c.AsSpan(0, Dimension * 64), c.AsSpan(Dimension * 64, Dimension * 64)),
        ["moments"] = static (e, p, c) => e.AddMoments(
            new(Dimension, new float[Dimension], 1 << 19, 300000f, 250000f, 1L << 40), p, c.AsSpan(0, Dimension + 2)),
        ["powers"] = static (e, p, c) => e.AddPowers(
            new(Dimension, -1.5f, 0.75f, -0.375f, 0.9f, [1 << 20, 700_001, 99_999, 12_345]), p, c.AsSpan(0, Dimension * 4)),
        ["signs of the angle"] = static (e, p, c) => e.AddSpherical(
            new(AngularFeatures.Sign, Structured, null, 1 << 22, 0, 700_001f, 1L << 46), p, c.AsSpan(0, 1 + Structured.Frequencies)),
        ["angles"] = static (e, p, c) => e.AddSpherical(
            new(AngularFeatures.AbsoluteAndGated, Dense, Dense, 0, 300_000f, 20_000f, 1L << 39), p,
            c.AsSpan(0, Dimension + 2 * Dense.Frequencies)),
        ["directions"] = static (e, p, c) => e.AddSliced(
            Sliced, p, c.AsSpan(0, 100 * SlicedMap.CellsPerRow), c.AsSpan(100 * SlicedMap.CellsPerRow, 4)),
        ["landmarks"] = static (e, p, c) => e.AddLandmarks(Landmarks, p, c.AsSpan(0, Landmarks.Count)),
    };

    public static TheoryData<string> Names => [.. Sums.Keys];

    /// <summary>From all but nothing to all, both signs, ties of the grids of weights among them.</summary>
    static float[] WeightsOf(int count) => [.. Enumerable.Range(0, count).Select(static i => (i % 8) switch
    {
        0 => 1f,
        1 => -1f,
        2 => 0f,
        3 => MathF.BitDecrement(1f),
        4 => Canonical.Smallest,
        5 => 0.5f / 4096,
        _ => (i * 31 + 7) % 17 / 8f - 1 + 1e-3f * (i % 2 - 0.5f) * ((i * 31 + 7) % 17 % 16 == 0 ? 0 : 1),
    })];

    [Theory]
    [MemberData(nameof(Names))]
    public void Weighted_cells_equal_the_plain_recipe(string name)
    {
        foreach (Points plain in new[] { EngineCases.Normal(531, Dimension), EngineCases.Edges(Dimension) })
        {
            var points = new Points(plain.Values, Dimension, WeightsOf(plain.Count));
            long[] expected = Cells(Reference, name, points);
            Assert.NotEqual(Cells(Reference, name, plain), expected);
            foreach (SimdEngine engine in EngineCases.Engines) Assert.Equal(expected, Cells(engine, name, points));
        }
    }

    /// <summary>What the sensitivity of every weighted sum rests on.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void No_weight_takes_a_record_beyond_its_bounds(string name)
    {
        // Records that are clamped keep to the bound on their length, terms of signs to that on a cell.
        double? length = name switch { "moments" or "landmarks" => 1L << 40, "angles" => 1L << 39, _ => null };
        long most = name == "signs" ? 999_999 : 0;
        Points plain = EngineCases.Normal(24, Dimension);
        float[] weights = WeightsOf(plain.Count);
        for (int row = 0; row < plain.Count; row++)
        {
            Points one = plain.Slice(row, 1), weighted = new(one.Values, Dimension, weights.AsMemory(row, 1));
            long[] whole = Unpacked(Cells(EngineCases.Engines[0], name, one), name, weighted: false);
            long[] part = Unpacked(Cells(EngineCases.Engines[0], name, weighted), name, weighted: true);
            if (length is { } bound) Assert.True(part.Sum(static v => (double)v * v) <= bound);
            else Assert.True(part.Zip(whole).All(p => Math.Abs(p.First) <= Math.Max(Math.Abs(p.Second), p.Second == 0 ? 0 : most)));
        }
    }

    static long[] Cells(IEngine engine, string name, Points points)
    {
        var cells = new long[100 * SlicedMap.CellsPerRow + 4];
        Sums[name](engine, points, cells);
        return cells;
    }

    /// <summary>Histograms as records in units of the weight 1, and their terms.</summary>
    static long[] Unpacked(long[] cells, string name, bool weighted)
    {
        if (name == "signs" && !weighted)
            for (int i = 0; i < Dimension * 64; i++) cells[i] *= 999_999;
        if (name != "directions") return cells;
        long record = weighted ? SlicedMap.WeightedRecord : SlicedMap.Record;
        return [.. cells.SelectMany(v => (long[])[(v - (int)v) / record * (weighted ? 1 : SlicedMap.CellSize), (int)v])];
    }
}
