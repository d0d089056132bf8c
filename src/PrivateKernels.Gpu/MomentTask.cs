using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Adds the integer moments of points.</summary>
sealed class MomentTask : DeviceTask
{
    readonly Device _device;
    readonly MomentMap _map;
    readonly CellSums _cells;
    readonly Memory<long> _result;
    readonly ArrayView<float> _center;
    readonly int _tiles;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public scales.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">d + 2 sums of the job.</param>
    public MomentTask(Device device, MomentMap map, int points, Memory<long> result)
    {
        (_device, _map, _result) = (device, map, result);
        _tiles = (result.Length + MomentPrograms.Threads - 1) / MomentPrograms.Threads;
        _cells = new CellSums(device, result.Length, Math.Clamp(2 * device.BusyGroups / _tiles, 1, points));
        _center = device.Buffer<float>("center", map.Dimension);
        device.Upload<float>(_center, map.Center);
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        var arguments = new MomentArguments
        {
            Points = s.Device,
            Center = _center,
            Squares = _device.Buffer<int>($"squares {slot}", range.Count),
            Factors = _device.Buffer<long>($"factors {slot}", range.Count),
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Stride = Stride,
            Dimension = _map.Dimension,
            Slices = _cells.Slices,
            Constant = _map.Constant,
            Linear = _map.Linear,
            Square = _map.Square,
            SquaredBound = _map.SquaredBound,
            Bound = NormClamp.IntegerSquareRoot(_map.SquaredBound),
        };
        int groups = Math.Min((range.Count + MomentPrograms.Threads - 1) / MomentPrograms.Threads, 1 << 16);
        _device.Launch(s.Stream, MomentPrograms.FindMomentFactors, groups, MomentPrograms.Threads, arguments);
        _device.Launch(s.Stream, MomentPrograms.AddMoments, _tiles * _cells.Slices, MomentPrograms.Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
