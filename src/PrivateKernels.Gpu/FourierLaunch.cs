using System.Numerics;
using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Launches the programs of a map: dense, structured, or structured with a large P.</summary>
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

    /// <summary>Queues the program that adds a slot's features to [slice][2 m] cells.</summary>
    public void Add(Slot slot, int records, ArrayView<long> cells, int slices) => Run(
        slot, DensePrograms.AddDense, StructuredPrograms.AddStructured, LargeStructuredPrograms.AddLargeStructured,
        records, cells, default, slices);

    /// <summary>Queues the program that writes a slot's features, [record][2 m].</summary>
    public void Write(Slot slot, int records, ArrayView<float> features) => Run(
        slot, DensePrograms.WriteDense, StructuredPrograms.WriteStructured,
        LargeStructuredPrograms.WriteLargeStructured, records, default, features, WritingSlices(records));

    /// <summary>Queues the program that writes a slot's phases, [record][m].</summary>
    public void Multiply(Slot slot, int records, ArrayView<float> phases) => Run(
        slot, DensePrograms.MultiplyDense, StructuredPrograms.MultiplyStructured,
        LargeStructuredPrograms.MultiplyLargeStructured, records, default, phases, WritingSlices(records));

    int WritingSlices(int records) => map.IsStructured ? SlicesFor(records) : Tiles(records);

    static int Tiles(int rows) => (rows + DensePrograms.TileSize - 1) / DensePrograms.TileSize;

    void Run(
        Slot slot, Action<DenseArguments> tiled, Action<StructuredArguments> small, Action<StructuredArguments> large,
        int records, ArrayView<long> cells, ArrayView<float> features, int slices)
    {
        int stride = DeviceTask.Padded(map.Dimension) / 4, groups = _columnTiles * slices;
        ArrayView<F4> points = slot.Device.Cast<F4>();
        if (!map.IsStructured)
        {
            device.Launch(slot.Stream, tiled, groups, DensePrograms.Threads, new DenseArguments
            {
                Points = points,
                Rows = _parameters.Rows,
                Cells = cells,
                Features = features,
                Records = records,
                Stride = stride,
                Frequencies = map.Frequencies,
                Slices = slices,
            });
            return;
        }
        device.Launch(slot.Stream, IsLarge ? large : small, groups, StructuredPrograms.Threads, new StructuredArguments
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
        });
    }
}
