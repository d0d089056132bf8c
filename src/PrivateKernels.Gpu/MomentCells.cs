using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Integer moments of points.</summary>
sealed class MomentCells : IClampedFeatures
{
    readonly Device _device;
    readonly MomentMap _map;
    readonly ArrayView<float> _center;

    public MomentCells(Device device, MomentMap map)
    {
        (_device, _map) = (device, map);
        _center = device.Buffer<float>("center", map.Dimension);
        device.Upload<float>(_center, map.Center);
    }

    public int Dimension => _map.Dimension;

    public int Count => _map.Dimension + 2;

    public long SquaredBound => _map.SquaredBound;

    // Cells of size 2^22 at most: no sum of squares comes near the limit, so every record is shortened.
    public long LargestNorm => 1L << 61;

    public long BytesPerRecord => 0;

    public void Write(int slot, int records, ArrayView<int> target)
    {
        Slot s = _device.Slots[slot];
        int groups = Math.Min((records + MomentPrograms.Threads - 1) / MomentPrograms.Threads, 1 << 16);
        _device.Launch(s.Stream, MomentPrograms.WriteMoments, groups, MomentPrograms.Threads, new MomentArguments
        {
            Points = s.Device,
            Center = _center,
            Weights = s.Weights,
            Features = target,
            Records = records,
            Stride = DeviceTask.Padded(_map.Dimension),
            Dimension = _map.Dimension,
            Constant = _map.Constant,
            Linear = _map.Linear,
            Square = _map.Square,
        });
    }
}
