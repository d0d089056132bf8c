using System.Collections.Concurrent;
using System.Diagnostics;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>
/// Compiles device programs for devices that are not there, and runs the tools that look at the result.
/// </summary>
static class Compiled
{
    // Compiling needs no device, so it looks for none.
    static readonly Lazy<Context> DeviceFree = new(NewContext);

    public static Context NewContext()
    {
        Context context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O1));
        Fused.Register(context);
        return context;
    }

    static readonly ConcurrentDictionary<(string, CudaArchitecture), string> Texts = new();

    /// <summary>
    /// PTX of a program, compiled in a context of its own: what was compiled before in the same one would show in the
    /// registers (see <see cref="Device"/>, which forgets it too).
    /// </summary>
    public static string Ptx(DeviceProgram program, CudaArchitecture architecture) =>
        Texts.GetOrAdd((program.Name, architecture), _ =>
        {
            using Context context = NewContext();
            return Ptx(context, program, architecture);
        });

    /// <summary>PTX of a program as it comes out of a context that may have compiled others.</summary>
    public static string Ptx(Context context, DeviceProgram program, CudaArchitecture architecture)
    {
        using var backend = new PTXBackend(
            context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_84, null);
        return ((PTXCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(program.Method), program.Specialization)).PTXAssembly;
    }

    /// <summary>OpenCL C of a program for a device without half precision and subgroups.</summary>
    public static string OpenCl(DeviceProgram program)
    {
        var constructor = typeof(CLCapabilityContext).GetConstructors()[0];
        var capabilities = (CLCapabilityContext)constructor.Invoke(
            [.. constructor.GetParameters().Select(static p => (object)(p.Name is not ("float16" or "subGroups")))]);
        using var backend = new CLBackend(DeviceFree.Value, capabilities, CLDeviceVendor.AMD, CLCVersion.CL20);
        return ((CLCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(program.Method), program.Specialization)).Source;
    }

    /// <summary>Path of a tool, or a skipped test; a failed one if <paramref name="require"/> is set to 1.</summary>
    public static string Tool(string variable, string require)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } path) return path;
        Assert.NotEqual("1", Environment.GetEnvironmentVariable(require));
        Assert.Skip($"{variable} does not name the tool");
        throw new InvalidOperationException();
    }

    /// <summary>Runs a tool to its end; what it printed, and that it exited with 0.</summary>
    public static string Run(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string text = output + errors.GetAwaiter().GetResult();
        Assert.True(process.ExitCode == 0,
            $"{tool} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{text}");
        return text;
    }
}
