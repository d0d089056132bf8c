namespace PrivateKernels.Gpu;

/// <summary>Adds sign histograms of points: counts, then fractions.</summary>
sealed class SignTask : DeviceTask
{
    readonly Device _device;
    readonly SignMap _map;
    readonly CellSums _cells;
    readonly Memory<long> _result;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public grid; the task <see cref="Supports"/> it.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">2 d m sums of the job.</param>
    public SignTask(Device device, SignMap map, int points, Memory<long> result)
    {
        (_device, _map, _result) = (device, map, result);
        int slices = Math.Clamp(
            device.BusyGroups / map.Dimension, 1, (points + SignPrograms.Threads - 1) / SignPrograms.Threads);
        _cells = new CellSums(device, result.Length, slices);
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override int LargestBatch => SignPrograms.LargestBatch;

    /// <summary>
    /// Whether the device program serves the map: the grid fits shared memory, the weight its int32 sums.
    /// </summary>
    public static bool Supports(SignMap map) =>
        map.CellsPerCoordinate <= SignPrograms.LargestCells && Math.Abs((long)map.Weight) <= SignPrograms.LargestWeight;

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        var arguments = new SignArguments
        {
            Points = s.Device,
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Stride = Stride,
            Dimension = _map.Dimension,
            CellsPerCoordinate = _map.CellsPerCoordinate,
            Slices = _cells.Slices,
            Lower = _map.Lower,
            Upper = _map.Upper,
            Scale = _map.Scale,
            Weight = _map.Weight,
        };
        int groups = _map.Dimension * _cells.Slices;
        _device.Launch(s.Stream, SignPrograms.AddSigns, groups, SignPrograms.Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
