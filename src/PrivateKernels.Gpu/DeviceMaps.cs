using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Public parameters of a Fourier map in device memory.</summary>
/// <param name="Map">The map they belong to.</param>
/// <param name="Rows">Dense: [frequency][stride], whole tiles.</param>
/// <param name="Flips">Structured: eight signs of three rounds per word; as the map has them where it is not fused.</param>
/// <param name="Radii">Structured: radii in turns.</param>
sealed record DeviceMap(FourierMap Map, ArrayView<F4> Rows, ArrayView<uint> Flips, ArrayView<float> Radii);

/// <summary>The maps that a device has used last, at most <see cref="Most"/>.</summary>
sealed class DeviceMaps(Device device)
{
    const int Most = 4;

    readonly List<(int Place, DeviceMap Map)> _maps = [];

    public static DeviceMaps Of(Device device)
    {
        if (!device.Kept.TryGetValue(nameof(DeviceMaps), out object? kept))
            device.Kept[nameof(DeviceMaps)] = kept = new DeviceMaps(device);
        return (DeviceMaps)kept;
    }

    /// <summary>The parameters of a map, uploaded unless they are there already.</summary>
    public DeviceMap Get(FourierMap map)
    {
        int found = _maps.FindIndex(entry => ReferenceEquals(entry.Map.Map, map));
        if (found >= 0)
        {
            var entry = _maps[found];
            _maps.RemoveAt(found);
            _maps.Add(entry);
            return entry.Map;
        }
        int place = _maps.Count;
        if (_maps.Count == Most)
        {
            place = _maps[0].Place;
            _maps.RemoveAt(0);
        }
        DeviceMap made = map.IsStructured ? Structured(map, $"map {place}") : Dense(map, $"map {place}");
        _maps.Add((place, made));
        return made;
    }

    DeviceMap Dense(FourierMap map, string role)
    {
        int stride = DeviceTask.Padded(map.Dimension);
        int rows = (map.Frequencies + DensePrograms.TileSize - 1) / DensePrograms.TileSize * DensePrograms.TileSize;
        var padded = new float[(long)rows * stride];
        for (int j = 0; j < map.Frequencies; j++)
            map.Rows.AsSpan(j * map.Dimension, map.Dimension).CopyTo(padded.AsSpan(j * stride));
        device.Release($"{role} flips");
        ArrayView<float> view = device.Buffer<float>(role, padded.Length);
        device.Upload<float>(view, padded);
        return new(map, view.Cast<F4>(), default, default);
    }

    DeviceMap Structured(FourierMap map, string role)
    {
        uint[] flips = FourierLaunch.IsFused(map) ? Octets(map) : map.Flips;
        ArrayView<uint> words = device.Buffer<uint>($"{role} flips", flips.Length);
        ArrayView<float> radii = device.Buffer<float>(role, map.Radii.Length);
        device.Upload<uint>(words, flips);
        device.Upload<float>(radii, map.Radii);
        return new(map, default, words, radii);
    }

    static uint[] Octets(FourierMap map)
    {
        int padded = map.Padded;
        var flips = new uint[map.Frequencies / 8];
        for (int block = 0; block < map.Frequencies / padded; block++)
            for (int round = 0; round < 3; round++)
                for (int i = 0; i < padded; i++)
                    if (map.Flips[(block * 3 + round) * padded + i] != 0)
                        flips[(block * padded + i) / 8] |= 1u << (8 * round + i % 8);
        return flips;
    }
}
