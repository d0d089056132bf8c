using System.Collections.Concurrent;

namespace PrivateKernels.Gpu;

/// <summary>
/// The one thread that may touch an accelerator. Callers queue shares of jobs; the thread opens the device when the
/// first one arrives, and again, some time later, after it was lost.
/// </summary>
sealed class DeviceWorker : IDisposable
{
    const int LargestQueue = 64;
    const long SmallestSlotBytes = 1 << 20;

    static readonly TimeSpan[] Pauses = [.. new[] { 1, 5, 30, 300 }.Select(static s => TimeSpan.FromSeconds(s))];

    readonly GpuOptions _options;
    readonly Action<DeviceWorker, DeviceException> _report;
    readonly BlockingCollection<JobShare> _queue = new(LargestQueue);
    readonly Thread _thread;
    Device? _device;
    int _losses;
    long _retryAt;
    volatile DeviceTrouble _down;

    /// <param name="description">Device to run.</param>
    /// <param name="options">Limits.</param>
    /// <param name="report">Called for every trouble, on the thread that saw it.</param>
    public DeviceWorker(DeviceDescription description, GpuOptions options, Action<DeviceWorker, DeviceException> report)
    {
        (Description, _options, _report) = (description, options, report);
        _thread = new Thread(Run) { IsBackground = true, Name = $"device {description.Name}" };
        _thread.Start();
    }

    public DeviceDescription Description { get; }

    /// <summary>Why no work goes to the device at present.</summary>
    public DeviceTrouble Down => _down;

    /// <summary>Whether it makes sense to queue work: it is well, or it is time to try it again.</summary>
    public bool IsReady => _down switch
    {
        DeviceTrouble.None => true,
        DeviceTrouble.Lost => Environment.TickCount64 >= Volatile.Read(ref _retryAt),
        _ => false,
    };

    /// <summary>Queues a share; waits while the queue is full.</summary>
    public void Post(JobShare share)
    {
        try
        {
            _queue.Add(share);
        }
        catch (InvalidOperationException)
        {
            share.Finish(new DeviceException(DeviceTrouble.Lost, $"{Description.Name} is closed"));
        }
    }

    /// <summary>Stops using the device: its thread hangs in the driver and cannot be unloaded.</summary>
    public void Abandon(DeviceException trouble)
    {
        _down = DeviceTrouble.Overdue;
        _queue.CompleteAdding();
        while (_queue.TryTake(out JobShare? waiting)) waiting.Finish(trouble);
    }

    public void Dispose()
    {
        _queue.CompleteAdding();
        // A thread that hangs in the driver is left behind; it is a background thread.
        if (_down != DeviceTrouble.Overdue) _thread.Join();
    }

    void Run()
    {
        foreach (JobShare share in _queue.GetConsumingEnumerable())
        {
            DeviceException? trouble = null;
            try
            {
                Work(share);
            }
            catch (DeviceException e)
            {
                trouble = e;
                Suffer(e);
            }
            catch (Exception e)
            {
                // Nobody else is there to catch it, and the caller must not wait for ever.
                trouble = new DeviceException(DeviceTrouble.Lost, $"{Description.Name}: {e.Message}", e);
                Suffer(trouble);
            }
            share.Finish(trouble);
        }
        _device?.Dispose();
    }

    void Work(JobShare share)
    {
        if (!IsReady) throw new DeviceException(_down, $"{Description.Name} is down");
        Device device = Opened();
        long slotBytes = _options.SlotBytes;
        while (true)
        {
            try
            {
                Work(share, device, slotBytes);
                return;
            }
            catch (DeviceException e) when (e.Trouble == DeviceTrouble.Memory && slotBytes / 2 >= SmallestSlotBytes)
            {
                share.Return();
                device.ReleaseAll();
                slotBytes /= 2;
            }
        }
    }

    /// <summary>Takes points until there are none left; on the device's thread.</summary>
    internal static void Work(JobShare share, Device device, long slotBytes)
    {
        DeviceTask task = share.Job.Start(device);
        int rows = RowsPerSlot(share.Job, task, slotBytes);
        int floats = task.Stride + (share.Job.Points.IsWeighted ? 1 : 0);
        for (int s = 0; s < 2; s++) device.Reserve(device.Slots[s], $"slot {s}", (long)rows * floats);
        int launches = 0;
        while (share.TryTake(rows, out PointRange range))
        {
            int s = launches++ % 2;
            Slot slot = device.Slots[s];
            device.Synchronize(slot.Stream);
            device.CopyIn(slot, slot.Fill(share.Job.Points.Slice(range.First, range.Count), task.Stride));
            task.Launch(s, range);
            if (launches % task.SlotsPerCheckpoint == 0) Checkpoint(share, device, task);
        }
        Checkpoint(share, device, task);
    }

    static void Checkpoint(JobShare share, Device device, DeviceTask task)
    {
        foreach (Slot slot in device.Slots) device.Synchronize(slot.Stream);
        task.Fetch();
        share.Commit(task);
    }

    static int RowsPerSlot(DeviceJob job, DeviceTask task, long slotBytes)
    {
        long rows = Math.Min(slotBytes / (sizeof(float) * task.Stride), task.LargestBatch);
        long fair = (job.Points.Count + 2L * job.Workers - 1) / (2L * job.Workers);
        rows = Math.Min(rows, Math.Max(fair, 4096));
        rows = Math.Min(rows, job.Points.Count);
        return (int)Math.Max(1, (rows + DeviceTask.RowsPerTile - 1) / DeviceTask.RowsPerTile) * DeviceTask.RowsPerTile;
    }

    Device Opened()
    {
        if (_device is not null) return _device;
        try
        {
            var device = new Device(
                Description, _options.MemoryLimitFor(Description), _options.Probe?.Invoke(Description));
            try
            {
                // The first opening is followed by the check at start; one after a loss must prove itself here.
                if (_losses > 0) EngineCheck.Verify(device);
            }
            catch
            {
                device.Dispose();
                throw;
            }
            _device = device;
            _down = DeviceTrouble.None;
            return device;
        }
        catch (Exception e) when (e is not DeviceException)
        {
            throw new DeviceException(DeviceTrouble.Lost, $"{Description.Name} cannot be opened: {e.Message}", e);
        }
    }

    void Suffer(DeviceException e)
    {
        if (e.Trouble == DeviceTrouble.Memory)
        {
            _device?.ReleaseAll();
        }
        else if (IsReady)
        {
            _device?.Dispose();
            _device = null;
            TimeSpan pause = Pauses[Math.Min(_losses++, Pauses.Length - 1)];
            Volatile.Write(ref _retryAt, Environment.TickCount64 + (long)pause.TotalMilliseconds);
            _down = e.Trouble;
        }
        _report(this, e);
    }
}
