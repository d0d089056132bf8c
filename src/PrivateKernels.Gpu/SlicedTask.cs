using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Adds position histograms of points, and the group terms behind them.</summary>
sealed class SlicedTask : DeviceTask
{
    // Positions of one slot take at most this much device memory.
    const long PositionBytes = 128 << 20;

    readonly Device _device;
    readonly SlicedMap _map;
    readonly FourierLaunch _launch;
    readonly CellSums _packed, _terms;
    readonly Memory<long> _result;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public directions; the task <see cref="Supports"/> them.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">512 k packed sums, then one sum per group.</param>
    public SlicedTask(Device device, SlicedMap map, int points, Memory<long> result)
    {
        (_device, _map, _result) = (device, map, result);
        _launch = new FourierLaunch(device, map.Rows);
        int k = map.Rows.Frequencies;
        _packed = new CellSums(
            device, result.Length - map.Rows.Groups, Math.Clamp(device.BusyGroups / Tiles, 1, (points + 31) / 32));
        _terms = new CellSums(device, map.Rows.Groups, Math.Min(device.BusyGroups, points), "terms");
        Stride = Padded(map.Rows.Dimension);
        long rows = PositionBytes / (sizeof(int) * (long)k) / RowsPerTile * RowsPerTile;
        LargestBatch = (int)Math.Clamp(rows, RowsPerTile, SlicedPrograms.LargestBatch);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    int Tiles => (_map.Rows.Frequencies + SlicedPrograms.DirectionsPerGroup - 1) / SlicedPrograms.DirectionsPerGroup;

    /// <summary>Whether device programs exist for the map; the others are for the processor.</summary>
    public static bool Supports(SlicedMap map) => map.Rows.Groups <= SlicedPrograms.MostGroups;

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        ArrayView<float> phases = _device.Buffer<float>($"phases {slot}", (long)range.Count * _map.Rows.Frequencies);
        _launch.Multiply(s, range.Count, phases);
        var arguments = new SlicedArguments
        {
            Positions = phases.Cast<int>(),
            Weights = s.Weights,
            Cells = _packed.Partial(slot),
            Terms = _terms.Partial(slot),
            Records = range.Count,
            Directions = _map.Rows.Frequencies,
            Groups = _map.Rows.Groups,
            Slices = _packed.Slices,
            Multiplier = _map.Multiplier,
            Shift = _map.Shift,
            LargestNorm = _map.LargestNorm,
        };
        _device.Launch(s.Stream, SlicedPrograms.PlaceSliced, _terms.Slices, SlicedPrograms.Threads, arguments);
        _device.Launch(s.Stream, SlicedPrograms.AddSliced, Tiles * _packed.Slices, SlicedPrograms.Threads, arguments);
    }

    public override void Fetch()
    {
        _packed.Fetch();
        _terms.Fetch();
    }

    public override void Commit()
    {
        _packed.AddTo(_result.Span[.._packed.Cells]);
        _terms.AddTo(_result.Span[_packed.Cells..]);
    }
}
