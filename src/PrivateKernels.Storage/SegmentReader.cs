using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>Reads committed segments in order, in batches of bounded size.</summary>
static class SegmentReader
{
    /// <summary>Most bytes of a batch, unless a single block is larger.</summary>
    internal const int BatchBytes = 32 << 20;

    /// <summary>
    /// Rows of the segments. The memory of a batch is used again for the next one. Throws
    /// FILE_CORRUPT where a file is not what was committed, at the latest after its last row.
    /// </summary>
    internal static IEnumerable<Records> Read(
        string directory, IReadOnlyList<SegmentRow> segments, RowShape shape, Func<DataKey?> openKey, Action<long> addRows)
    {
        using DataKey? key = openKey();
        var batch = new RowBatch(shape, (int)Math.Min(segments.Sum(static s => s.Rows), BatchBytes / shape.RowBytes));
        foreach (SegmentRow segment in segments)
        {
            using var file = new SegmentCursor(directory, segment, shape, key);
            while (file.NextBlock() is { } block)
            {
                if (batch.Rows > 0 && batch.Free < block.Rows) yield return batch.Take();
                file.ReadRows(block, batch);
                addRows(block.Rows);
            }
        }
        if (batch.Rows > 0) yield return batch.Take();
    }
}

/// <summary>Rows on their way into a measurement, in memory that is used again.</summary>
sealed class RowBatch(RowShape shape, int capacity)
{
    float[] _values = new float[capacity * shape.Dimension];
    uint[] _labels = new uint[shape.Labelled ? capacity : 0];
    float[] _rowValues = new float[shape.Valued ? capacity : 0];

    internal int Rows { get; private set; }

    internal int Free => _values.Length / shape.Dimension - Rows;

    /// <summary>Room for more rows: their coordinates, labels and values, to be filled as bytes.</summary>
    internal void Add(int rows, out Span<byte> values, out Span<byte> labels, out Span<byte> rowValues)
    {
        if (Free < rows)
        {
            Array.Resize(ref _values, (Rows + rows) * shape.Dimension);
            if (shape.Labelled) Array.Resize(ref _labels, Rows + rows);
            if (shape.Valued) Array.Resize(ref _rowValues, Rows + rows);
        }
        values = MemoryMarshal.AsBytes(_values.AsSpan(Rows * shape.Dimension, rows * shape.Dimension));
        labels = shape.Labelled ? MemoryMarshal.AsBytes(_labels.AsSpan(Rows, rows)) : default;
        rowValues = shape.Valued ? MemoryMarshal.AsBytes(_rowValues.AsSpan(Rows, rows)) : default;
        Rows += rows;
    }

    internal Records Take()
    {
        var records = new Records(
            _values.AsMemory(0, Rows * shape.Dimension), _labels.AsMemory(0, shape.Labelled ? Rows : 0),
            _rowValues.AsMemory(0, shape.Valued ? Rows : 0));
        Rows = 0;
        return records;
    }
}

/// <summary>One committed segment being read and compared with its SHA-256.</summary>
sealed class SegmentCursor : IDisposable
{
    readonly FileStream _file;
    readonly SegmentRow _segment;
    readonly RowShape _shape;
    readonly uint _uidCrc;
    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    readonly BlockCipher? _cipher;
    readonly byte[] _header = new byte[SegmentFormat.HeaderBytes];
    byte[] _body = [];
    long _position;
    long _block;

    internal SegmentCursor(string directory, SegmentRow segment, RowShape shape, DataKey? key)
    {
        (_segment, _shape) = (segment, shape);
        _uidCrc = Crc32C.Compute(segment.Uid.ToByteArray());
        try
        {
            _file = Disk.Open(Path.Combine(directory, segment.File), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Altered(e);
        }
        Fill(_header);
        bool isWhole = _file.Length == segment.Bytes && SegmentFormat.ReadHeader(_header, shape, out bool encrypted) == segment.Uid
            && encrypted == segment.Encrypted && (!encrypted || key is not null);
        if (!isWhole) throw Altered();
        if (segment.Encrypted) _cipher = SegmentFormat.Cipher(key!, segment.Uid);
    }

    /// <summary>The next block, or null after the last one, when the whole file has been compared with its SHA-256.</summary>
    internal BlockHeader? NextBlock()
    {
        if (_position == _segment.Bytes)
            return _hash.GetHashAndReset().AsSpan().SequenceEqual(_segment.Sha256.Span) ? null : throw Altered();
        Span<byte> header = _header.AsSpan(0, SegmentFormat.BlockHeaderBytes);
        Fill(header);
        BlockHeader? block = SegmentFormat.ReadBlockHeader(header, _uidCrc);
        return block is { Rows: > 0 } b && SegmentFormat.BodyBytes(b, _shape, _segment.Encrypted) <= _segment.Bytes - _position
            ? b
            : throw Altered();
    }

    internal void ReadRows(BlockHeader block, RowBatch batch)
    {
        batch.Add(block.Rows, out Span<byte> values, out Span<byte> labels, out Span<byte> rowValues);
        if (_cipher is not null)
        {
            ReadOnlySpan<byte> rows = Decrypt(block);
            rows[..values.Length].CopyTo(values);
            rows.Slice(values.Length, labels.Length).CopyTo(labels);
            rows[(values.Length + labels.Length)..].CopyTo(rowValues);
            return;
        }
        Fill(values);
        Fill(labels);
        Fill(rowValues);
        uint crc = Crc32C.Compute(rowValues, Crc32C.Compute(labels, Crc32C.Compute(values)));
        if (crc != block.RowsCrc) throw Altered();
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
        _cipher?.Dispose();
    }

    ReadOnlySpan<byte> Decrypt(BlockHeader block)
    {
        int length = (int)SegmentFormat.BodyBytes(block, _shape, encrypted: true);
        if (_body.Length < length) _body = new byte[length];
        Span<byte> body = _body.AsSpan(0, length);
        Fill(body);
        if (!_cipher!.TryOpen(_block++, _header.AsSpan(0, SegmentFormat.BlockHeaderBytes), body)) throw Altered();
        return body[..(block.Rows * _shape.RowBytes)];
    }

    void Fill(Span<byte> bytes)
    {
        if (RandomAccess.Read(_file.SafeFileHandle, bytes, _position) < bytes.Length) throw Altered();
        _hash.AppendData(bytes);
        _position += bytes.Length;
    }

    static StorageException Altered(Exception? cause = null) =>
        new(Reasons.FileCorrupt, "A file of rows is missing or is not what was committed.", null, cause);
}
