using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Integer features of unit vectors: phases first, then the cells that are made of them.</summary>
sealed class SphericalCells(Device device, SphericalMap map) : IClampedFeatures
{
    readonly FourierLaunch _rows = new(device, map.Rows);
    readonly FourierLaunch? _gates = map.GateRows is { } gate ? new(device, gate) : null;

    public int Dimension => map.Rows.Dimension;

    public int Count => map.CellCount;

    public long SquaredBound => map.SquaredBound;

    public long LargestNorm => 4 * map.SquaredBound;

    public long BytesPerRecord => sizeof(float) * (long)map.Rows.Frequencies * (_gates is null ? 1 : 2);

    public void Write(int slot, int records, ArrayView<int> target)
    {
        Slot s = device.Slots[slot];
        long size = (long)records * map.Rows.Frequencies;
        ArrayView<float> phases = device.Buffer<float>($"phases {slot}", size), gates = phases;
        _rows.Multiply(s, records, phases);
        if (_gates is not null)
        {
            gates = device.Buffer<float>($"gates {slot}", size);
            _gates.Multiply(s, records, gates);
        }
        Action<SphericalArguments> program = map.Features == AngularFeatures.Sign
            ? SphericalPrograms.WriteSigns : SphericalPrograms.WriteSizes;
        const int Threads = SphericalPrograms.Threads;
        int groups = (int)Math.Min((target.Length + Threads - 1) / Threads, 1 << 16);
        device.Launch(s.Stream, program, groups, Threads, new SphericalArguments
        {
            Points = s.Device,
            Phases = phases,
            Gates = gates,
            Weights = s.Weights,
            Features = target,
            Records = records,
            Stride = DeviceTask.Padded(Dimension),
            Common = map.CommonCells,
            Frequencies = map.Rows.Frequencies,
            Count = Count,
            Constant = map.Constant,
            Linear = map.Linear,
            Scale = map.Scale,
        });
    }
}
