namespace PrivateKernels.Server;

/// <summary>An engine of this machine, as people and scripts are told of it.</summary>
/// <param name="Kind">Family.</param>
/// <param name="Device">Device as its driver names it.</param>
/// <param name="IsVerified">Whether its cells have the processor's bits; an engine that fails is not used.</param>
/// <param name="RecordsPerSecond">Speed of a short build at start.</param>
public sealed record EngineDescription(EngineKind Kind, string Device, bool IsVerified, double RecordsPerSecond)
{
    /// <summary>The engines that a server here would find, best first; none stays open.</summary>
    public static IReadOnlyList<EngineDescription> Find()
    {
        using var engines = Engines.Open(new(), new(), new JsonLog(null, LogLevel.None));
        return [.. engines.Reports.Select(static r =>
            new EngineDescription(r.Engine.Kind, r.Engine.Device, r.IsVerified, r.RecordsPerSecond))];
    }
}
