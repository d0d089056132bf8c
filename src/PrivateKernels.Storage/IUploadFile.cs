namespace PrivateKernels.Storage;

/// <summary>What an upload under way has taken in, and where it stands. The caller holds its lock.</summary>
interface IUploadFile : IDisposable
{
    Lock Lock { get; }

    /// <summary>The stream that may append; null between streams and while the upload is being committed.</summary>
    Upload? Holder { get; set; }

    ulong NextSequence { get; }

    /// <summary>Highest sequence number that survives a crash.</summary>
    ulong DurableSequence { get; }

    /// <summary>Bytes taken in since the last <see cref="Sync"/>.</summary>
    long UnflushedBytes { get; }

    /// <summary>How many of them make a <see cref="Sync"/> worth its cost.</summary>
    long FlushBytes { get; }

    long Rows { get; }

    /// <summary>Whether a batch that was taken in under this number came with this checksum.</summary>
    bool IsRepeat(ulong sequence, uint crc);

    void Append(IngestBatch batch);

    void Sync();

    /// <summary>What the dataset has more once this upload is committed; nothing may be appended afterwards.</summary>
    List<SegmentRow> Seal();
}
