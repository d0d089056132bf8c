using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Landmark features of points: distances, kernel values, then their product with the triangle.</summary>
sealed class LandmarkCells : IClampedFeatures
{
    readonly Device _device;
    readonly LandmarkMap _map;
    readonly DeviceProfile _profile;
    readonly ArrayView<float> _landmarks, _triangle;
    readonly int _stride, _width;

    /// <param name="device">Where they are computed.</param>
    /// <param name="map">Public landmarks; device programs <see cref="Supports">support</see> it.</param>
    public LandmarkCells(Device device, LandmarkMap map)
    {
        (_device, _map, _profile) = (device, map, DeviceProfile.Of(map.Function)!);
        (_stride, _width) = (DeviceTask.Padded(map.Dimension), DeviceTask.Padded(map.Count));
        int rows = Tiles(map.Count) * TileProduct.Size;
        float[] landmarks = new float[(long)rows * _stride], triangle = new float[(long)rows * _width];
        for (int i = 0; i < map.Count; i++)
        {
            map.Points.AsSpan(i * map.Dimension, map.Dimension).CopyTo(landmarks.AsSpan(i * _stride));
            map.Triangle.AsSpan(i * (i + 1) / 2, i + 1).CopyTo(triangle.AsSpan(i * _width));
        }
        _landmarks = device.Buffer<float>("landmarks", landmarks.Length);
        _triangle = device.Buffer<float>("triangle", triangle.Length);
        device.Upload<float>(_landmarks, landmarks);
        device.Upload<float>(_triangle, triangle);
    }

    public int Dimension => _map.Dimension;

    public int Count => _map.Count;

    public long SquaredBound => LandmarkMap.SquaredBound;

    // Cells of size 2^21 at most: no sum of squares comes near the limit, so every record is shortened.
    public long LargestNorm => 1L << 61;

    public long BytesPerRecord => sizeof(float) * (long)_width;

    /// <summary>Whether device programs exist for the kernel; the others are for the processor.</summary>
    public static bool Supports(LandmarkMap map) => DeviceProfile.Of(map.Function) is not null;

    public void Write(int slot, int records, ArrayView<int> target) =>
        Run(slot, records, LandmarkPrograms.WriteLandmarkCells, default, target);

    /// <summary>Queues the programs that write [record][Count] phi of the points in a slot.</summary>
    public void WritePhi(int slot, int records, ArrayView<float> target) =>
        Run(slot, records, LandmarkPrograms.WriteLandmarks, target, default);

    void Run(
        int slot, int records, Action<LandmarkArguments> combine, ArrayView<float> phi, ArrayView<int> features)
    {
        Slot s = _device.Slots[slot];
        int tiles = Tiles(records);
        long size = (long)tiles * TileProduct.Size * _width;
        var arguments = new LandmarkArguments
        {
            Points = s.Device.Cast<F4>(),
            Weights = s.Weights,
            Landmarks = _landmarks.Cast<F4>(),
            Kernel = _device.Buffer<float>($"kernel {slot}", size),
            Triangle = _triangle,
            Phi = phi,
            Features = features,
            Records = records,
            Stride = _stride / 4,
            Count = _map.Count,
            Width = _width,
            Profile = (int)_profile.Kind,
            Scale = _profile.Scale,
        };
        Action<LandmarkArguments> measure = _map.Function.Geometry == PairGeometry.L1
            ? LandmarkPrograms.MeasureL1 : LandmarkPrograms.MeasureSquaredL2;
        int groups = tiles * Tiles(_map.Count);
        _device.Launch(s.Stream, measure, groups, TileProduct.Threads, arguments);
        int profileGroups = (int)Math.Min((size + ProfilePrograms.Threads - 1) / ProfilePrograms.Threads, 1 << 16);
        _device.Launch(s.Stream, ProfilePrograms.ApplyProfile, profileGroups, ProfilePrograms.Threads, arguments);
        _device.Launch(s.Stream, combine, groups, TileProduct.Threads, arguments);
    }

    static int Tiles(int rows) => (rows + TileProduct.Size - 1) / TileProduct.Size;
}
