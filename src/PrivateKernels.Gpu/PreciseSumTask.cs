using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Exact sums over public points in fp64, for functions that fp32 cannot carry.</summary>
sealed class PreciseSumTask : DeviceTask
{
    const int ChunksPerLaunch = 128, Launches = 8;

    readonly Device _device;
    readonly PairFunction _function;
    readonly Action<PreciseSumArguments> _program;
    readonly ArrayView<float> _queries;
    readonly ArrayView<double> _partial;
    readonly double[] _fetched, _sums;
    readonly Memory<double> _result;
    int _chunks;

    /// <param name="device">Where it runs; it computes in fp64.</param>
    /// <param name="function">A function with a program.</param>
    /// <param name="program">The program.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="queries">Queries.</param>
    /// <param name="result">[query] sums of the job.</param>
    public PreciseSumTask(
        Device device, PairFunction function, Action<PreciseSumArguments> program, int points, Points queries,
        Memory<double> result)
    {
        (_device, _function, _program, _result) = (device, function, program, result);
        Stride = Padded(queries.Dimension);
        var padded = new float[(long)queries.Count * Stride];
        for (int row = 0; row < queries.Count; row++) queries.Row(row).CopyTo(padded.AsSpan(row * Stride));
        _queries = device.Buffer<float>("queries", padded.Length);
        device.Upload<float>(_queries, padded);
        long launches = Math.Min(Launches, 2 + points / LargestBatch);
        _partial = device.Buffer<double>("precise sums", launches * ChunksPerLaunch * queries.Count);
        (_fetched, _sums) = (new double[_partial.Length], new double[queries.Count]);
    }

    public override int Stride { get; }

    public override int LargestBatch => ChunksPerLaunch * PreciseSumPrograms.PointsPerChunk;

    public override int SlotsPerCheckpoint => Launches;

    /// <summary>The program of a function; null if fp32 carries it.</summary>
    public static Action<PreciseSumArguments>? ProgramOf(PairFunction function) => function switch
    {
        RationalQuadratic => PreciseSumPrograms.SumRationalQuadratic,
        LpP => PreciseSumPrograms.SumPowers,
        ArcCosine0 => PreciseSumPrograms.SumArcCosine0,
        ArcCosine1 => PreciseSumPrograms.SumArcCosine1,
        NtkRelu1 => PreciseSumPrograms.SumNtkRelu1,
        _ => null,
    };

    public override void Launch(int slot, PointRange range)
    {
        Slot s = _device.Slots[slot];
        int chunks = (range.Count + PreciseSumPrograms.PointsPerChunk - 1) / PreciseSumPrograms.PointsPerChunk;
        int groups = chunks * ((_sums.Length + PreciseSumPrograms.Side - 1) / PreciseSumPrograms.Side);
        _device.Launch(s.Stream, _program, groups, PreciseSumPrograms.Threads, new PreciseSumArguments
        {
            Points = s.Device,
            Queries = _queries,
            Sums = _partial.SubView((long)_chunks * _sums.Length, (long)chunks * _sums.Length),
            PointCount = range.Count,
            QueryCount = _sums.Length,
            Stride = Stride,
            Bandwidth = _function.Bandwidth,
            Exponent = _function.Exponent,
        });
        _chunks += chunks;
    }

    public override void Fetch()
    {
        int count = _chunks * _sums.Length;
        _device.Download<double>(_partial, _fetched.AsMemory(0, count));
        Array.Clear(_sums);
        for (int i = 0; i < count; i++) _sums[i % _sums.Length] += _fetched[i];
        _chunks = 0;
    }

    public override void Commit()
    {
        for (int q = 0; q < _sums.Length; q++) _result.Span[q] += _sums[q];
    }
}
