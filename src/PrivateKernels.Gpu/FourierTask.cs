namespace PrivateKernels.Gpu;

/// <summary>Adds the Fourier features of points to int64 cells.</summary>
sealed class FourierTask : DeviceTask
{
    readonly Device _device;
    readonly FourierLaunch _launch;
    readonly CellSums _cells;
    readonly Memory<long> _result;

    /// <param name="device">Where it runs.</param>
    /// <param name="map">Public frequencies; <see cref="FourierLaunch.IsFused"/>.</param>
    /// <param name="points">Points of the whole job.</param>
    /// <param name="result">2 m sums of the job.</param>
    public FourierTask(Device device, FourierMap map, int points, Memory<long> result)
    {
        (_device, _result) = (device, result);
        _launch = new FourierLaunch(device, map);
        _cells = new CellSums(device, 2 * map.Frequencies, _launch.SlicesFor(points));
        Stride = Padded(map.Dimension);
    }

    public override int Stride { get; }

    public override void Launch(int slot, PointRange range) =>
        _launch.Add(_device.Slots[slot], range.Count, _cells.Partial(slot), _cells.Slices);

    public override void Fetch() => _cells.Fetch();

    public override void Commit() => _cells.AddTo(_result.Span);
}
