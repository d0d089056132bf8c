using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Brings a row of numbers per point back to the host: phases, or landmark features.</summary>
sealed class RowsTask : DeviceTask
{
    // Rows of one slot take at most this much device memory.
    const long RowBytes = 64 << 20;

    readonly Device _device;
    readonly int _width;
    readonly Action<int, int, ArrayView<float>> _write;
    readonly Memory<float> _result;
    readonly List<(PointRange Range, float[] Rows)> _fetched = [];
    readonly List<(int Slot, PointRange Range)> _launched = [];

    /// <param name="device">Where it runs.</param>
    /// <param name="dimension">Coordinates per point.</param>
    /// <param name="width">Numbers per row.</param>
    /// <param name="write">Queues the programs that write the rows of so many points in a slot.</param>
    /// <param name="result">[point][width] rows of the whole job.</param>
    public RowsTask(
        Device device, int dimension, int width, Action<int, int, ArrayView<float>> write, Memory<float> result)
    {
        (_device, _width, _write, _result) = (device, width, write, result);
        Stride = Padded(dimension);
        LargestBatch = (int)Math.Clamp(RowBytes / (4L * width) / RowsPerTile * RowsPerTile, RowsPerTile, 1 << 20);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    // Each slot holds the rows of one launch.
    public override int SlotsPerCheckpoint => 2;

    public override void Launch(int slot, PointRange range)
    {
        _write(slot, range.Count, Rows(slot, range));
        _launched.Add((slot, range));
    }

    public override void Fetch()
    {
        foreach ((int slot, PointRange range) in _launched)
        {
            var rows = new float[range.Count * _width];
            _device.Download<float>(Rows(slot, range), rows);
            _fetched.Add((range, rows));
        }
        _launched.Clear();
    }

    public override void Commit()
    {
        foreach ((PointRange range, float[] rows) in _fetched) rows.CopyTo(_result.Span[(range.First * _width)..]);
        _fetched.Clear();
    }

    ArrayView<float> Rows(int slot, PointRange range) =>
        _device.Buffer<float>($"rows {slot}", (long)range.Count * _width);
}
