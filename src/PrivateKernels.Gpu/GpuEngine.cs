using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Trouble on a device, for logs and health: names the device and the cause, never data.</summary>
/// <param name="Device">Device as its driver names it.</param>
/// <param name="Cause">What failed.</param>
/// <param name="IsPermanent">The device stays unused until the process ends.</param>
public sealed record DeviceEvent(string Device, string Cause, bool IsPermanent);

/// <summary>
/// Engine on one or several CUDA or OpenCL devices of one kind, which share every job point range by point range. Cells
/// are those of every other engine, bit for bit. Work that a device cannot do (some maps) or does not finish goes to
/// the fallback.
/// </summary>
public sealed class GpuEngine : IEngine
{
    readonly GpuOptions _options;
    readonly IEngine _fallback;
    readonly DeviceWorker[] _workers = [];
    readonly Device? _own;

    /// <param name="devices">Devices to use, at least one; the first one names the engine.</param>
    /// <param name="fallback">Engine for everything else; not disposed with this one.</param>
    /// <param name="options">Limits.</param>
    public GpuEngine(IReadOnlyList<DeviceDescription> devices, IEngine fallback, GpuOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        (_options, _fallback) = (options, fallback);
        Kind = devices[0].Kind;
        Device = string.Join(" + ", devices.Select(static d => d.Name));
        _workers = [.. devices.Select(d => new DeviceWorker(d, options, Report))];
    }

    /// <summary>An engine that does everything at once on an open device, which it does not own; for the device's thread.</summary>
    internal GpuEngine(Device device, IEngine fallback)
    {
        (_own, _options, _fallback) = (device, new GpuOptions { IsForced = true }, fallback);
        (Kind, Device) = (device.Description.Kind, device.Description.Name);
    }

    /// <summary>Raised once per trouble, on a thread of the engine.</summary>
    public event Action<DeviceEvent>? Troubled;

    public EngineKind Kind { get; }

    public string Device { get; }

    /// <summary>Memory of all devices together.</summary>
    public long MemoryBytes => _workers.Sum(static worker => worker.Description.MemoryBytes);

    /// <summary>Devices that take work at present.</summary>
    public int DevicesReady => _workers.Count(static w => w.Down == DeviceTrouble.None);

