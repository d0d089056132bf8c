using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace PrivateKernels.Tests;

/// <summary>Requests with one to four things wrong, in their bytes or in their fields.</summary>
sealed class Mutations(ulong seed)
{
    static readonly string[] Texts =
    [
        "", "x", "datasets", "datasets/", "datasets//releases/", "operations/0", "datasets/people", "datasets/absent/releases/r",
        "datasets/people/releases/r/x", new('a', 70_000), "\0", "\u202e\ufeff", "../../etc/passwd", "'; DROP TABLE ledger; --",
        "00000000-0000-0000-0000-000000000000", "%s%n", "gaussian", "magic", "bWFnaWM",
    ];

    static readonly double[] Numbers =
    [
        0, -0.0, 1, -1, 0.5, 1e-300, 5e-324, 1e300, double.MaxValue, double.MinValue, double.NaN, double.PositiveInfinity,
        double.NegativeInfinity, 1 << 20,
    ];

    static readonly long[] Integers = [0, 1, -1, 2, 63, 64, 255, 65535, 65536, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue];

    readonly PublicRandom _random = new(seed);

    /// <summary>A number below a bound, as tests draw them.</summary>
    internal int Next(int bound) => _random.NextBelow(bound);

    internal byte[] Mutate(IMessage message)
    {
        int changes = 1 + Next(4);
        if (Next(2) == 0)
        {
            IMessage changed = message.Descriptor.Parser.ParseFrom(message.ToByteArray());
            for (int i = 0; i < changes; i++) ChangeField(changed);
            return changed.ToByteArray();
        }
        byte[] bytes = message.ToByteArray();
        for (int i = 0; i < changes; i++) bytes = ChangeBytes(bytes);
        return bytes;
    }

    byte[] ChangeBytes(byte[] bytes)
    {
        int at = Next(bytes.Length + 1), length = Math.Min(Next(16), bytes.Length - at);
        byte[] head = bytes[..at], tail = bytes[(at + length)..];
        switch (Next(5))
        {
            case 0 when at < bytes.Length:
                bytes[at] ^= (byte)(1 << Next(8));
                return bytes;
            case 1:
                return head;
            case 2:
                return [.. head, .. tail];
            case 3:
                return [.. head, .. bytes[at..(at + length)], .. bytes[at..(at + length)], .. tail];
            default:
                byte[] random = new byte[Next(12)];
                for (int i = 0; i < random.Length; i++) random[i] = (byte)Next(256);
                return [.. head, .. random, .. tail];
        }
    }

    void ChangeField(IMessage message)
    {
        IList<FieldDescriptor> fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0) return;
        FieldDescriptor field = fields[Next(fields.Count)];
        if (field.IsRepeated)
        {
            var list = (System.Collections.IList)field.Accessor.GetValue(message);
            if (Next(3) == 0) list.Clear();
            else
                for (int i = 1 + Next(40); i > 0; i--) list.Add(Value(field));
        }
        else if (field.FieldType == FieldType.Message && field.Accessor.GetValue(message) is IMessage inner && Next(4) > 0)
        {
            ChangeField(inner);
        }
        else if (Next(8) == 0)
        {
            field.Accessor.Clear(message);
        }
        else
        {
            field.Accessor.SetValue(message, Value(field));
        }
    }

    object Value(FieldDescriptor field)
    {
        long integer = Integers[Next(Integers.Length)];
        double number = Numbers[Next(Numbers.Length)];
        return field.FieldType switch
        {
            FieldType.String => Texts[Next(Texts.Length)],
            FieldType.Bytes => ByteString.CopyFrom(new byte[Next(64)]),
            FieldType.Bool => Next(2) == 0,
            FieldType.Double => number,
            FieldType.Float => (float)number,
            FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => unchecked((int)integer),
            FieldType.UInt32 or FieldType.Fixed32 => unchecked((uint)integer),
            FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => integer,
            FieldType.UInt64 or FieldType.Fixed64 => unchecked((ulong)integer),
            FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, unchecked((int)integer)),
            _ => field.MessageType.Parser.ParseFrom(ByteString.Empty),
        };
    }
}
