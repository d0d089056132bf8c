using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Integer features that are written record by record, shortened to a bound on their norm and added.</summary>
interface IClampedFeatures
{
    /// <summary>Coordinates per point.</summary>
    int Dimension { get; }

    /// <summary>Features per record.</summary>
    int Count { get; }

    /// <summary>B^2 of the norm clamp.</summary>
    long SquaredBound { get; }

    /// <summary>A record whose squares sum to more than this adds nothing; at most 2^61.</summary>
    long LargestNorm { get; }

    /// <summary>Device memory per record beside the features.</summary>
    long BytesPerRecord { get; }

    /// <summary>Queues the programs that write [record][Count] features of the points in a slot.</summary>
    void Write(int slot, int records, ArrayView<int> target);
}

/// <summary>Adds norm-clamped integer features: moments, spherical features, landmarks.</summary>
sealed class ClampedTask : DeviceTask
{
    // Features of one slot take at most this much device memory.
    const long FeatureBytes = 128 << 20;

    readonly Device _device;
    readonly IClampedFeatures _features;
    readonly CellSums _cells;
    readonly Memory<long> _result;
    readonly int _tiles;

    /// <param name="device">Where it runs.</param>
    /// <param name="features">What is added.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">Sums of the job, one per feature.</param>
    public ClampedTask(Device device, IClampedFeatures features, int points, Memory<long> result)
    {
        (_device, _features, _result) = (device, features, result);
        _tiles = (features.Count + ClampPrograms.Threads - 1) / ClampPrograms.Threads;
        _cells = new CellSums(device, features.Count, Math.Clamp(2 * device.BusyGroups / _tiles, 1, points));
        Stride = Padded(features.Dimension);
        long bytes = sizeof(int) * (long)features.Count + features.BytesPerRecord;
        LargestBatch = (int)Math.Clamp(FeatureBytes / bytes / RowsPerTile * RowsPerTile, RowsPerTile, 1 << 20);
    }

    public override int Stride { get; }

    public override int LargestBatch { get; }

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        ArrayView<int> features = _device.Buffer<int>($"features {slot}", (long)range.Count * _features.Count);
        _features.Write(slot, range.Count, features);
        var arguments = new ClampArguments
        {
            Features = features,
            Factors = _device.Buffer<long>($"factors {slot}", range.Count),
            Cells = _cells.Partial(slot),
            Records = range.Count,
            Count = _features.Count,
            Slices = _cells.Slices,
            SquaredBound = _features.SquaredBound,
            Bound = NormClamp.IntegerSquareRoot(_features.SquaredBound),
            LargestNorm = _features.LargestNorm,
        };
        int groups = Math.Min(range.Count, 1 << 16);
        _device.Launch(s.Stream, ClampPrograms.FindFactors, groups, ClampPrograms.Threads, arguments);
        _device.Launch(s.Stream, ClampPrograms.AddClamped, _tiles * _cells.Slices, ClampPrograms.Threads, arguments);
    }

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
