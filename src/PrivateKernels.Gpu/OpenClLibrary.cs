using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PrivateKernels.Gpu;

/// <summary>
/// Lets ILGPU find the OpenCL loader by the name that is installed with every driver: it asks for libOpenCL.so, which
/// only development packages have.
/// </summary>
static class OpenClLibrary
{
    // CA2255: a library of ours, loaded before ILGPU's first call; there is no later place that every user passes.
#pragma warning disable CA2255
    [ModuleInitializer]
    internal static void Register()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(ILGPU.Context).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // The host program has set a resolver of its own: leave it.
        }
    }
#pragma warning restore CA2255

    static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == "OpenCL" && OperatingSystem.IsLinux()
            && NativeLibrary.TryLoad("libOpenCL.so.1", out nint handle) ? handle : 0;
}
