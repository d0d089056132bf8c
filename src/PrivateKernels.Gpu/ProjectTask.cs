using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Answers queries: features on the device, then their inner products with the weights in fp64; on a device without
/// fp64 the features come back and the host adds, in the same order.
/// </summary>
sealed class ProjectTask : DeviceTask
{
    // Features of one slot take at most this much device memory.
    const long FeatureBytes = 64 << 20;

    readonly Device _device;
    readonly FourierMap _map;
    readonly FourierLaunch _launch;
    readonly ReadOnlyMemory<double> _weights;
    readonly ArrayView<double> _deviceWeights;
    readonly Memory<double> _result;
    readonly int _columns, _sumsPerQuery;
    readonly List<(int Slot, PointRange Range, double[] Sums)> _launched = [];

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public frequencies.</param>
    /// <param name="weights">[column][2 m] weights.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="result">[query][column][group] answers of the whole job.</param>
    public ProjectTask(
        Device device, FourierMap map, ReadOnlyMemory<double> weights, int columns, Memory<double> result)
    {
        (_device, _map, _weights, _columns, _result) = (device, map, weights, columns, result);
        _launch = new FourierLaunch(device, map);
        _sumsPerQuery = columns * map.Groups;
        Stride = Padded(map.Dimension);
        LargestBatch = (int)Math.Clamp(
            FeatureBytes / (8L * map.Frequencies) / RowsPerTile * RowsPerTile, RowsPerTile, 1024);
        if (!device.Description.HasDouble) return;
        _deviceWeights = device.Buffer<double>("weights", weights.Length);
        device.Upload(_deviceWeights, weights);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    // Each slot holds the answers of one launch.
    public override int SlotsPerCheckpoint => 2;

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        ArrayView<float> features = Features(slot, range);
        _launch.Write(s, range.Count, features);
        if (_device.Description.HasDouble)
        {
            var arguments = new ProjectArguments
            {
                Features = features,
                Weights = _deviceWeights,
                Sums = Sums(slot, range),
                Count = range.Count * _sumsPerQuery,
                Columns = _columns,
                Groups = _map.Groups,
                Frequencies = _map.Frequencies,
            };
            int groups = (arguments.Count + ProjectPrograms.SumsPerGroup - 1) / ProjectPrograms.SumsPerGroup;
            _device.Launch(s.Stream, ProjectPrograms.Project, groups, ProjectPrograms.Threads, arguments);
        }
        _launched.Add((slot, range, new double[range.Count * _sumsPerQuery]));
    }

    public override void Fetch()
    {
        foreach ((int slot, PointRange range, double[] sums) in _launched)
            if (_device.Description.HasDouble)
                _device.Download(Sums(slot, range), sums);
            else
                AddOnHost(Features(slot, range), sums);
    }

    public override void Commit()
    {
        foreach ((_, PointRange range, double[] sums) in _launched)
            sums.CopyTo(_result.Span[(range.First * _sumsPerQuery)..]);
        _launched.Clear();
    }

    ArrayView<float> Features(int slot, PointRange range) =>
        _device.Buffer<float>($"features {slot}", 2L * range.Count * _map.Frequencies);

    ArrayView<double> Sums(int slot, PointRange range) =>
        _device.Buffer<double>($"sums {slot}", (long)range.Count * _sumsPerQuery);

    void AddOnHost(ArrayView<float> view, double[] sums)
    {
        int m = _map.Frequencies, width = m / _map.Groups;
        var features = new float[view.Length];
        _device.Download<float>(view, features);
        Span<double> partial = stackalloc double[ProjectPrograms.Lanes];
        for (int at = 0; at < sums.Length; at++)
        {
            int group = at % _map.Groups, column = at / _map.Groups % _columns, query = at / _sumsPerQuery;
            ReadOnlySpan<float> x = features.AsSpan(query * 2 * m + group * width);
            ReadOnlySpan<double> w = _weights.Span[(column * 2 * m + group * width)..];
            partial.Clear();
            for (int j = 0; j < width; j++)
            {
                ref double sum = ref partial[j % partial.Length];
                sum = Math.FusedMultiplyAdd(x[j], w[j], sum);
                sum = Math.FusedMultiplyAdd(x[m + j], w[m + j], sum);
            }
            for (int half = partial.Length / 2; half > 0; half /= 2)
                for (int t = 0; t < half; t++) partial[t] += partial[t + half];
            sums[at] = partial[0];
        }
    }
}
