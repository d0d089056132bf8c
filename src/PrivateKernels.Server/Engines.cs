using PrivateKernels.Gpu;

namespace PrivateKernels.Server;

/// <summary>The verified engines of this machine, best first. The only place that chooses.</summary>
sealed class Engines : IDisposable
{
    readonly EngineChoice _choice;
    readonly QueryBatcher? _batcher;

    Engines(EngineChoice choice, QueryOptions query)
    {
        _choice = choice;
        IEngine[] verified = [.. choice.Reports.Where(static report => report.IsVerified).Select(static report => report.Engine)];
        All = choice.IsForced ? verified[..1] : verified;
        Processor = verified.First(static engine => engine.Kind == EngineKind.Simd);
        _batcher = First == Processor ? null : new QueryBatcher(First, Processor, query.BatchPoints, query.SimdBelowPoints);
    }

    /// <summary>
    /// Engines in the order in which a build tries them: the one that was asked for alone, otherwise every verified one, SIMD
    /// on the processor among them.
    /// </summary>
    internal IReadOnlyList<IEngine> All { get; }

    /// <summary>The engine in use.</summary>
    internal IEngine First => All[0];

    /// <summary>SIMD on the processor, whichever engine is forced: for work too small for a device.</summary>
    internal IEngine Processor { get; }

    /// <summary>What was found at start, also engines that failed the check.</summary>
    internal IReadOnlyList<EngineReport> Reports => _choice.Reports;

    /// <summary>
    /// The engine in use, for the queries of a call: small ones go to the processor, those that wait go together, and one
    /// whose call has ended is dropped before it runs.
    /// </summary>
    internal IEngine Queries(CancellationToken cancellation) => _batcher?.For(cancellation) ?? Processor;

    internal static Engines Open(EngineOptions options, QueryOptions query, JsonLog log)
    {
        EngineKind? prefer = options.Prefer switch
        {
            EnginePreference.Cuda => EngineKind.Cuda,
            EnginePreference.OpenCL => EngineKind.OpenCl,
            EnginePreference.Simd => EngineKind.Simd,
            _ => null,
        };
        EngineChoice choice = EngineChoice.Open(
            new(prefer, options.Threads, options.AllowCpuOpenCl, options.BatchTimeout)
            {
                BeforeDeviceStep = options.BeforeDeviceStep,
            });
        choice.Troubled += trouble => log.Write(
            LogLevel.Error, "device", ("device", trouble.Device), ("cause", trouble.Cause),
            ("disabled", trouble.IsPermanent));
        foreach (string problem in choice.Problems) log.Write(LogLevel.Error, "engine", ("problem", problem));
        foreach (EngineReport report in choice.Reports)
            log.Write(LogLevel.Information, "engine", ("device", report.Engine.Device), ("kind", report.Engine.Kind),
                ("verified", report.IsVerified), ("records_per_second", Math.Round(report.RecordsPerSecond)));
        return new(choice, query);
    }

    public void Dispose() => _choice.Dispose();
}
