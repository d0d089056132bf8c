using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>A segment file that grows block by block, with the SHA-256 of what is in it.</summary>
sealed class SegmentWriter : IDisposable
{
    readonly FileStream _file;
    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    readonly BlockCipher? _cipher;
    readonly uint _uidCrc;
    byte[] _body = [];
    long _block;

    SegmentWriter(FileStream file, Guid uid, BlockCipher? cipher)
    {
        (_file, Uid, _cipher) = (file, uid, cipher);
        _uidCrc = Crc32C.Compute(uid.ToByteArray());
    }

    internal Guid Uid { get; }

    internal long Bytes { get; private set; }

    internal long Rows { get; private set; }

    internal string FileName => Path.GetFileName(_file.Name);

    /// <summary>A new file; its name is durable on return, its content with the next <see cref="Sync"/>.</summary>
    /// <param name="key">Encrypts the rows; null = they are in the clear.</param>
    internal static SegmentWriter Create(string path, RowShape shape, DataKey? key)
    {
        var uid = Guid.NewGuid();
        var writer = new SegmentWriter(
            Disk.Open(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read), uid,
            key is null ? null : SegmentFormat.Cipher(key, uid));
        Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
        SegmentFormat.WriteHeader(header, writer.Uid, shape, key is not null);
        writer.Write(header);
        Disk.SyncDirectory(Path.GetDirectoryName(path)!);
        return writer;
    }

    /// <summary>
    /// The whole blocks of a file that a crash may have torn: cuts what is behind the last of them and reports each. Null if
    /// there is none. Nothing is appended to such a file: a block that was cut may have been seen, and in an encrypted
    /// segment another one in its place would repeat its nonce.
    /// </summary>
    internal static SegmentRow? Resume(string path, RowShape shape, DataKey? key, ulong nextSequence, Action<BlockHeader> found)
    {
        using FileStream file = Disk.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        var header = new byte[SegmentFormat.HeaderBytes];
        int read = RandomAccess.Read(file.SafeFileHandle, header, 0);
        if (SegmentFormat.ReadHeader(header.AsSpan(0, read), shape, out bool encrypted) is not { } uid) return null;
        if (encrypted && key is null) throw new StorageException(Reasons.FileCorrupt, "The data key of an encrypted upload is missing.");
        using var writer = new SegmentWriter(file, uid, encrypted ? SegmentFormat.Cipher(key!, uid) : null)
        {
            Bytes = SegmentFormat.HeaderBytes,
        };
        writer._hash.AppendData(header);
        while (writer.TakeBlock(shape, nextSequence) is { } block)
        {
            found(block);
            nextSequence++;
        }
        if (writer.Rows == 0) return null;
        file.SetLength(writer.Bytes);
        Disk.Sync(file);
        return writer.Seal();
    }

    /// <summary>Appends a block; durable after <see cref="Sync"/>.</summary>
    internal void Append(int rows, IngestBatch batch)
    {
        ReadOnlySpan<byte> values = MemoryMarshal.AsBytes(batch.Values.Span), labels = MemoryMarshal.AsBytes(batch.Labels.Span);
        ReadOnlySpan<byte> rowValues = MemoryMarshal.AsBytes(batch.RowValues.Span);
        Span<byte> header = stackalloc byte[SegmentFormat.BlockHeaderBytes];
        if (_cipher is null)
        {
            SegmentFormat.WriteBlockHeader(header, new(rows, batch.Sequence, batch.Crc32C, batch.ComputeCrc()), _uidCrc);
            Write(header);
            Write(values);
            Write(labels);
            Write(rowValues);
        }
        else
        {
            SegmentFormat.WriteBlockHeader(header, new(rows, batch.Sequence, 0, 0), _uidCrc);
            Write(header);
            Write(Encrypt(header, values, labels, rowValues, batch.Crc32C));
        }
        Rows += rows;
    }

    internal void Sync() => Disk.Sync(_file);

    /// <summary>The segment as it is now; nothing may be appended afterwards.</summary>
    internal SegmentRow Seal() => new(Uid, FileName, Rows, Bytes, _cipher is not null, _hash.GetCurrentHash());

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
        _cipher?.Dispose();
    }

    ReadOnlySpan<byte> Encrypt(
        ReadOnlySpan<byte> header, ReadOnlySpan<byte> values, ReadOnlySpan<byte> labels, ReadOnlySpan<byte> rowValues, uint sentCrc)
    {
        int rowBytes = values.Length + labels.Length + rowValues.Length;
        int length = rowBytes + SegmentFormat.CrcBytes + BlockCipher.TagBytes;
        if (_body.Length < length) _body = new byte[length];
        Span<byte> body = _body.AsSpan(0, length);
        values.CopyTo(body);
        labels.CopyTo(body[values.Length..]);
        rowValues.CopyTo(body[(values.Length + labels.Length)..]);
        BinaryPrimitives.WriteUInt32LittleEndian(body[rowBytes..], sentCrc);
        _cipher!.Seal(_block++, header, body);
        return body;
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
        bool encrypted = _cipher is not null;
        long length = SegmentFormat.BodyBytes(block, shape, encrypted);
        if (length > _file.Length - Bytes - header.Length) return null;
        var body = new byte[length];
        if (RandomAccess.Read(_file.SafeFileHandle, body, Bytes + header.Length) < length) return null;
        if (encrypted)
        {
            byte[] rows = [.. body];
            if (!_cipher!.TryOpen(_block, header, rows)) return null;
            block = block with { SentCrc = BinaryPrimitives.ReadUInt32LittleEndian(rows.AsSpan(block.Rows * shape.RowBytes)) };
            _block++;
        }
        else if (Crc32C.Compute(body) != block.RowsCrc)
        {
            return null;
        }
        _hash.AppendData(header);
        _hash.AppendData(body);
        Bytes += header.Length + length;
        Rows += block.Rows;
        return block;
    }
}
