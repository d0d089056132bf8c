using System.Runtime.InteropServices;

namespace PrivateKernels.Cli;

/// <summary>Memory holds rows, cells before noise, and keys: no crash shall write it into a file.</summary>
static partial class CoreDumps
{
    const int CoreLimit = 4, GetDumpable = 3, SetDumpable = 4;

    /// <summary>
    /// On Linux, for this process: core files have no room (RLIMIT_CORE = 0), and the process is not dumpable (PR_SET_DUMPABLE),
    /// since a handler that /proc/sys/kernel/core_pattern pipes dumps into is run whatever the limit. Nothing elsewhere.
    /// </summary>
    /// <remarks>Neither call can fail: a limit is only lowered, and the other knows no error for this value.</remarks>
    public static void Forbid()
    {
        if (!OperatingSystem.IsLinux()) return;
        _ = SetLimit(CoreLimit, default);
        _ = Control(SetDumpable, 0, 0, 0, 0);
    }

    /// <summary>Whether a crash of this process would leave a dump.</summary>
    public static bool AreAllowed => !OperatingSystem.IsLinux() || Control(GetDumpable, 0, 0, 0, 0) != 0;

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint value, nuint third, nuint fourth, nuint fifth);

    readonly record struct Limit(nuint Soft, nuint Hard);
}
