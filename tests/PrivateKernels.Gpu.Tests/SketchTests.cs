using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>Every kind of cell on the device against the SIMD engine: equality to the last bit.</summary>
public sealed class SketchTests(OneEngine shared) : IClassFixture<OneEngine>, IDisposable
{
    readonly GpuEngine _engine = shared.Engine;
    readonly SimdEngine _simd = new(1);

    public void Dispose() => _simd.Dispose();

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(700, 3, 16)]
    [InlineData(257, 20, 256)]
    [InlineData(3000, 5, 1000)]
    [InlineData(300, 2, 4096)]
    public void Sign_cells_are_those_of_the_processor(int points, int dimension, int cellsPerCoordinate)
    {
        var samples = new Samples((ulong)(points + dimension + cellsPerCoordinate));
        var map = new SignMap(dimension, -1.5f, 2.25f, cellsPerCoordinate, (1 << 20) - 3);
        Points x = samples.EdgePoints(points, dimension);
        int size = dimension * cellsPerCoordinate;
        long[] counts = new long[size], fractions = new long[size];
        long[] sameCounts = new long[size], sameFractions = new long[size];
        _engine.AddSigns(map, x, counts, fractions);
        _simd.AddSigns(map, x, sameCounts, sameFractions);
        Assert.Equal(sameCounts, counts);
        Assert.Equal(sameFractions, fractions);
        Assert.Equal((long)points * dimension, counts.Sum());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(300, 7)]
    [InlineData(65, 254)]
    [InlineData(40, 255)]
    [InlineData(33, 784)]
    public void Moment_cells_are_those_of_the_processor_clamped_or_not(int points, int dimension)
    {
        var samples = new Samples((ulong)(points + dimension));
        // Half of the normal points and all edge points are longer than the bound, so the norm clamp acts on them.
        float scale = (float)(500000 / Math.Sqrt(2 * dimension));
        var map = new MomentMap(
            dimension, samples.Normals(dimension), 300000, scale, (float)(300000.0 / (2 * dimension)), 1L << 40);
        foreach (Points x in new[] { samples.NormalPoints(points, dimension), samples.EdgePoints(points, dimension) })
        {
            long[] cells = new long[dimension + 2], same = new long[dimension + 2];
            _engine.AddMoments(map, x, cells);
            _simd.AddMoments(map, x, same);
            Assert.Equal(same, cells);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fourier_cells_are_those_of_the_processor(bool structured)
    {
        var samples = new Samples(9);
        FourierMap map = structured ? samples.StructuredMap(100, 128, 5) : samples.DenseMap(100, 333);
        Points x = samples.EdgePoints(1000, 100);
        long[] cells = new long[2 * map.Frequencies], same = new long[2 * map.Frequencies];
        _engine.AddFourier(map, x, cells);
        _simd.AddFourier(map, x, same);
        Assert.Equal(same, cells);
    }

    [Fact]
    public void Cells_do_not_depend_on_batches_or_order()
    {
        var samples = new Samples(10);
        FourierMap map = samples.StructuredMap(20, 32, 4);
        Points x = samples.EdgePoints(700, 20);
        long[] whole = new long[256], parts = new long[256], backwards = new long[256];
        _engine.AddFourier(map, x, whole);
        for (int first = 0; first < 700; first += 77)
            _engine.AddFourier(map, x.Slice(first, Math.Min(77, 700 - first)), parts);
        float[] reversed = [.. Enumerable.Range(0, 700).Reverse().SelectMany(row => x.Row(row).ToArray())];
        _engine.AddFourier(map, new Points(reversed, 20), backwards);
        Assert.Equal(whole, parts);
        Assert.Equal(whole, backwards);
    }

    [Fact]
    public void Shapes_that_no_device_program_serves_go_to_the_fallback_even_if_the_engine_is_forced()
    {
        var samples = new Samples(11);
        using var engine = new GpuEngine([Devices.UnderTest], _simd, new GpuOptions { IsForced = true });
        FourierMap tiny = samples.StructuredMap(3, 4, 2);
        Points x = samples.NormalPoints(10, 3);
        long[] cells = new long[16], same = new long[16];
        engine.AddFourier(tiny, x, cells);
        _simd.AddFourier(tiny, x, same);
        Assert.Equal(same, cells);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused_before_any_work()
    {
        FourierMap map = new Samples(12).DenseMap(3, 4);
        Assert.Throws<ArgumentException>(() => _engine.AddFourier(map, new Points(new float[8], 4), new long[8]));
        Assert.Throws<ArgumentException>(() => _engine.AddFourier(map, new Points(new float[9], 3), new long[7]));
    }
}
