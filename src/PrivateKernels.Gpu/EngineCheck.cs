using System.Diagnostics;

namespace PrivateKernels.Gpu;

/// <summary>What the check at start says about an engine.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="IsVerified">Its cells have the golden hash.</param>
/// <param name="RecordsPerSecond">Speed on the fixed batch, copies included; 0 if not verified.</param>
/// <param name="Problem">Why it is not verified, or null.</param>
public sealed record EngineReport(IEngine Engine, bool IsVerified, double RecordsPerSecond, string? Problem)
{
    /// <summary>Memory of its devices; 0 for the processor's engine, which uses the machine's.</summary>
    public long MemoryBytes => (Engine as GpuEngine)?.MemoryBytes ?? 0;
}

/// <summary>
/// The fixed batch on which every engine is verified and timed at start: 4096 records of dimension 128, 1024 pairs of
/// features, dense and structured. Everything in it comes from integers, so it is the same on every platform.
/// </summary>
public static class EngineCheck
{
    const int Records = 4096, Dimension = 128, Frequencies = 1024, TimedRuns = 5;

    /// <summary>FNV-1a hash of the cells that every engine must get.</summary>
    public const ulong GoldenHash = 0xf8466b63ceb4fc65;

    static readonly Lazy<(Points Points, FourierMap[] Maps)> Batch = new(Make);

    /// <summary>
    /// Verifies and times engines; the fastest verified one first, those that failed last.
    /// </summary>
    public static IReadOnlyList<EngineReport> Race(IReadOnlyCollection<IEngine> engines)
    {
        int runs = engines.Count > 1 ? TimedRuns : 1;
        IEnumerable<EngineReport> reports = engines.Select(engine => Check(engine, runs));
        return [.. reports.OrderByDescending(static report => report.RecordsPerSecond)];
    }

    /// <summary>
    /// Runs the batch: the hash of both maps first and those of <see cref="SketchChecks"/>, then the median time of runs of the
    /// structured map.
    /// </summary>
    public static EngineReport Check(IEngine engine, int timedRuns)
    {
        try
        {
            if (Problem(engine) is { } problem) return new(engine, false, 0, problem);
            var seconds = new double[timedRuns];
            for (int run = 0; run < timedRuns; run++)
            {
                long began = Stopwatch.GetTimestamp();
                Hash(engine, Batch.Value.Maps.AsSpan(1));
                seconds[run] = Stopwatch.GetElapsedTime(began).TotalSeconds;
            }
            Array.Sort(seconds);
            return new(engine, true, Records / seconds[timedRuns / 2], null);
        }
        catch (Exception e) when (e is EngineFailedException or DeviceException)
        {
            return new(engine, false, 0, e.Message);
        }
    }

    /// <summary>Throws unless a device that was just opened gets every golden hash; on the device's thread.</summary>
    internal static void Verify(Device device)
    {
        using var simd = new SimdEngine(1);
        using var engine = new GpuEngine(device, simd);
        if (Problem(engine) is { } problem)
            throw new DeviceException(DeviceTrouble.Program, $"{device.Description.Name}: {problem}");
    }

    /// <summary>What an engine computes wrong, or null.</summary>
    static string? Problem(IEngine engine)
    {
        ulong hash = Hash(engine, Batch.Value.Maps);
        if (hash != GoldenHash) return $"its cells have the hash {hash:x16} instead of {GoldenHash:x16}";
        foreach (SketchCheck check in SketchChecks.All)
            if (check.Hash(engine) is var found && found != check.Golden)
                return $"its {check.Name} have the hash {found:x16} instead of {check.Golden:x16}";
        return null;
    }

    static ulong Hash(IEngine engine, ReadOnlySpan<FourierMap> maps)
    {
        ulong hash = SketchChecks.Hash([]);
        var cells = new long[2 * Frequencies];
        foreach (FourierMap map in maps)
        {
            Array.Clear(cells);
            engine.AddFourier(map, Batch.Value.Points, cells);
            hash = SketchChecks.Hash(cells, hash);
        }
        return hash;
    }

    static (Points Points, FourierMap[] Maps) Make()
    {
        var random = new PublicRandom(0x70726976);
        float Next(float scale) => (int)(random.NextBits() >> 40) * scale - (1 << 23) * scale;
        float[] Many(int count, float scale)
        {
            var values = new float[count];
            for (int i = 0; i < count; i++) values[i] = Next(scale);
            return values;
        }
        var points = new Points(Many(Records * Dimension, 1f / (1 << 22)), Dimension);
        FourierMap dense = FourierMap.Dense(Dimension, Many(Frequencies * Dimension, 1f / (1 << 24)), 1);
        float[] radii = Many(Frequencies, 1f / (1 << 30));
        var flips = new uint[3 * Frequencies];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(random.NextBits() >> 63) << 31;
        return (points, [dense, FourierMap.Structured(Dimension, Dimension, flips, radii, 1)]);
    }
}
