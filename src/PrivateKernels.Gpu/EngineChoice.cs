namespace PrivateKernels.Gpu;

/// <summary>What may be chosen from.</summary>
/// <param name="Prefer">
/// Engine to take if it is verified; from then on it is forced: its trouble is the work's failure, and no other engine does
/// the work. null = the fastest verified one, with the processor behind it.
/// </param>
/// <param name="Threads">Threads of the SIMD engine; 0 = one per logical processor.</param>
/// <param name="AllowCpuOpenCl">Lets OpenCL devices that are processors take part.</param>
/// <param name="BatchTimeout">A device batch that takes longer counts as failed.</param>
public sealed record EngineWish(EngineKind? Prefer, int Threads, bool AllowCpuOpenCl, TimeSpan BatchTimeout)
{
    /// <summary>Called before every step on a device; tests make it throw.</summary>
    public Action? BeforeDeviceStep { get; init; }
}

/// <summary>
/// The engines of this machine, verified and timed once at start, best first. SIMD is always among them; a machine
/// without a GPU or a driver has just that one.
/// </summary>
public sealed class EngineChoice : IDisposable
{
    readonly List<string> _problems = [];

    EngineChoice(EngineWish wish)
    {
        var simd = new SimdEngine(wish.Threads);
        var engines = new List<IEngine> { simd };
        if (wish.Prefer != EngineKind.Simd)
        {
            var options = new GpuOptions { BatchTimeout = wish.BatchTimeout };
            if (wish.BeforeDeviceStep is { } step) options = options with { Probe = _ => _ => step() };
            foreach (var devices in Find(wish.AllowCpuOpenCl).GroupBy(static device => device.Kind))
            {
                var engine = new GpuEngine(
                    [.. devices], simd, options with { IsForced = devices.Key == wish.Prefer });
                engine.Troubled += trouble => Troubled?.Invoke(trouble);
                engines.Add(engine);
            }
        }
        Reports = [.. EngineCheck.Race(engines).OrderByDescending(
            report => report.IsVerified && report.Engine.Kind == wish.Prefer)];
        IsForced = Reports[0] is { IsVerified: true } first && first.Engine.Kind == wish.Prefer;
        foreach (EngineReport report in Reports)
            if (report.Problem is { } problem) _problems.Add($"{report.Engine.Device}: {problem}");
        if (wish.Prefer is { } kind && Reports[0].Engine.Kind != kind)
            _problems.Add($"the engine {kind} was asked for, but no verified one is on this machine");
    }

    /// <summary>Trouble on a device while it works; unless the engine is forced the work itself goes on elsewhere.</summary>
    public event Action<DeviceEvent>? Troubled;

    /// <summary>All engines, the chosen one first, those that failed the check last.</summary>
    public IReadOnlyList<EngineReport> Reports { get; }

    /// <summary>Whether the first engine was asked for by name, so that no other one may do its work.</summary>
    public bool IsForced { get; }

    /// <summary>What went wrong at start, for log and health.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Finds, verifies and times the engines; takes seconds where programs must be compiled.</summary>
    /// <exception cref="EngineFailedException">Not even the processor computes the golden cells.</exception>
    public static EngineChoice Open(EngineWish wish)
    {
        var choice = new EngineChoice(wish);
        if (choice.Reports.Any(
            static report => report is { IsVerified: true, Engine.Kind: EngineKind.Simd })) return choice;
        choice.Dispose();
        throw new EngineFailedException(
            "this processor does not compute the golden cells: " + string.Join("; ", choice.Problems), null);
    }

    public void Dispose()
    {
        // Devices first: they hand what is left to SIMD.
        foreach (EngineReport report in Reports.OrderBy(static report => report.Engine.Kind == EngineKind.Simd))
            report.Engine.Dispose();
    }

    IReadOnlyList<DeviceDescription> Find(bool allowCpuOpenCl)
    {
        try
        {
            return GpuDevices.Find(allowCpuOpenCl);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Drivers fail in ways of their own, and none of them is a reason not to serve.
            _problems.Add($"looking for devices failed: {e.Message}");
            return [];
        }
    }
}