    public void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension && cells.Length == 2 * map.Frequencies);
        AddCells(
            points, cells, [],
            (device, sums) => points.IsWeighted || !FourierLaunch.IsFused(map)
                ? new WeightedTask(device, map, points.Count, sums) : new FourierTask(device, map, points.Count, sums),
            (rest, sums) => _fallback.AddFourier(map, rest, sums));
    }

    public void AddSecondMoments(FourierMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension && cells.Length == SecondMoments.CellsOf(map.Frequencies));
        AddCells(
            points, cells, [],
            (device, sums) => new SecondMomentTask(device, map, sums),
            (rest, sums) => _fallback.AddSecondMoments(map, rest, sums));
    }

    public void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
    {
        Expect(queries.Dimension == map.Dimension && weights.Length == 2L * map.Frequencies * columns);
        Expect(sums.Length == (long)queries.Count * columns * map.Groups);
        double[] copy = weights.ToArray();
        var answers = new double[sums.Length];
        int perQuery = columns * map.Groups;
        Run(
            queries,
            device => new ProjectTask(device, map, copy, columns, answers),
            (first, rest) => _fallback.ProjectFourier(
                map, rest, copy, columns, answers.AsSpan(first * perQuery, rest.Count * perQuery)));
        answers.CopyTo(sums);
    }

    public void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        Expect(points.Dimension == map.Dimension && fractions.Length == counts.Length);
        Expect(counts.Length == map.Dimension * map.CellsPerCoordinate);
        if (!SignTask.Supports(map))
        {
            _fallback.AddSigns(map, points, counts, fractions);
            return;
        }
        int half = counts.Length;
        AddCells(
            points, counts, fractions,
            (device, sums) => new SignTask(device, map, points.Count, sums),
            (rest, sums) => _fallback.AddSigns(map, rest, sums.AsSpan(0, half), sums.AsSpan(half)));
    }

    public void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension && cells.Length == map.Dimension + 2);
        AddCells(
            points, cells, [],
            (device, sums) => new ClampedTask(device, new MomentCells(device, map), points.Count, sums),
            (rest, sums) => _fallback.AddMoments(map, rest, sums));
    }

    public void AddPowers(PowerMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension && cells.Length == map.Dimension * map.Weights.Length);
        AddCells(
            points, cells, [],
            (device, sums) => new PowerTask(device, map, points.Count, sums),
            (rest, sums) => _fallback.AddPowers(map, rest, sums));
    }

    public void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Rows.Dimension && cells.Length == map.CellCount);
        AddCells(
            points, cells, [],
            (device, sums) => new ClampedTask(device, new SphericalCells(device, map), points.Count, sums),
            (rest, sums) => _fallback.AddSpherical(map, rest, sums));
    }

    public void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups)
    {
        Expect(points.Dimension == map.Rows.Dimension);
        Expect(points.Count <= (points.IsWeighted ? SlicedMap.MostWeighted : SlicedMap.MostRecords));
        Expect(packed.Length == (long)map.Rows.Frequencies * SlicedMap.CellsPerRow && groups.Length == map.Rows.Groups);
        if (!SlicedTask.Supports(map))
        {
            _fallback.AddSliced(map, points, packed, groups);
            return;
        }
        int cells = packed.Length;
        AddCells(
            points, packed, groups,
            (device, sums) => new SlicedTask(device, map, points.Count, sums),
            (rest, sums) => _fallback.AddSliced(map, rest, sums.AsSpan(0, cells), sums.AsSpan(cells)));
    }

    public void AddLandmarks(LandmarkMap map, Points points, Span<long> cells)
    {
        Expect(points.Dimension == map.Dimension && cells.Length == map.Count);
        if (!LandmarkCells.Supports(map))
        {
            _fallback.AddLandmarks(map, points, cells);
            return;
        }
        AddCells(
            points, cells, [],
            (device, sums) => new ClampedTask(device, new LandmarkCells(device, map), points.Count, sums),
            (rest, sums) => _fallback.AddLandmarks(map, rest, sums));
    }

    public void MultiplyRows(FourierMap map, Points points, Span<float> products)
    {
        Expect(points.Dimension == map.Dimension && products.Length == (long)points.Count * map.Frequencies);
        WriteRows(
            points, products, map.Frequencies,
            device =>
            {
                var launch = new FourierLaunch(device, map);
                return (slot, records, rows) => launch.Multiply(device.Slots[slot], records, rows);
            },
            (rest, rows) => _fallback.MultiplyRows(map, rest, rows.Span));
    }

    public void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features)
    {
        Expect(queries.Dimension == map.Dimension && features.Length == (long)queries.Count * map.Count);
        if (!LandmarkCells.Supports(map))
        {
            _fallback.LandmarkFeatures(map, queries, features);
            return;
        }
        WriteRows(
            queries, features, map.Count,
            device => new LandmarkCells(device, map).WritePhi,
            (rest, rows) => _fallback.LandmarkFeatures(map, rest, rows.Span));
    }

    public void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums)
    {
        Expect(points.Dimension == queries.Dimension && sums.Length == queries.Count);
        var result = new double[sums.Length];
        Func<Device, DeviceTask>? start = null;
        if (DeviceProfile.Of(function) is { } profile)
        {
            ExpandedForm? form = ExpandedForm.For(
                function, points, queries, static (items, body) => Parallel.For(0, items, body));
            start = device => new ExactSumTask(device, profile, form, points.Count, queries, result);
        }
        else if (PreciseSumTask.ProgramOf(function) is { } program && _workers.All(static w => w.Description.HasDouble))
            start = device => new PreciseSumTask(device, function, program, points.Count, queries, result);
        if (start is null || queries.Count == 0)
        {
            _fallback.AddExactSums(function, points, queries, sums);
            return;
        }
        Run(points, start, (_, rest) => _fallback.AddExactSums(function, rest, queries, result));
        for (int q = 0; q < result.Length; q++) sums[q] += result[q];
    }

    public void Dispose()
    {
        foreach (DeviceWorker worker in _workers) worker.Dispose();
    }

    /// <summary>Sums a job apart and adds it to the two parts of the cells when it is complete.</summary>
    void AddCells(
        Points points, Span<long> first, Span<long> second, Func<Device, long[], DeviceTask> start,
        Action<Points, long[]> fallback)
    {
        var sums = new long[first.Length + second.Length];
        try
        {
            Run(points, device => start(device, sums), (_, rest) => fallback(rest, sums));
            Add(sums, first);
            Add(sums.AsSpan(first.Length), second);
        }
        finally
        {
            // Exact cells are private: none stay behind.
            Array.Clear(sums);
        }
    }

    /// <summary>Writes a row of numbers for every point; <paramref name="start"/> makes what a slot is written with.</summary>
    void WriteRows(
        Points points, Span<float> target, int width, Func<Device, Action<int, int, ArrayView<float>>> start,
        Action<Points, Memory<float>> fallback)
    {
        var rows = new float[target.Length];
        Run(
            points,
            device => new RowsTask(device, points.Dimension, width, start(device), rows),
            (first, rest) => fallback(rest, rows.AsMemory(first * width, rest.Count * width)));
        rows.CopyTo(target);
    }

    /// <summary>Runs a job on the devices that are ready, then what they left over on the fallback.</summary>
    void Run(Points points, Func<Device, DeviceTask> start, Action<int, Points> fallback)
    {
        if (points.Count == 0) return;
        if (_own is { } device)
        {
            using var whole = new JobShare(new DeviceJob(points, start, new WorkList(points.Count), 1));
            DeviceWorker.Work(whole, device, _options.SlotBytes);
            return;
        }
        DeviceWorker[] workers = [.. _workers.Where(static w => w.IsReady)];
        var work = new WorkList(points.Count);
        var job = new DeviceJob(points, start, work, Math.Max(1, workers.Length));
        JobShare[] shares = [.. workers.Select(_ => new JobShare(job))];
        for (int i = 0; i < shares.Length; i++) workers[i].Post(shares[i]);
        for (int i = 0; i < shares.Length; i++)
            if (!shares[i].Wait(_options.BatchTimeout))
            {
                workers[i].Abandon(shares[i].Trouble!);
                Report(workers[i], shares[i].Trouble!);
            }
        DeviceException? trouble = shares.Select(static s => s.Trouble).FirstOrDefault(static t => t is not null);
        while (work.TryTake(int.MaxValue, out PointRange rest))
        {
            if (_options.IsForced)
                throw new EngineFailedException(
                    $"the engine {Kind} was asked for and failed: {trouble?.Message ?? "no device is ready"}", trouble);
            fallback(rest.First, points.Slice(rest.First, rest.Count));
        }
        foreach (JobShare share in shares) share.Dispose();
    }

    void Report(DeviceWorker worker, DeviceException trouble) =>
        Troubled?.Invoke(new(
            worker.Description.Name, trouble.Message,
            trouble.Trouble is DeviceTrouble.Overdue or DeviceTrouble.Program));

    static void Expect(bool holds)
    {
        if (!holds) throw new ArgumentException("the lengths of points, cells or sums do not fit the map");
    }

    static void Add(ReadOnlySpan<long> sums, Span<long> cells)
    {
        for (int i = 0; i < cells.Length; i++) cells[i] += sums[i];
    }
}
