using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Adds products of the Fourier features of points: features, turned over, then tiles of their triangle.</summary>
sealed class SecondMomentTask : DeviceTask
{
    // Features of one slot, as they are and turned over, take at most twice this much device memory.
    const long FeatureBytes = 64 << 20;

    readonly Device _device;
    readonly FourierLaunch _launch;
    readonly CellSums _cells;
    readonly Memory<long> _result;
    readonly int _features, _tiles;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public frequencies.</param>
    /// <param name="result">The triangle of sums of the job.</param>
    public SecondMomentTask(Device device, FourierMap map, Memory<long> result)
    {
        (_device, _result, _features) = (device, result, 2 * map.Frequencies);
        _launch = new FourierLaunch(device, map);
        _tiles = (_features + SecondMomentPrograms.Side - 1) / SecondMomentPrograms.Side;
        _cells = new CellSums(device, result.Length, 1);
        Stride = Padded(map.Dimension);
        long rows = FeatureBytes / (sizeof(float) * (long)_features) / RowsPerTile * RowsPerTile;
        LargestBatch = (int)Math.Clamp(rows, RowsPerTile, 1 << 16);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        int width = Padded(range.Count);
        ArrayView<float> features = _device.Buffer<float>($"features {slot}", (long)range.Count * _features);
        _launch.Write(s, range.Count, features);
        var arguments = new SecondMomentArguments
        {
            Features = features,
            Columns = _device.Buffer<float>($"columns {slot}", (long)_tiles * SecondMomentPrograms.Side * width),
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Width = width,
            Count = _features,
        };
        const int Threads = SecondMomentPrograms.Threads;
        int groups = (int)Math.Min((arguments.Columns.Length + Threads - 1) / Threads, 1 << 16);
        _device.Launch(s.Stream, SecondMomentPrograms.TurnFeatures, groups, Threads, arguments);
        _device.Launch(s.Stream, SecondMomentPrograms.AddSecondMoments, _tiles * _tiles, Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
