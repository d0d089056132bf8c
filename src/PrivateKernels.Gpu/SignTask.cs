namespace PrivateKernels.Gpu;

/// <summary>Adds sign histograms of points: counts, then fractions.</summary>
sealed class SignTask : DeviceTask
{
    // Each part reads all records again: beyond this the processor is faster.
    const int LargestGrid = 1 << 16;

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
            device.BusyGroups / Groups, 1, (points + SignPrograms.Threads - 1) / SignPrograms.Threads);
        _cells = new CellSums(device, result.Length, slices);
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override int LargestBatch => SignPrograms.LargestBatch;

    /// <summary>
    /// Whether the device program serves the map: the weight fits its int32 sums, the last cell the exact integers of fp32.
    /// </summary>
    public static bool Supports(SignMap map) =>
        map.CellsPerCoordinate <= LargestGrid && Math.Abs((long)map.Weight) <= SignPrograms.LargestWeight;

    /// <summary>Groups of threads per slice: one for each part of the cells of a coordinate.</summary>
    int Groups => _map.Dimension
        * ((_map.CellsPerCoordinate + SignPrograms.CellsPerPart - 1) / SignPrograms.CellsPerPart);

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        var arguments = new SignArguments
        {
            Points = s.Device,
            Weights = s.Weights,
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
        int groups = Groups * _cells.Slices;
        _device.Launch(s.Stream, SignPrograms.AddSigns, groups, SignPrograms.Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
