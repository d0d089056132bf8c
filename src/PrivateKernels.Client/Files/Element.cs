using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace PrivateKernels.Client;

/// <summary>Type of a number in a binary file.</summary>
enum ElementKind
{
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    UInt64,
    Int64,
    Float16,
    Float32,
    Float64,
}

/// <summary>Numbers as a binary file holds them, and what they mean.</summary>
readonly record struct Element(ElementKind Kind, bool BigEndian)
{
    public int Size => Kind switch
    {
        ElementKind.UInt8 or ElementKind.Int8 => 1,
        ElementKind.UInt16 or ElementKind.Int16 or ElementKind.Float16 => 2,
        ElementKind.UInt32 or ElementKind.Int32 or ElementKind.Float32 => 4,
        _ => 8,
    };

    /// <summary>Whether the bytes are those of float in memory.</summary>
    public bool IsNativeFloat => Kind == ElementKind.Float32 && BigEndian != BitConverter.IsLittleEndian;

    /// <summary>Numbers to fp32, nearest; the bytes may be changed on the way.</summary>
    public void ToFloat(Span<byte> bytes, Span<float> values)
    {
        OrderBytes(bytes);
        switch (Kind)
        {
            case ElementKind.UInt8: Narrow<byte>(bytes, values); break;
            case ElementKind.Int8: Narrow<sbyte>(bytes, values); break;
            case ElementKind.UInt16: Narrow<ushort>(bytes, values); break;
            case ElementKind.Int16: Narrow<short>(bytes, values); break;
            case ElementKind.UInt32: Narrow<uint>(bytes, values); break;
            case ElementKind.Int32: Narrow<int>(bytes, values); break;
            case ElementKind.UInt64: Narrow<ulong>(bytes, values); break;
            case ElementKind.Int64: Narrow<long>(bytes, values); break;
            case ElementKind.Float16: Narrow<Half>(bytes, values); break;
            case ElementKind.Float32: Narrow<float>(bytes, values); break;
            default: Narrow<double>(bytes, values); break;
        }
    }

    /// <summary>The integer at the beginning of the bytes, or null where it is no integer.</summary>
    public long? ToInteger(Span<byte> bytes)
    {
        OrderBytes(bytes);
        return Kind switch
        {
            ElementKind.UInt8 => bytes[0],
            ElementKind.Int8 => (sbyte)bytes[0],
            ElementKind.UInt16 => Integer<ushort>(bytes),
            ElementKind.Int16 => Integer<short>(bytes),
            ElementKind.UInt32 => Integer<uint>(bytes),
            ElementKind.Int32 => Integer<int>(bytes),
            ElementKind.UInt64 => Integer<ulong>(bytes),
            ElementKind.Int64 => Integer<long>(bytes),
            ElementKind.Float16 => Integer<Half>(bytes),
            ElementKind.Float32 => Integer<float>(bytes),
            _ => Integer<double>(bytes),
        };
    }

    /// <summary>A number as a label, or null where it is no integer.</summary>
    public static long? Integer<T>(T number)
        where T : INumberBase<T>
        => T.IsInteger(number) ? long.CreateSaturating(number) : null;

    static long? Integer<T>(Span<byte> bytes)
        where T : unmanaged, INumberBase<T>
        => Integer(MemoryMarshal.Read<T>(bytes));

    static void Narrow<T>(Span<byte> bytes, Span<float> values)
        where T : unmanaged, INumberBase<T>
    {
        ReadOnlySpan<T> numbers = MemoryMarshal.Cast<byte, T>(bytes);
        for (int i = 0; i < values.Length; i++) values[i] = float.CreateSaturating(numbers[i]);
    }

    void OrderBytes(Span<byte> bytes)
    {
        if (BigEndian != BitConverter.IsLittleEndian) return;
        if (Size == 2) Reverse16(MemoryMarshal.Cast<byte, ushort>(bytes));
        if (Size == 4) Reverse32(MemoryMarshal.Cast<byte, uint>(bytes));
        if (Size == 8) Reverse64(MemoryMarshal.Cast<byte, ulong>(bytes));
    }

    static void Reverse16(Span<ushort> words) => BinaryPrimitives.ReverseEndianness(words, words);

    static void Reverse32(Span<uint> words) => BinaryPrimitives.ReverseEndianness(words, words);

    static void Reverse64(Span<ulong> words) => BinaryPrimitives.ReverseEndianness(words, words);
}
