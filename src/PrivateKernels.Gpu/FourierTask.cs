using System.Numerics;
using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Adds the Fourier features of points to int64 cells.</summary>
sealed class FourierTask : DeviceTask
{
    readonly Device _device;
    readonly FourierLaunch _launch;
    readonly CellSums _cells;
    readonly Memory<long> _result;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public frequencies; <see cref="FourierLaunch.Supports"/> it.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">2 m sums of the job.</param>
    public FourierTask(Device device, FourierMap map, int points, Memory<long> result)
    {
        (_device, _result) = (device, result);
        _launch = new FourierLaunch(device, map);
        _cells = new CellSums(device, 2 * map.Frequencies, _launch.SlicesFor(points));
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override void Launch(int slot, PointRange range) =>
        _launch.Add(_device.Slots[slot], range.Count, _cells.Partial(slot), _cells.Slices);

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}

/// <summary>Launches the feature programs of a map: dense, structured, or structured with a large P.</summary>
sealed class FourierLaunch(Device device, FourierMap map)
{
    readonly DeviceMap _parameters = DeviceMaps.Of(device).Get(map);
    readonly int _columnTiles = map.IsStructured
        ? map.Frequencies / map.Padded
        : Tiles(map.Frequencies);

    bool IsLarge => map.Padded > 1 << StructuredPrograms.LargestLog;

    /// <summary>Records that a group takes at once.</summary>
    int RowsTogether =>
        !map.IsStructured ? DensePrograms.TileSize : IsLarge ? 1 : StructuredPrograms.Values / map.Padded;

    /// <summary>Whether device programs exist for the map; the others are for the processor.</summary>
    public static bool Supports(FourierMap map) =>
        !map.IsStructured || (
            map.Padded >= 1 << StructuredPrograms.SmallestLog && map.Padded <= 1 << LargeStructuredPrograms.LargestLog
            && map.Frequencies % map.Padded == 0);

    /// <summary>Slices of the records that fill the device, and no more than there is work for.</summary>
    public int SlicesFor(int points) => Math.Clamp(
        (device.BusyGroups + _columnTiles - 1) / _columnTiles, 1,
        Math.Max(1, (points + RowsTogether - 1) / RowsTogether));

    /// <summary>Queues the programs that add a slot's features to [slice][2 m] cells.</summary>
    public void Add(Slot slot, int records, ArrayView<long> cells, int slices) =>
        Run(slot, records, cells, default, slices);

    /// <summary>Queues the programs that write a slot's features, [record][2 m].</summary>
    public void Write(Slot slot, int records, ArrayView<float> features) =>
        Run(slot, records, default, features, map.IsStructured ? SlicesFor(records) : Tiles(records));

    static int Tiles(int rows) => (rows + DensePrograms.TileSize - 1) / DensePrograms.TileSize;

    void Run(Slot slot, int records, ArrayView<long> cells, ArrayView<float> features, int slices)
    {
        bool adds = cells.Length > 0;
        int stride = DeviceTask.Padded(map.Dimension) / 4, groups = _columnTiles * slices;
        ArrayView<F4> points = slot.Device.Cast<F4>();
        if (!map.IsStructured)
        {
            var dense = new DenseArguments
            {
                Points = points,
                Rows = _parameters.Rows,
                Cells = cells,
                Features = features,
                Records = records,
                Stride = stride,
                Frequencies = map.Frequencies,
                Slices = slices,
            };
            Action<DenseArguments> tiles = adds ? DensePrograms.AddDense : DensePrograms.WriteDense;
            device.Launch(slot.Stream, tiles, groups, DensePrograms.Threads, dense);
            return;
        }
        var structured = new StructuredArguments
        {
            Points = points,
            Flips = _parameters.Flips,
            Radii = _parameters.Radii,
            Cells = cells,
            Features = features,
            Records = records,
            Stride = stride,
            LogPadded = BitOperations.Log2((uint)map.Padded),
            Frequencies = map.Frequencies,
            Slices = slices,
        };
        Action<StructuredArguments> program = (IsLarge, adds) switch
        {
            (false, true) => StructuredPrograms.AddStructured,
            (false, false) => StructuredPrograms.WriteStructured,
            (true, true) => LargeStructuredPrograms.AddLargeStructured,
            (true, false) => LargeStructuredPrograms.WriteLargeStructured,
        };
        device.Launch(slot.Stream, program, groups, StructuredPrograms.Threads, structured);
    }
}
