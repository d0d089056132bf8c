using System.Runtime.InteropServices;

namespace PrivateKernels.Storage;

/// <summary>Ends the process at once, as SIGKILL would, with an exit code.</summary>
static partial class ProcessExit
{
    /// <summary>
    /// Writes one line and leaves. Nothing else runs: no finalizer, no handler of ProcessExit, no reply to a caller, since
    /// after a failed durable step none of them could say anything true.
    /// </summary>
    public static void Now(int exitCode, string message, Exception? cause)
    {
        Console.Error.WriteLine(cause is null ? message : $"{message} ({cause.GetType().Name})");
        Console.Error.Flush();
        if (OperatingSystem.IsWindows()) Environment.Exit(exitCode);
        else LeaveNow(exitCode);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void LeaveNow(int status);
}
