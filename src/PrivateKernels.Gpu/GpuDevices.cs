using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace PrivateKernels.Gpu;

/// <summary>A device that was found, with what is worth telling about it.</summary>
/// <param name="Kind">Cuda or OpenCl.</param>
/// <param name="Name">As the driver gives it.</param>
/// <param name="Driver">Driver or platform version.</param>
/// <param name="MemoryBytes">Device memory.</param>
/// <param name="IsProcessor">An OpenCL device that runs on the host's processor.</param>
/// <param name="HasDouble">Whether it computes in fp64.</param>
/// <param name="Index">Number among the devices of its kind.</param>
public sealed record DeviceDescription(
    EngineKind Kind, string Name, string Driver, long MemoryBytes, bool IsProcessor, bool HasDouble, int Index)
{
    /// <summary>Opens the device in a context of its own; the caller disposes both, the accelerator first.</summary>
    internal (Context Context, Accelerator Accelerator) Open()
    {
        Context context = GpuDevices.CreateContext();
        try
        {
            Accelerator accelerator = Kind == EngineKind.Cuda
                ? context.CreateCudaAccelerator(Index)
                : context.CreateCLAccelerator(Index);
            return (context, accelerator);
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }
}

/// <summary>Finds CUDA and OpenCL devices. No driver is no error: the list is then empty.</summary>
public static class GpuDevices
{
    static readonly Lock Looking = new();

    /// <summary>
    /// All devices, CUDA first; a card that CUDA has is not listed again as an OpenCL device. OpenCL devices of type
    /// CPU are left out unless <paramref name="allowCpuOpenCl"/>: the SIMD engine is many times faster than they are.
    /// </summary>
    public static IReadOnlyList<DeviceDescription> Find(bool allowCpuOpenCl)
    {
        using Context context = CreateContext();
        var found = new List<DeviceDescription>();
        foreach (CudaDevice device in context.GetCudaDevices())
            found.Add(new(
                EngineKind.Cuda, device.Name, $"CUDA {device.DriverVersion}", device.MemorySize, IsProcessor: false,
                HasDouble: true, found.Count));
        var cards = found.Select(static d => d.Name).ToHashSet();
        int index = 0;
        foreach (CLDevice device in context.GetCLDevices())
        {
            bool isProcessor = (device.DeviceType & CLDeviceType.CL_DEVICE_TYPE_CPU) != 0;
            if (!cards.Contains(device.Name) && (allowCpuOpenCl || !isProcessor))
                found.Add(new(
                    EngineKind.OpenCl, device.Name, $"{device.PlatformName} {device.PlatformVersion}",
                    device.MemorySize, isProcessor, device.Capabilities.Float64, index));
            index++;
        }
        return found;
    }

    /// <summary>
    /// A context with the fma intrinsic. O1: at O2 the tiled programs take more registers than a multiprocessor has for
    /// two groups.
    /// </summary>
    internal static Context CreateContext()
    {
        // Drivers are looked for when a context is made; two threads that look at once can both find nothing.
        lock (Looking)
        {
            Context context = Context.Create(static builder => builder.Cuda().OpenCL().Optimize(OptimizationLevel.O1));
            Fused.Register(context);
            return context;
        }
    }
}
