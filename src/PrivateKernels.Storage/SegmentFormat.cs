using System.Buffers.Binary;

namespace PrivateKernels.Storage;

/// <summary>
/// Bytes of a segment file, little-endian: a header (magic, segment uid, dimension, columns, whether it is encrypted,
/// CRC-32C), then blocks, one for each batch: a block header and its rows (coordinates, then labels, then values).
/// </summary>
/// <remarks>
/// In an encrypted segment the body of a block is the ciphertext of its rows and of the CRC that came with them, then the
/// tag; its header holds no checksum, since one of a few rows would tell what they are.
/// </remarks>
static class SegmentFormat
{
    internal const int HeaderBytes = 40, BlockHeaderBytes = 32, CrcBytes = 4;

    const ulong Magic = 0x3154_4E45_4D47_4553; // "SEGMENT1"
    const uint BlockMagic = 0x4B4C_4250; // "PBLK"

    internal static void WriteHeader(Span<byte> bytes, Guid uid, RowShape shape, bool encrypted)
    {
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        uid.TryWriteBytes(bytes[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[24..], shape.Dimension);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[28..], shape.Columns);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[32..], encrypted ? 1 : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[36..], Crc32C.Compute(bytes[..36]));
    }

    /// <summary>The uid in a header, or null if it is torn or of another shape.</summary>
    internal static Guid? ReadHeader(ReadOnlySpan<byte> bytes, RowShape shape, out bool encrypted)
    {
        encrypted = false;
        if (bytes.Length < HeaderBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]) != Crc32C.Compute(bytes[..36])) return null;
        bool fits = BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]) == shape.Dimension
            && BinaryPrimitives.ReadInt32LittleEndian(bytes[28..]) == shape.Columns;
        encrypted = BinaryPrimitives.ReadInt32LittleEndian(bytes[32..]) == 1;
        return fits ? new Guid(bytes[8..24]) : null;
    }

    /// <summary>Bytes behind the header of a block.</summary>
    internal static long BodyBytes(BlockHeader block, RowShape shape, bool encrypted) =>
        (long)block.Rows * shape.RowBytes + (encrypted ? CrcBytes + BlockCipher.TagBytes : 0);

    internal static BlockCipher Cipher(DataKey key, Guid uid) => key.Cipher("pk-segment-1"u8, uid);

    internal static void WriteBlockHeader(Span<byte> bytes, BlockHeader block, uint uidCrc)
    {
        bytes.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, BlockMagic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], block.Rows);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], block.Sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], block.SentCrc);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], block.RowsCrc);
        // The CRC goes on from that of the uid: a block does not pass in another file.
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Crc32C.Compute(bytes[..28], uidCrc));
    }

    internal static BlockHeader? ReadBlockHeader(ReadOnlySpan<byte> bytes, uint uidCrc)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != BlockMagic) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]) != Crc32C.Compute(bytes[..28], uidCrc)) return null;
        return new(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]));
    }
}

/// <summary>What a row is made of.</summary>
readonly record struct RowShape(int Dimension, bool Labelled, bool Valued = false)
{
    internal static RowShape Of(DatasetDefinition definition) =>
        new(definition.Domain.Dimension, definition.Classes.Count > 0, definition.MaxAbsValue > 0);

    /// <summary>Columns beside the coordinates, as bits: 1 labels, 2 values.</summary>
    internal int Columns => (Labelled ? 1 : 0) + (Valued ? 2 : 0);

    internal int RowBytes => 4 * (Dimension + (Labelled ? 1 : 0) + (Valued ? 1 : 0));
}

/// <summary>
/// A block: its rows, sequence number, and the CRC-32C of the rows as sent and as stored (clamped); 0 if encrypted.
/// </summary>
readonly record struct BlockHeader(int Rows, ulong Sequence, uint SentCrc, uint RowsCrc);

/// <summary>A committed segment, immutable.</summary>
sealed record SegmentRow(Guid Uid, string File, long Rows, long Bytes, bool Encrypted, ReadOnlyMemory<byte> Sha256);
