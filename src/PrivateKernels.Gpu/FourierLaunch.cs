using System.Numerics;
using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Launches the programs of a map: dense, structured, structured with a large P, or structured step by step.</summary>
sealed class FourierLaunch(Device device, FourierMap map)
{
    readonly DeviceMap _parameters = DeviceMaps.Of(device).Get(map);
    readonly int _columnTiles = !map.IsStructured ? Tiles(map.Frequencies)
        : IsFused(map) ? map.Frequencies / map.Padded : 1;

    bool IsLarge => map.Padded > 1 << StructuredPrograms.LargestLog;

    /// <summary>Records that a group takes at once.</summary>
    int RowsTogether =>
        !map.IsStructured ? DensePrograms.TileSize : IsLarge ? 1 : StructuredPrograms.Values / map.Padded;

    /// <summary>
    /// Whether one program makes the features from the records, so that they can be added at once; for other maps phases go
    /// to memory.
    /// </summary>
    public static bool IsFused(FourierMap map) =>
        !map.IsStructured || (
            map.Padded >= 1 << StructuredPrograms.SmallestLog && map.Padded <= 1 << LargeStructuredPrograms.LargestLog
            && map.Frequencies % map.Padded == 0);

    /// <summary>Slices of the records that fill the device, and no more than there is work for.</summary>
    public int SlicesFor(int points) => Math.Clamp(
        (device.BusyGroups + _columnTiles - 1) / _columnTiles, 1,
        Math.Max(1, (points + RowsTogether - 1) / RowsTogether));

    /// <summary>Queues the program that adds a slot's features to [slice][2 m] cells; the map is fused.</summary>
    public void Add(Slot slot, int records, ArrayView<long> cells, int slices) => Run(
        slot, DensePrograms.AddDense, StructuredPrograms.AddStructured, LargeStructuredPrograms.AddLargeStructured,
        records, cells, default, slices);

    /// <summary>Queues the program that writes a slot's features, [record][2 m].</summary>
    public void Write(Slot slot, int records, ArrayView<float> features)
    {
        if (!IsFused(map)) Rotate(slot, RotationPrograms.WriteRotated, records, features);
        else
            Run(slot, DensePrograms.WriteDense, StructuredPrograms.WriteStructured,
                LargeStructuredPrograms.WriteLargeStructured, records, default, features, WritingSlices(records));
    }

    /// <summary>Queues the program that writes a slot's phases, [record][m].</summary>
    public void Multiply(Slot slot, int records, ArrayView<float> phases)
    {
        if (!IsFused(map)) Rotate(slot, RotationPrograms.MultiplyRotated, records, phases);
        else
            Run(slot, DensePrograms.MultiplyDense, StructuredPrograms.MultiplyStructured,
                LargeStructuredPrograms.MultiplyLargeStructured, records, default, phases, WritingSlices(records));
    }

    /// <summary>Three rounds of signs and butterflies through a buffer of the slot.</summary>
    void Rotate(Slot slot, Action<RotationArguments> write, int records, ArrayView<float> features)
    {
        int blocks = (map.Frequencies + map.Padded - 1) / map.Padded, log = BitOperations.Log2((uint)map.Padded);
        long size = (long)records * blocks * map.Padded;
        var arguments = new RotationArguments
        {
            Points = slot.Device,
            Flips = _parameters.Flips,
            Radii = _parameters.Radii,
            Values = device.Buffer<float>(slot == device.Slots[0] ? "rotated 0" : "rotated 1", size),
            Features = features,
            Records = records,
            Stride = DeviceTask.Padded(map.Dimension),
            LogPadded = log,
            Blocks = blocks,
            Frequencies = map.Frequencies,
        };
        Launch(RotationPrograms.SpreadRecords, size);
        for (; arguments.Round < 3; arguments.Round++)
        {
            Launch(RotationPrograms.FlipValues, size);
            for (arguments.LogStep = 0; arguments.LogStep < log; arguments.LogStep++)
                Launch(RotationPrograms.CombineValues, size / 2);
        }
        Launch(write, (long)records * map.Frequencies);

        void Launch(Action<RotationArguments> program, long items) => device.Launch(
            slot.Stream, program, (int)((items + RotationPrograms.Threads - 1) / RotationPrograms.Threads),
            RotationPrograms.Threads, arguments);
    }

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
