namespace PrivateKernels.Storage;

/// <summary>A batch of rows on its way in.</summary>
/// <param name="Sequence">1, 2, 3, ... without gaps.</param>
/// <param name="Dimension">Coordinates per row, as sent.</param>
/// <param name="Values">Coordinates in row order; changed in place where the dataset clamps.</param>
/// <param name="Labels">One per row for a dataset with classes, otherwise empty.</param>
/// <param name="Crc32C">Of the little-endian bytes of values, then labels, as sent.</param>
public readonly record struct IngestBatch(
    ulong Sequence, int Dimension, Memory<float> Values, ReadOnlyMemory<uint> Labels, uint Crc32C);

/// <summary>Where an upload stands.</summary>
public readonly record struct UploadStatus(ulong NextSequence, bool Finished, DateTimeOffset ExpireTime);

/// <summary>One stream's hold of an upload. Methods may be called from any thread, one at a time.</summary>
public sealed class Upload : IDisposable
{
    /// <summary>First sequence number wanted.</summary>
    public ulong NextSequence => throw new NotSupportedException();

    /// <summary>Committed already; send nothing more.</summary>
    public bool Finished => throw new NotSupportedException();

    /// <summary>Bytes appended since the last <see cref="Flush"/>: acknowledge every 16 MiB or so.</summary>
    public long UnflushedBytes => throw new NotSupportedException();

    /// <summary>Checks and appends a batch; it survives a crash once <see cref="Flush"/> has returned.</summary>
    /// <remarks>A batch that was accepted before is ignored if it is the same, and SEQUENCE_CONFLICT otherwise.</remarks>
    public void Append(IngestBatch batch) => throw new NotSupportedException();

    /// <summary>Makes everything appended durable and returns the highest durable sequence number.</summary>
    public ulong Flush() => throw new NotSupportedException();

    /// <summary>Makes the upload part of the dataset, all of it or nothing, and returns its rows. May be repeated.</summary>
    public Task<long> FinishAsync(long rowCount, long batchCount) => throw new NotSupportedException();

    /// <summary>Lets go of the upload; it can be resumed.</summary>
    public void Dispose() => throw new NotSupportedException();
}
