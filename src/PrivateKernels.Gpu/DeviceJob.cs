namespace PrivateKernels.Gpu;

/// <summary>A job in the hands of one or several devices: the points left, and how to start on a device.</summary>
/// <param name="Points">All points of the job.</param>
/// <param name="Start">Makes the device's part; called on the device's thread.</param>
/// <param name="Work">Points not taken yet.</param>
/// <param name="Workers">Devices that take part.</param>
sealed record DeviceJob(Points Points, Func<Device, DeviceTask> Start, WorkList Work, int Workers)
{
    /// <summary>Held while results are added, and while a share is given up.</summary>
    public Lock Lock { get; } = new();
}

/// <summary>
/// One device's share of a job. What it has launched counts only once it is back on the host: until then the points are
/// <see cref="_pending"/>, and if the device fails they go back to the job and nothing of them is kept.
/// </summary>
sealed class JobShare(DeviceJob job) : IDisposable
{
    readonly List<PointRange> _pending = [];
    readonly ManualResetEventSlim _done = new();
    long _lastStep = long.MaxValue;
    bool _givenUp;

    public DeviceJob Job { get; } = job;

    /// <summary>Why the device did not finish, or null.</summary>
    public DeviceException? Trouble { get; private set; }

    /// <summary>Takes points for the next launch; false when there are none left or the share was given up.</summary>
    public bool TryTake(int most, out PointRange range)
    {
        lock (Job.Lock)
        {
            range = default;
            Volatile.Write(ref _lastStep, Environment.TickCount64);
            if (_givenUp || !Job.Work.TryTake(most, out range)) return false;
            _pending.Add(range);
            return true;
        }
    }

    /// <summary>Adds what is on the host to the job's result, all or nothing.</summary>
    public void Commit(DeviceTask task)
    {
        lock (Job.Lock)
        {
            Volatile.Write(ref _lastStep, Environment.TickCount64);
            if (_givenUp) return;
            task.Commit();
            _pending.Clear();
        }
    }

    /// <summary>Gives what is pending back to the job.</summary>
    public void Return()
    {
        lock (Job.Lock)
        {
            Job.Work.Return(_pending);
            _pending.Clear();
        }
    }

    /// <summary>The device's thread is through with the share.</summary>
    public void Finish(DeviceException? trouble)
    {
        lock (Job.Lock)
        {
            if (_givenUp) return;
            if (trouble is not null) Return();
            Trouble = trouble;
            _givenUp = true;
        }
        _done.Set();
    }

    /// <summary>
    /// Waits for the device. A step that takes longer than <paramref name="timeout"/> makes it overdue: its points go
    /// back and whatever its thread may still do is ignored. Time in the device's queue does not count.
    /// </summary>
    public bool Wait(TimeSpan timeout)
    {
        var pause = TimeSpan.FromMilliseconds(Math.Clamp(timeout.TotalMilliseconds / 4, 1, 1000));
        while (!_done.Wait(pause))
        {
            long last = Volatile.Read(ref _lastStep);
            if (last == long.MaxValue || Environment.TickCount64 - last <= timeout.TotalMilliseconds) continue;
            Finish(new DeviceException(
                DeviceTrouble.Overdue, $"a batch was not done after {timeout.TotalSeconds:0.###} seconds"));
            return false;
        }
        return true;
    }

    public void Dispose() => _done.Dispose();
}
