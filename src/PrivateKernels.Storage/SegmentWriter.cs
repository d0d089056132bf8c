using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>A segment file that grows block by block, with the SHA-256 of what is in it.</summary>
sealed class SegmentWriter : IDisposable
{
    readonly FileStream _file;
    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    readonly uint _uidCrc;

    SegmentWriter(FileStream file, Guid uid)
    {
        (_file, Uid) = (file, uid);
        _uidCrc = Crc32C.Compute(uid.ToByteArray());
    }

    internal Guid Uid { get; }

    internal long Bytes { get; private set; }

    internal long Rows { get; private set; }

    internal string FileName => Path.GetFileName(_file.Name);

    /// <summary>A new file; its name is durable on return, its content with the next <see cref="Sync"/>.</summary>
    internal static SegmentWriter Create(string path, RowShape shape)
    {
        var writer = new SegmentWriter(
            Disk.Open(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read), Guid.NewGuid());
        Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
        SegmentFormat.WriteHeader(header, writer.Uid, shape);
        writer.Write(header);
        Disk.SyncDirectory(Path.GetDirectoryName(path)!);
        return writer;
    }

    /// <summary>
    /// Opens a file that a crash may have torn: cuts what is behind the last whole block and reports each whole one.
    /// Null if not even the header is whole.
    /// </summary>
    internal static SegmentWriter? Resume(string path, RowShape shape, ulong nextSequence, Action<BlockHeader> found)
    {
        FileStream file = Disk.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        var header = new byte[SegmentFormat.HeaderBytes];
        int read = RandomAccess.Read(file.SafeFileHandle, header, 0);
        if (SegmentFormat.ReadHeader(header.AsSpan(0, read), shape) is not { } uid)
        {
            file.Dispose();
            return null;
        }
        var writer = new SegmentWriter(file, uid) { Bytes = SegmentFormat.HeaderBytes };
        writer._hash.AppendData(header);
        while (writer.TakeBlock(shape, nextSequence) is { } block)
        {
            found(block);
            nextSequence++;
        }
        file.SetLength(writer.Bytes);
        Disk.Sync(file);
        return writer;
    }

    /// <summary>Appends a block; durable after <see cref="Sync"/>.</summary>
    internal void Append(int rows, IngestBatch batch)
    {
        Span<byte> header = stackalloc byte[SegmentFormat.BlockHeaderBytes];
        SegmentFormat.WriteBlockHeader(header, new(rows, batch.Sequence, batch.Crc32C, batch.ComputeCrc()), _uidCrc);
        Write(header);
        Write(MemoryMarshal.AsBytes(batch.Values.Span));
        Write(MemoryMarshal.AsBytes(batch.Labels.Span));
        Write(MemoryMarshal.AsBytes(batch.RowValues.Span));
        Rows += rows;
    }

    internal void Sync() => Disk.Sync(_file);

    /// <summary>The segment as it is now; nothing may be appended afterwards.</summary>
    internal SegmentRow Seal() => new(Uid, FileName, Rows, Bytes, _hash.GetCurrentHash());

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
    }

    void Write(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file.SafeFileHandle, bytes, Bytes);
        _hash.AppendData(bytes);
        Bytes += bytes.Length;
    }

    BlockHeader? TakeBlock(RowShape shape, ulong sequence)
    {
        var header = new byte[SegmentFormat.BlockHeaderBytes];
        if (RandomAccess.Read(_file.SafeFileHandle, header, Bytes) < header.Length) return null;
        if (SegmentFormat.ReadBlockHeader(header, _uidCrc) is not { } block || block.Sequence != sequence) return null;
        long length = (long)block.Rows * shape.RowBytes;
        if (length > _file.Length - Bytes - header.Length) return null;
        var rows = new byte[length];
        if (RandomAccess.Read(_file.SafeFileHandle, rows, Bytes + header.Length) < length) return null;
        if (Crc32C.Compute(rows) != block.RowsCrc) return null;
        _hash.AppendData(header);
        _hash.AppendData(rows);
        Bytes += header.Length + length;
        Rows += block.Rows;
        return block;
    }
}
