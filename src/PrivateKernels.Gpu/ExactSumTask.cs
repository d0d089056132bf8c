using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Exact sums of a pair function over public points: fp32 values on the device, fp64 sums on the host.
/// </summary>
sealed class ExactSumTask : DeviceTask
{
    const int ChunksPerLaunch = 32, Launches = 16;

    readonly Device _device;
    readonly DeviceProfile _profile;
    readonly Action<ExactSumArguments> _program;
    readonly ArrayView<F4> _center, _queryNorms;
    readonly ArrayView<F4> _queries;
    readonly ArrayView<float> _partial;
    readonly float[] _fetched;
    readonly double[] _sums;
    readonly Memory<double> _result;
    readonly int _queryCount;
    int _chunks;

    /// <param name="device">Where it runs.</param>
    /// <param name="profile">The function in the form that devices run.</param>
    /// <param name="form">Distances from norms and inner products, or null.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="queries">Queries.</param>
    /// <param name="result">[query] sums of the job.</param>
    public ExactSumTask(
        Device device, DeviceProfile profile, ExpandedForm? form, int points, Points queries, Memory<double> result)
    {
        (_device, _profile, _result, _queryCount) = (device, profile, result, queries.Count);
        Stride = Padded(queries.Dimension);
        int rows = (_queryCount + TileProduct.Size - 1) / TileProduct.Size * TileProduct.Size;
        if (form is not null)
        {
            (ReadOnlyMemory<float> values, float[] norms) = form.Apply(queries);
            queries = new(values, queries.Dimension);
            Array.Resize(ref norms, rows);
            _queryNorms = Uploaded("query norms", norms);
            float[] center = form.Center;
            Array.Resize(ref center, Stride);
            _center = Uploaded("center", center);
        }
        _program = form is null ? profile.Program : profile.Expanded!;
        var padded = new float[(long)rows * Stride];
        for (int row = 0; row < _queryCount; row++) queries.Row(row).CopyTo(padded.AsSpan(row * Stride));
        _queries = Uploaded("queries", padded);
        long launches = Math.Min(Launches, 1 + points / LargestBatch + (points % LargestBatch > 0 ? 1 : 0));
        _partial = device.Buffer<float>("exact sums", launches * ChunksPerLaunch * _queryCount);
        _fetched = new float[_partial.Length];
        _sums = new double[_queryCount];
    }

    public override int Stride { get; }

    public override int LargestBatch => ChunksPerLaunch * ExactSumPrograms.PointsPerChunk;

    public override int SlotsPerCheckpoint => Launches;

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        ArrayView<F4> norms = _center.Length > 0 ? Centre(slot, s, range.Count) : default;
        int chunks = (range.Count + ExactSumPrograms.PointsPerChunk - 1) / ExactSumPrograms.PointsPerChunk;
        var arguments = new ExactSumArguments
        {
            Points = s.Device.Cast<F4>(),
            Queries = _queries,
            PointNorms = norms,
            QueryNorms = _queryNorms,
            Sums = _partial.SubView((long)_chunks * _queryCount, (long)chunks * _queryCount),
            PointCount = range.Count,
            QueryCount = _queryCount,
            Stride = Stride / 4,
            Scale = _profile.Scale,
        };
        int columns = (_queryCount + TileProduct.Size - 1) / TileProduct.Size;
        _device.Launch(s.Stream, _program, chunks * columns, TileProduct.Threads, arguments);
        _chunks += chunks;
    }

    /// <summary>Queues the program that centres the points of a slot; their norms, for whole tiles.</summary>
    ArrayView<F4> Centre(int slot, Slot s, int points)
    {
        int rows = (points + TileProduct.Size - 1) / TileProduct.Size * TileProduct.Size;
        ArrayView<float> norms = _device.Buffer<float>($"norms {slot}", rows);
        _device.Launch(
            s.Stream, CenterPrograms.CenterPoints, (points + CenterPrograms.Threads - 1) / CenterPrograms.Threads,
            CenterPrograms.Threads, new CenterArguments
            {
                Points = s.Device.Cast<F4>(),
                Center = _center,
                Norms = norms,
                PointCount = points,
                Stride = Stride / 4,
            });
        return norms.Cast<F4>();
    }

    ArrayView<F4> Uploaded(string role, float[] values)
    {
        ArrayView<float> view = _device.Buffer<float>(role, values.Length);
        _device.Upload<float>(view, values);
        return view.Cast<F4>();
    }

    public override void Fetch()
    {
        int count = _chunks * _queryCount;
        _device.Download<float>(_partial, _fetched.AsMemory(0, count));
        Array.Clear(_sums);
        for (int i = 0; i < count; i++) _sums[i % _queryCount] += _fetched[i];
        _chunks = 0;
    }

    public override void Commit()
    {
        for (int q = 0; q < _queryCount; q++) _result.Span[q] += _sums[q];
    }
}
