using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace PrivateKernels.Gpu;

/// <summary>Kind of work given to a driver; each step can fail.</summary>
enum DeviceStep
{
    Allocate,
    Compile,
    Copy,
    Launch,
    Synchronize,
}

/// <summary>
/// One open accelerator with its buffers and compiled programs. Not thread-safe: only its <see cref="DeviceWorker"/>'s
/// thread may use it. Everything a driver throws leaves here as a <see cref="DeviceException"/>.
/// </summary>
sealed class Device : IDisposable
{
    readonly Context _context;
    readonly Accelerator _accelerator;
    readonly Action<DeviceStep>? _probe;
    readonly long _memoryLimitBytes;
    readonly Dictionary<string, MemoryBuffer1D<byte, Stride1D.Dense>> _buffers = [];
    readonly Dictionary<MethodInfo, Delegate> _programs = [];
    readonly Slot[] _slots;
    long _usedBytes;

    /// <param name="description">The device to open.</param>
    /// <param name="memoryLimitBytes">Most device memory to use; buffers beyond it fail as the driver's would.</param>
    /// <param name="probe">Called before every step; tests make it throw.</param>
    public Device(DeviceDescription description, long memoryLimitBytes, Action<DeviceStep>? probe)
    {
        (Description, _memoryLimitBytes, _probe) = (description, memoryLimitBytes, probe);
        (_context, _accelerator) = description.Open();
        _slots = [new(_accelerator.CreateStream()), new(_accelerator.CreateStream())];
    }

    public DeviceDescription Description { get; }

    /// <summary>Groups that keep the device busy.</summary>
    public int BusyGroups => 4 * _accelerator.NumMultiprocessors;

    public ReadOnlySpan<Slot> Slots => _slots;

    /// <summary>What tasks keep between jobs, by role; disposed with the device.</summary>
    public Dictionary<string, object> Kept { get; } = [];

    /// <summary>
    /// A buffer of at least <paramref name="length"/> elements for a role, kept and grown from job to job. Its contents
    /// are whatever the last job left; <paramref name="isNew"/> tells if the memory has never been used.
    /// </summary>
    public ArrayView<T> Buffer<T>(string role, long length, out bool isNew)
        where T : unmanaged
    {
        long bytes = length * Interop.SizeOf<T>();
        isNew = false;
        if (!_buffers.TryGetValue(role, out var buffer) || buffer.Length < bytes)
        {
            Release(role);
            buffer = Guard(DeviceStep.Allocate, () => Allocate(bytes));
            _buffers[role] = buffer;
            isNew = true;
        }
        return ((ArrayView<byte>)buffer.View).SubView(0, bytes).Cast<T>();
    }

    /// <inheritdoc cref="Buffer{T}(string, long, out bool)"/>
    public ArrayView<T> Buffer<T>(string role, long length)
        where T : unmanaged => Buffer<T>(role, length, out _);

    /// <summary>Frees the buffer of a role.</summary>
    public void Release(string role)
    {
        if (!_buffers.Remove(role, out var buffer)) return;
        _usedBytes -= buffer.Length;
        buffer.Dispose();
    }

    /// <summary>Frees all buffers, so that a job can start again with smaller ones.</summary>
    public void ReleaseAll()
    {
        Kept.Clear();
        foreach (string role in _buffers.Keys.ToArray()) Release(role);
        foreach (Slot slot in _slots) slot.Shrink();
    }

    /// <summary>Gives a slot host and device memory for <paramref name="floats"/> values.</summary>
    public void Reserve(Slot slot, string role, long floats)
    {
        slot.Device = Buffer<float>(role, floats);
        if (slot.Host is null || slot.Host.Length < floats)
            Guard(DeviceStep.Allocate, () =>
            {
                slot.Shrink();
                slot.Host = _accelerator.AllocatePageLocked1D<float>(floats);
                return 0;
            });
    }

    /// <summary>Queues the copy of the first <paramref name="floats"/> values of a slot to the device.</summary>
    public void CopyIn(Slot slot, int floats) => Guard(DeviceStep.Copy, () =>
    {
        slot.Device.SubView(0, floats).CopyFromCPUUnsafeAsync(slot.Stream, ref slot.Host!.Span[0], floats);
        return 0;
    });

    /// <summary>Copies to the device and waits.</summary>
    public void Upload<T>(ArrayView<T> target, ReadOnlyMemory<T> source)
        where T : unmanaged => Guard(DeviceStep.Copy, () =>
        {
            target.SubView(0, source.Length).CopyFromCPU(_slots[0].Stream, source.Span);
            return 0;
        });

    /// <summary>Copies from the device, on the first slot's stream, and waits.</summary>
    public void Download<T>(ArrayView<T> source, Memory<T> target)
        where T : unmanaged => Guard(DeviceStep.Copy, () =>
        {
            source.SubView(0, target.Length).CopyToCPU(_slots[0].Stream, target.Span);
            return 0;
        });

