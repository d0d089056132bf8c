using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Adds the integer powers of coordinates.</summary>
sealed class PowerTask : DeviceTask
{
    readonly Device _device;
    readonly PowerMap _map;
    readonly CellSums _cells;
    readonly ArrayView<int> _factors;
    readonly Memory<long> _result;
    readonly int _tiles;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public scales.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">d p sums of the job.</param>
    public PowerTask(Device device, PowerMap map, int points, Memory<long> result)
    {
        (_device, _map, _result) = (device, map, result);
        _tiles = (result.Length + PowerPrograms.Threads - 1) / PowerPrograms.Threads;
        _cells = new CellSums(device, result.Length, Math.Clamp(2 * device.BusyGroups / _tiles, 1, points));
        _factors = device.Buffer<int>("powers", map.Weights.Length);
        device.Upload<int>(_factors, map.Weights);
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        int groups = _tiles * _cells.Slices;
        _device.Launch(s.Stream, PowerPrograms.AddPowers, groups, PowerPrograms.Threads, new PowerArguments
        {
            Points = s.Device,
            Weights = s.Weights,
            Factors = _factors,
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Stride = Stride,
            Count = _cells.Cells,
            Powers = _map.Weights.Length,
            Slices = _cells.Slices,
            Lower = _map.Lower,
            Upper = _map.Upper,
            Center = _map.Center,
            Scale = _map.Scale,
        });
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
