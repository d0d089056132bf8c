namespace PrivateKernels.Storage;

/// <summary>
/// The right to build one release: a receipt, the rows of the snapshot, and the line between what can be given up and
/// what cannot.
/// </summary>
public sealed class Build
{
    public Receipt Receipt => throw new NotSupportedException();

    public ReleaseRow Release => throw new NotSupportedException();

    public DatasetRow Dataset => throw new NotSupportedException();

    public OperationRow Operation => throw new NotSupportedException();

    /// <summary>Part of the snapshot that has been read, 0 to 1. Private but for quarters of it, and those for owners.</summary>
    public double Progress => throw new NotSupportedException();

    /// <summary>
    /// The rows of the snapshot in batches of at most 32 MiB whose memory is used again for the next one. Fails with
    /// FILE_CORRUPT, before noise is drawn, if a segment is not what was reserved.
    /// </summary>
    public IEnumerable<Records> Read() => throw new NotSupportedException();

    /// <summary>
    /// For <see cref="Measurement.Invoke"/>: from here on the hold is not returned. Throws
    /// <see cref="OperationCanceledException"/> if <see cref="TryCancel"/> came first.
    /// </summary>
    public void EnterReleasing() => throw new NotSupportedException();

    /// <summary>Stops the build at <see cref="EnterReleasing"/> and allows VOID; false if it is past that line.</summary>
    public bool TryCancel() => throw new NotSupportedException();
}
