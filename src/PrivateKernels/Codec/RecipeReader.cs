using System.Buffers.Binary;
using System.Text;

namespace PrivateKernels;

/// <summary>Reads the fields of <see cref="RecipeWriter"/>; every length is checked against what is left before use.</summary>
public sealed class RecipeReader(ReadOnlyMemory<byte> bytes)
{
    public int Position { get; private set; }

    public int Remaining => bytes.Length - Position;

    public int ReadInt32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long ReadInt64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public double ReadDouble() => BitConverter.Int64BitsToDouble(ReadInt64());

    public byte[] ReadBytes() => Take(ReadLength(1)).ToArray();

    public string ReadText() => Encoding.UTF8.GetString(Take(ReadLength(1)));

    public LedgerPosition ReadPosition() => new(ReadBytes(), ReadInt64(), ReadInt64(), ReadBytes());

    public PrivacyCost ReadCost() => new((CostUnit)ReadInt32(), ReadInt64());

    public float[] ReadSingles()
    {
        var values = new float[ReadLength(4)];
        for (int i = 0; i < values.Length; i++) values[i] = BitConverter.Int32BitsToSingle(ReadInt32());
        return values;
    }

    /// <summary>Reads a count of items of at least <paramref name="itemBytes"/> bytes each.</summary>
    public int ReadLength(int itemBytes)
    {
        int length = ReadInt32();
        return length >= 0 && length <= Remaining / itemBytes
            ? length
            : throw new InvalidDataException("a length field points past the end of the file");
    }

    ReadOnlySpan<byte> Take(int count)
    {
        if (count > Remaining) throw new InvalidDataException("the file ends too early");
        Position += count;
        return bytes.Span.Slice(Position - count, count);
    }
}
