using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace PrivateKernels.Storage;

/// <summary>Classes and margins of consecutive rows.</summary>
/// <param name="Classes">Index in the release's classes, one per row.</param>
/// <param name="Margins">One per row.</param>
public sealed record PredictionBlock(int[] Classes, double[] Margins);

/// <summary>
/// The predictions of one job in blocks of <see cref="BlockRows"/> rows, the last one shorter: {rows, CRC-32C}, classes,
/// margins, little-endian. A block that is not whole, or not of this job, ends the file.
/// </summary>
sealed class PredictionFile : IDisposable
{
    internal const int BlockRows = 1024;
    const int HeaderBytes = 8, RowBytes = sizeof(int) + sizeof(double), BlockBytes = HeaderBytes + BlockRows * RowBytes;

    readonly FileStream _file;
    readonly uint _uidCrc;
    readonly byte[] _bytes = new byte[BlockBytes];

    PredictionFile(FileStream file, string uid) => (_file, _uidCrc) = (file, Crc32C.Compute(Guid.Parse(uid).ToByteArray()));

    /// <summary>Bytes of the predictions of so many rows.</summary>
    internal static long SizeOf(long rows) => rows * RowBytes + (rows + BlockRows - 1) / BlockRows * HeaderBytes;

    /// <summary>For writing, made if missing.</summary>
    internal static PredictionFile OpenOrCreate(string path, string uid) =>
        new(Disk.Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read), uid);

    /// <summary>For reading; null if there is none.</summary>
    internal static PredictionFile? Open(string path, string uid)
    {
        try
        {
            return new(Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), uid);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Block of the rows from index times <see cref="BlockRows"/> on; null if it is not there or not whole.</summary>
    internal PredictionBlock? Read(long index)
    {
        int read = RandomAccess.Read(_file.SafeFileHandle, _bytes, index * BlockBytes);
        if (read < HeaderBytes) return null;
        int rows = BinaryPrimitives.ReadInt32LittleEndian(_bytes);
        if (rows is < 1 or > BlockRows || read < HeaderBytes + rows * RowBytes) return null;
        Span<byte> body = _bytes.AsSpan(HeaderBytes, rows * RowBytes);
        if (Crc(index, body) != BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(4))) return null;
        return new(
            MemoryMarshal.Cast<byte, int>(body[..(rows * sizeof(int))]).ToArray(),
            MemoryMarshal.Cast<byte, double>(body[(rows * sizeof(int))..]).ToArray());
    }

    internal void Write(long index, PredictionBlock block)
    {
        int rows = block.Classes.Length;
        Span<byte> body = _bytes.AsSpan(HeaderBytes, rows * RowBytes);
        MemoryMarshal.AsBytes<int>(block.Classes).CopyTo(body);
        MemoryMarshal.AsBytes<double>(block.Margins).CopyTo(body[(rows * sizeof(int))..]);
        BinaryPrimitives.WriteInt32LittleEndian(_bytes, rows);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(4), Crc(index, body));
        RandomAccess.Write(_file.SafeFileHandle, _bytes.AsSpan(0, HeaderBytes + body.Length), index * BlockBytes);
    }

    internal void Sync() => Disk.Sync(_file);

    public void Dispose() => _file.Dispose();

    uint Crc(long index, ReadOnlySpan<byte> body)
    {
        Span<byte> place = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(place, index);
        return Crc32C.Compute(body, Crc32C.Compute(place, _uidCrc));
    }
}
