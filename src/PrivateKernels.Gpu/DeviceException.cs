namespace PrivateKernels.Gpu;

/// <summary>What went wrong on a device, as far as it matters for what to do next.</summary>
enum DeviceTrouble
{
    None,

    /// <summary>No memory for a buffer; the device stays usable.</summary>
    Memory,

    /// <summary>A copy, a launch or a synchronisation failed: everything on the device is gone.</summary>
    Lost,

    /// <summary>A program does not compile for this device; it never will.</summary>
    Program,

    /// <summary>A batch took longer than allowed; its thread may never come back.</summary>
    Overdue,
}

/// <summary>Trouble on a device; never leaves the engine while another engine can do the work.</summary>
sealed class DeviceException(DeviceTrouble trouble, string message, Exception? cause = null) : Exception(message, cause)
{
    public DeviceTrouble Trouble { get; } = trouble;
}
