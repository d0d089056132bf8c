namespace PrivateKernels.Tests;

public sealed class FourierEngineTests
{
    static readonly ReferenceEngine Reference = new();

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 1, 47)]
    [InlineData(7, 2, 48)]
    [InlineData(8, 3, 49)]
    [InlineData(17, 16, 100)]
    [InlineData(1023, 5, 50)]
    [InlineData(2050, 3, 17)]
    [InlineData(9001, 2, 3)]
    [InlineData(33, 129, 96)]
    [InlineData(9, 784, 60)]
    [InlineData(13, 4099, 20)]
    [InlineData(7, 8200, 3)]
    public void Dense_cells_equal_the_plain_recipe(int n, int d, int m) =>
        AssertEqualOnAllEngines(EngineCases.Dense(d, m), EngineCases.Normal(n, d));

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(5, 1, 1, 3)]
    [InlineData(16, 2, 2, 4)]
    [InlineData(17, 3, 4, 9)]
    [InlineData(15, 5, 8, 8)]
    [InlineData(5001, 5, 8, 8)]
    [InlineData(33, 16, 16, 48)]
    [InlineData(530, 30, 32, 64)]
    [InlineData(18, 100, 128, 300)]
    [InlineData(9, 129, 256, 512)]
    [InlineData(3, 512, 512, 512)]
    [InlineData(17, 784, 1024, 2048)]
    [InlineData(2, 2048, 2048, 4096)]
    [InlineData(1, 4000, 4096, 4096)]
    public void Structured_cells_equal_the_plain_recipe(int n, int d, int padded, int m) =>
        AssertEqualOnAllEngines(EngineCases.Structured(d, padded, m), EngineCases.Normal(n, d));

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(21)]
    public void Edge_inputs_give_the_cells_of_the_plain_recipe(int d)
    {
        AssertEqualOnAllEngines(FourierMap.Dense(d, Ones(50 * d), 1), EngineCases.Edges(d));
        AssertEqualOnAllEngines(EngineCases.Dense(d, 50, turns: 1000), EngineCases.Edges(d));
        AssertEqualOnAllEngines(EngineCases.Structured(d, 32, 64, turns: 1000), EngineCases.Edges(d));
        AssertEqualOnAllEngines(FourierMap.Structured(d, 32, new uint[96], Ones(32), 1), EngineCases.Edges(d));
    }

    [Fact]
    public void The_largest_inputs_and_frequencies_stay_finite_and_add_nothing()
    {
        var rows = new float[48 * 64];
        Array.Fill(rows, Canonical.Largest);
        var x = new float[64];
        Array.Fill(x, Canonical.Largest);
        FourierMap map = FourierMap.Dense(64, rows, 1);
        foreach (SimdEngine engine in EngineCases.Engines)
            Assert.All(EngineCases.Cells(engine, map, new Points(x, 64)), static c => Assert.Equal(0, c));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Order_and_batches_of_records_do_not_change_cells(bool structured)
    {
        FourierMap map = structured ? EngineCases.Structured(50, 64, 128) : EngineCases.Dense(50, 100);
        Points points = EngineCases.Normal(1501, 50);
        var shuffled = new float[points.Values.Length];
        int[] order = new PublicRandom(3).NextPermutation(points.Count);
        for (int n = 0; n < order.Length; n++) points.Row(order[n]).CopyTo(shuffled.AsSpan(n * 50));
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            long[] expected = EngineCases.Cells(engine, map, points);
            Assert.Equal(expected, EngineCases.Cells(engine, map, new Points(shuffled, 50)));
            foreach (int size in new[] { 1, 7, 1000 })
            {
                var cells = new long[expected.Length];
                for (int n = 0; n < points.Count; n += size)
                    engine.AddFourier(map, points.Slice(n, Math.Min(size, points.Count - n)), cells);
                Assert.Equal(expected, cells);
            }
        }
    }

    [Fact]
    public void Coordinates_that_are_zero_for_all_records_do_not_change_cells()
    {
        const int n = 40, d = 19, more = 27;
        FourierMap narrow = EngineCases.Dense(d, 30), wide;
        Points points = EngineCases.Normal(n, d);
        var rows = new float[30 * more];
        for (int j = 0; j < 30; j++) narrow.Rows.AsSpan(j * d, d).CopyTo(rows.AsSpan(j * more));
        wide = FourierMap.Dense(more, rows, 1);
        var padded = new float[n * more];
        for (int i = 0; i < n; i++) points.Row(i).CopyTo(padded.AsSpan(i * more));
        FourierMap structured = EngineCases.Structured(d, 32, 64);
        FourierMap structuredWide = FourierMap.Structured(more, 32, structured.Flips, structured.Radii, 1);
        var paddedPoints = new Points(padded, more);
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            Assert.Equal(EngineCases.Cells(engine, narrow, points), EngineCases.Cells(engine, wide, paddedPoints));
            long[] expected = EngineCases.Cells(engine, structured, points);
            Assert.Equal(expected, EngineCases.Cells(engine, structuredWide, paddedPoints));
        }
    }

    [Fact]
    public void Cells_are_added_to_what_is_there()
    {
        FourierMap map = EngineCases.Dense(4, 10);
        Points points = EngineCases.Normal(20, 4);
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            long[] once = EngineCases.Cells(engine, map, points), twice = EngineCases.Cells(engine, map, points);
            engine.AddFourier(map, points, twice);
            Assert.Equal(once.Select(static c => 2 * c), twice);
            engine.AddFourier(map, points.Slice(0, 0), twice);
            Assert.Equal(once.Select(static c => 2 * c), twice);
        }
    }

    [Theory]
    [InlineData(false, 1, 4, 1, 1)]
    [InlineData(false, 19, 130, 3, 2)]
    [InlineData(false, 10, 120, 10, 4)]
    [InlineData(true, 1, 64, 1, 4)]
    [InlineData(true, 35, 128, 5, 2)]
    [InlineData(true, 16, 192, 10, 16)]
    public void Projections_have_the_bits_of_the_plain_recipe_whatever_the_batch(
        bool structured, int n, int m, int columns, int groups)
    {
        const int d = 50;
        FourierMap map = structured
            ? EngineCases.Structured(d, 64, m, groups: groups)
            : EngineCases.Dense(d, m, groups: groups);
        Points queries = EngineCases.Normal(n, d);
        var random = new PublicRandom(8);
        var weights = new double[columns * 2 * m];
        for (int i = 0; i < weights.Length; i++) weights[i] = random.NextNormal() * 1e9;
        var expected = new double[n * columns * groups];
        Reference.ProjectFourier(map, queries, weights, columns, expected);
        foreach (SimdEngine engine in EngineCases.Engines)
        {
            var sums = new double[expected.Length];
            engine.ProjectFourier(map, queries, weights, columns, sums);
            Assert.Equal(expected, sums);
            Array.Clear(sums);
            for (int q = 0; q < n; q++)
            {
                Span<double> own = sums.AsSpan(q * columns * groups, columns * groups);
                engine.ProjectFourier(map, queries.Slice(q, 1), weights, columns, own);
            }
            Assert.Equal(expected, sums);
        }
    }

    [Fact]
    public void Calls_from_many_threads_at_once_do_not_disturb_each_other()
    {
        FourierMap map = EngineCases.Structured(20, 32, 64);
        Points points = EngineCases.Normal(300, 20);
        long[] expected = EngineCases.Cells(Reference, map, points);
        foreach (SimdEngine engine in EngineCases.Engines)
            Parallel.For(0, 16, _ => Assert.Equal(expected, EngineCases.Cells(engine, map, points)));
    }

    static void AssertEqualOnAllEngines(FourierMap map, Points points)
    {
        long[] expected = EngineCases.Cells(Reference, map, points);
        foreach (SimdEngine engine in EngineCases.Engines)
            Assert.Equal(expected, EngineCases.Cells(engine, map, points));
    }

    static float[] Ones(int count)
    {
        var ones = new float[count];
        Array.Fill(ones, 1f);
        return ones;
    }
}
