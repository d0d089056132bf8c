using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Adds Fourier features from phases in memory: those of weighted points, and of maps that are not fused.
/// </summary>
sealed class WeightedTask : DeviceTask
{
    // Phases of one slot take at most this much device memory.
    const long PhaseBytes = 128 << 20;

    readonly Device _device;
    readonly FourierLaunch _launch;
    readonly CellSums _cells;
    readonly Memory<long> _result;
    readonly int _frequencies, _tiles;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public frequencies.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">2 m sums of the job.</param>
    public WeightedTask(Device device, FourierMap map, int points, Memory<long> result)
    {
        (_device, _result, _frequencies) = (device, result, map.Frequencies);
        _launch = new FourierLaunch(device, map);
        _tiles = (_frequencies + WeightedPrograms.Threads - 1) / WeightedPrograms.Threads;
        _cells = new CellSums(device, 2 * _frequencies, Math.Clamp(2 * device.BusyGroups / _tiles, 1, points));
        Stride = Padded(map.Dimension);
        long rows = PhaseBytes / (sizeof(float) * (long)_frequencies) / RowsPerTile * RowsPerTile;
        LargestBatch = (int)Math.Clamp(rows, RowsPerTile, 1 << 20);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        ArrayView<float> phases = _device.Buffer<float>($"phases {slot}", (long)range.Count * _frequencies);
        _launch.Multiply(s, range.Count, phases);
        int groups = _tiles * _cells.Slices;
        var arguments = new WeightedArguments
        {
            Phases = phases,
            Weights = s.Weights,
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Frequencies = _frequencies,
            Slices = _cells.Slices,
        };
        _device.Launch(s.Stream, WeightedPrograms.AddWeightedPairs, groups, WeightedPrograms.Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
