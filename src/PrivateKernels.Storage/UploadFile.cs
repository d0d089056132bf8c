using System.Globalization;

namespace PrivateKernels.Storage;

/// <summary>The segments of one upload that is under way, and where it stands. The caller holds its lock.</summary>
sealed class UploadFile : IUploadFile
{
    readonly string _directory;
    readonly string _uploadId;
    readonly RowShape _shape;
    readonly long _segmentBytes;
    readonly DataKey? _key;
    readonly List<SegmentRow> _sealed = [];
    readonly List<uint> _sentCrcs = [];
    SegmentWriter? _current;

    /// <summary>Reads back what an earlier process or stream left, and cuts what a crash tore.</summary>
    /// <param name="key">Encrypts the rows, and is disposed of with the file; null = they are in the clear.</param>
    internal UploadFile(string directory, string uploadId, RowShape shape, long segmentBytes, DataKey? key)
    {
        (_directory, _uploadId, _shape, _segmentBytes, _key) = (directory, uploadId, shape, segmentBytes, key);
        for (int index = 0; File.Exists(PathOf(index)); index++)
        {
            SegmentRow? segment =
                SegmentWriter.Resume(PathOf(index), shape, key, NextSequence, block => _sentCrcs.Add(block.SentCrc));
            if (segment is not null) _sealed.Add(segment);
            // Nothing whole is in this file, so nothing behind it can be in order.
            else DeleteFrom(index);
        }
        DurableSequence = NextSequence - 1;
    }

    public Lock Lock { get; } = new();

    public Upload? Holder { get; set; }

    public ulong NextSequence => (ulong)_sentCrcs.Count + 1;

    public ulong DurableSequence { get; private set; }

    public long UnflushedBytes { get; private set; }

    public long FlushBytes => 16 << 20;

    public long Rows => _sealed.Sum(static s => s.Rows) + (_current?.Rows ?? 0);

    internal static string FilePrefix(string uploadId) => $"{uploadId}.";

    public bool IsRepeat(ulong sequence, uint crc) => _sentCrcs[(int)(sequence - 1)] == crc;

    public void Append(IngestBatch batch)
    {
        if (_current is not null && _current.Bytes >= _segmentBytes)
        {
            _current.Sync();
            SealCurrent();
        }
        _current ??= SegmentWriter.Create(PathOf(_sealed.Count), _shape, _key);
        int rows = batch.Values.Length / _shape.Dimension;
        _current.Append(rows, batch);
        _sentCrcs.Add(batch.Crc32C);
        UnflushedBytes += (long)rows * _shape.RowBytes;
    }

    public void Sync()
    {
        _current?.Sync();
        DurableSequence = NextSequence - 1;
        UnflushedBytes = 0;
    }

    public List<SegmentRow> Seal() => _current is null ? [.. _sealed] : [.. _sealed, _current.Seal()];

    /// <summary>Deletes the files of an upload that nobody has open.</summary>
    internal static void Delete(string directory, string uploadId)
    {
        if (!Directory.Exists(directory)) return;
        foreach (string path in Directory.GetFiles(directory, FilePrefix(uploadId) + "*")) File.Delete(path);
        Disk.SyncDirectory(directory);
    }

    public void Dispose()
    {
        _current?.Dispose();
        _current = null;
        _key?.Dispose();
    }

    void SealCurrent()
    {
        _sealed.Add(_current!.Seal());
        _current.Dispose();
        _current = null;
    }

    void DeleteFrom(int index)
    {
        for (; File.Exists(PathOf(index)); index++) File.Delete(PathOf(index));
        Disk.SyncDirectory(_directory);
    }

    string PathOf(int index) =>
        Path.Combine(_directory, FilePrefix(_uploadId) + index.ToString("D6", CultureInfo.InvariantCulture) + ".seg");
}
