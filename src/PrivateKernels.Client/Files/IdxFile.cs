using System.Buffers.Binary;

namespace PrivateKernels.Client;

/// <summary>
/// IDX, the format of MNIST: two zero bytes, type, number of axes, axes as big-endian uint32, then big-endian numbers.
/// The first axis counts rows, the others make up a row. Bytes become [0, 1] by a factor of 1/255.
/// </summary>
static class IdxFile
{
    public static BinaryLayout ReadHeader(RowSource source)
    {
        Span<byte> head = stackalloc byte[4];
        source.ReadHeader(head);
        (ElementKind kind, float scale) = head[2] switch
        {
            0x08 => (ElementKind.UInt8, 1f / 255),
            0x09 => (ElementKind.Int8, 1f),
            0x0b => (ElementKind.Int16, 1f),
            0x0c => (ElementKind.Int32, 1f),
            0x0d => (ElementKind.Float32, 1f),
            0x0e => (ElementKind.Float64, 1f),
            _ => throw source.Error("is no IDX file: unknown type of numbers"),
        };
        if (head[0] != 0 || head[1] != 0 || head[3] is < 1 or > 8)
            throw source.Error("is no IDX file: 1 to 8 axes can be read");
        Span<byte> axes = stackalloc byte[4 * head[3]];
        source.ReadHeader(axes);
        long columns = 1;
        for (int axis = 1; axis < head[3]; axis++)
            columns = Math.Min(columns * BinaryPrimitives.ReadUInt32BigEndian(axes[(4 * axis)..]), int.MaxValue);
        return new(new(kind, BigEndian: true), BinaryPrimitives.ReadUInt32BigEndian(axes), (int)columns, scale);
    }
}
