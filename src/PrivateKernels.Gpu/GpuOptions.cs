namespace PrivateKernels.Gpu;

/// <summary>Limits of the GPU engine. None of them can change a cell.</summary>
public sealed record GpuOptions
{
    /// <summary>Points that one copy takes to the device, in bytes; 1 MiB to 64 MiB.</summary>
    public long SlotBytes { get; init; } = 32 << 20;

    /// <summary>Most device memory to use per device; 0 = four fifths of what it has.</summary>
    public long MemoryLimitBytes { get; init; }

    /// <summary>A batch that takes longer counts as failed.</summary>
    public TimeSpan BatchTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// True: trouble with the device is an <see cref="EngineFailedException"/>. False: the processor does the work.
    /// Shapes that no device program serves are for the processor in either case.
    /// </summary>
    public bool IsForced { get; init; }

    /// <summary>Makes a hook that is called before every step on a device; for tests.</summary>
    internal Func<DeviceDescription, Action<DeviceStep>>? Probe { get; init; }

    internal long MemoryLimitFor(DeviceDescription device) =>
        MemoryLimitBytes > 0 ? MemoryLimitBytes : device.MemoryBytes / 5 * 4;
}
