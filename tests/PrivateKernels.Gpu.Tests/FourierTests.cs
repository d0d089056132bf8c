using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

public sealed class FourierTests(OneEngine shared)
{
    readonly GpuEngine _engine = shared.Engine;

    [Fact]
    public void The_device_under_test_is_an_OpenCL_device()
    {
        Assert.Equal(EngineKind.OpenCl, Devices.UnderTest.Kind);
        Assert.Equal(EngineKind.OpenCl, _engine.Kind);
        Assert.Equal(Devices.UnderTest.Name, _engine.Device);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 3, 5)]
    [InlineData(129, 1, 130)]
    [InlineData(300, 17, 127)]
    [InlineData(257, 128, 128)]
    [InlineData(130, 301, 257)]
    [InlineData(2500, 8, 64)]
    public void Dense_cells_equal_the_definition_to_the_last_bit(int points, int dimension, int frequencies)
    {
        var samples = new Samples((ulong)(points + dimension + frequencies));
        AssertSameCells(samples.DenseMap(dimension, frequencies), samples.EdgePoints(points, dimension));
    }

    [Theory]
    [InlineData(1, 5, 8, 3)]
    [InlineData(300, 16, 16, 2)]
    [InlineData(65, 31, 32, 4)]
    [InlineData(129, 64, 64, 3)]
    [InlineData(100, 100, 128, 2)]
    [InlineData(33, 200, 256, 2)]
    [InlineData(21, 512, 512, 1)]
    [InlineData(9, 784, 1024, 2)]
    [InlineData(7, 1025, 2048, 1)]
    [InlineData(5, 2049, 4096, 1)]
    [InlineData(3, 8192, 8192, 1)]
    [InlineData(5000, 1, 32, 1)]
    [InlineData(700, 3, 4, 5)]
    [InlineData(9, 2, 2, 3)]
    [InlineData(5, 1, 1, 7)]
    [InlineData(3, 9001, 16384, 1)]
    public void Structured_cells_equal_the_definition_to_the_last_bit(int points, int dimension, int padded, int blocks)
    {
        var samples = new Samples((ulong)(points + dimension + padded + blocks));
        AssertSameCells(samples.StructuredMap(dimension, padded, blocks), samples.EdgePoints(points, dimension));
    }

    [Fact]
    public void Cells_are_added_to_and_never_overwritten()
    {
        var samples = new Samples(3);
        FourierMap map = samples.DenseMap(7, 9);
        Points points = samples.NormalPoints(50, 7);
        long[] once = PlainFourier.Cells(map, points);
        var cells = new long[18];
        _engine.AddFourier(map, points, cells);
        _engine.AddFourier(map, points, cells);
        Assert.Equal(once.Select(static c => 2 * c), cells);
    }

    [Fact]
    public void Phases_at_ties_and_at_the_limit_of_the_reduction_give_the_bits_of_the_definition()
    {
        float[] edges =
        [
            0f, -0f, 0.125f, -0.125f, 0.375f, 0.625f, 0.875f, 1.125f, 1048576f, -1048576f, MathF.BitIncrement(1048576f),
            MathF.BitDecrement(1048576f), 1048575.9f, 524288.06f, 0.25f, 0.5f,
            MathF.BitIncrement(0.125f), 1e12f, -1e12f,
        ];
        var points = new Points(edges, 1);
        for (int row = 0; row < points.Count; row++)
            AssertSameCells(FourierMap.Dense(1, [1f, 0.5f, -3f], 1), points.Slice(row, 1));
    }

    void AssertSameCells(FourierMap map, Points points)
    {
        var cells = new long[2 * map.Frequencies];
        _engine.AddFourier(map, points, cells);
        Assert.Equal(PlainFourier.Cells(map, points), cells);
    }
}
