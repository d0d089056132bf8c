namespace PrivateKernels.Gpu;

/// <summary>
/// What a job does on one device. Made, used and dropped on the device's thread; its buffers belong to the device.
/// </summary>
abstract class DeviceTask
{
    /// <summary>
    /// Coordinates per point on the device: the dimension rounded up to a multiple of eight, padded with zeros.
    /// </summary>
    public abstract int Stride { get; }

    /// <summary>Most points per launch, a multiple of <see cref="RowsPerTile"/>.</summary>
    public virtual int LargestBatch => int.MaxValue / 2;

    /// <summary>Slots between two checkpoints, at which what the device has summed comes back to the host.</summary>
    public virtual int SlotsPerCheckpoint => 16;

    /// <summary>Point buffers hold whole tiles of this many rows.</summary>
    public const int RowsPerTile = 128;

    /// <summary>
    /// Queues the programs for the points in slot <paramref name="slot"/> (0 or 1) on the slot's stream.
    /// </summary>
    public abstract void Launch(int slot, PointRange range);

    /// <summary>
    /// Copies what was launched since the last call into host memory of the task; both streams are idle.
    /// </summary>
    public abstract void Fetch();

    /// <summary>Adds what <see cref="Fetch"/> got to the job's result. Called under the job's lock.</summary>
    public abstract void Commit();

    public static int Padded(int dimension) => (dimension + 7) / 8 * 8;
}
