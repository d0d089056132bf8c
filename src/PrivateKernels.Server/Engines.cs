namespace PrivateKernels.Server;

/// <summary>The engines of this machine, best first. The only place that chooses.</summary>
sealed class Engines : IDisposable
{
    Engines(IReadOnlyList<IEngine> all) => All = all;

    /// <summary>Engines in the order in which a build tries them; the last is SIMD on the processor, which always works.</summary>
    internal IReadOnlyList<IEngine> All { get; }

    /// <summary>The engine in use.</summary>
    internal IEngine First => All[0];

    internal static Engines Open(EngineOptions options) => options.Prefer switch
    {
        EnginePreference.Auto or EnginePreference.Simd => new([new SimdEngine(options.Threads)]),
        _ => throw new ConfigurationException($"Engine:Prefer is {options.Prefer}: this version has the engine simd only."),
    };

    public void Dispose()
    {
        foreach (IEngine engine in All) engine.Dispose();
    }
}