    /// <summary>Queues zeros.</summary>
    public void Clear<T>(AcceleratorStream stream, ArrayView<T> target)
        where T : unmanaged => Guard(DeviceStep.Launch, () =>
        {
            target.MemSetToZero(stream);
            return 0;
        });

    /// <summary>Queues a program; compiles it on first use.</summary>
    public void Launch<T>(AcceleratorStream stream, Action<T> program, int groups, int threads, T arguments)
        where T : struct
    {
        if (!_programs.TryGetValue(program.Method, out Delegate? kernel))
        {
            kernel = Guard(DeviceStep.Compile, () =>
            {
                DevicePrograms.Forget(_context);
                return _accelerator.LoadKernel(program, DevicePrograms.SpecializationOf(program.Method));
            });
            _programs[program.Method] = kernel;
        }
        Guard(DeviceStep.Launch, () =>
        {
            ((Action<AcceleratorStream, KernelConfig, T>)kernel)(stream, new KernelConfig(groups, threads), arguments);
            return 0;
        });
    }

    /// <summary>Waits for everything queued on a stream.</summary>
    public void Synchronize(AcceleratorStream stream) => Guard(DeviceStep.Synchronize, () =>
    {
        stream.Synchronize();
        return 0;
    });

    public void Dispose()
    {
        // The driver may be in any state after a loss; nothing of it is needed any more.
        Quietly(ReleaseAll);
        foreach (Slot slot in _slots) Quietly(slot.Stream.Dispose);
        Quietly(_accelerator.Dispose);
        Quietly(_context.Dispose);
    }

    MemoryBuffer1D<byte, Stride1D.Dense> Allocate(long bytes)
    {
        long rounded = (Math.Max(bytes, 1) + 255) / 256 * 256;
        if (_usedBytes + rounded > _memoryLimitBytes)
            throw new DeviceException(DeviceTrouble.Memory, "the memory limit of the device is reached");
        var buffer = _accelerator.Allocate1D<byte>(rounded);
        _usedBytes += rounded;
        return buffer;
    }

    T Guard<T>(DeviceStep step, Func<T> work)
    {
        try
        {
            _probe?.Invoke(step);
            return work();
        }
        catch (Exception e) when (Trouble(step, e) is { } trouble)
        {
            throw new DeviceException(trouble, $"{Description.Name}: {step} failed: {e.Message}", e);
        }
    }

    static DeviceTrouble? Trouble(DeviceStep step, Exception e) => (step, e) switch
    {
        (_, DeviceException) => null,
        (DeviceStep.Allocate, AcceleratorException or OutOfMemoryException) => DeviceTrouble.Memory,
        (DeviceStep.Compile, _) => DeviceTrouble.Program,
        (_, AcceleratorException or ExternalException) => DeviceTrouble.Lost,
        _ => null,
    };

    static void Quietly(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is AcceleratorException or ExternalException or InvalidOperationException)
        {
        }
    }
}

/// <summary>
/// A stream with a page-locked host buffer and a device buffer: one of the two that copy and compute in turn.
/// </summary>
sealed class Slot(AcceleratorStream stream)
{
    const int FloatsPerPart = 1 << 18;

    public AcceleratorStream Stream { get; } = stream;

    public PageLockedArray1D<float>? Host { get; set; }

    public ArrayView<float> Device { get; set; }

    /// <summary>Weights of the points on the device, behind their coordinates; empty if they have none.</summary>
    public ArrayView<float> Weights { get; private set; }

    /// <summary>
    /// Copies points into the host buffer, each padded with zeros to <paramref name="stride"/> coordinates, and their weights
    /// behind the last one. Returns how many values that are.
    /// </summary>
    public int Fill(Points points, int stride)
    {
        int coordinates = points.Count * stride, weights = points.Weights.Length;
        points.Weights.Span.CopyTo(Host!.Span[coordinates..]);
        Weights = weights > 0 ? Device.SubView(coordinates, weights) : default;
        FillCoordinates(points, stride);
        return coordinates + weights;
    }

    void FillCoordinates(Points points, int stride)
    {
        // One core copies some 10 GB/s, a link to a device takes five times that.
        int parts = Math.Clamp(points.Count * stride / FloatsPerPart, 1, Environment.ProcessorCount);
        if (parts == 1) Fill(points, stride, 0, points.Count);
        else
            Parallel.For(0, parts, part => Fill(
                points, stride, (int)((long)points.Count * part / parts), (int)(
                    (long)points.Count * (part + 1) / parts)));
    }

    void Fill(Points points, int stride, int first, int end)
    {
        Span<float> target = Host!.Span[(first * stride)..(end * stride)];
        if (stride == points.Dimension)
        {
            points.Slice(first, end - first).Values.Span.CopyTo(target);
            return;
        }
        for (int row = first; row < end; row++)
        {
            Span<float> padded = target.Slice((row - first) * stride, stride);
            points.Row(row).CopyTo(padded);
            padded[points.Dimension..].Clear();
        }
    }

    public void Shrink()
    {
        Host?.Dispose();
        Host = null;
    }
}
