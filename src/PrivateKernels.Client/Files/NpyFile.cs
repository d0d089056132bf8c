using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace PrivateKernels.Client;

/// <summary>
/// NumPy's .npy, versions 1 to 3: magic, version, length of a Python literal, the literal {'descr', 'fortran_order',
/// 'shape'}, numbers. The first axis counts rows, the others make up a row.
/// </summary>
public static partial class NpyFile
{
    const int Alignment = 64;
    const int LargestHeader = 1 << 16;

    static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Writes rows x columns numbers; a single column is written as a vector.</summary>
    /// <param name="path">File to make or replace.</param>
    /// <param name="values">Numbers in row order.</param>
    /// <param name="columns">Numbers per row, at least 1.</param>
    public static void Write<T>(string path, ReadOnlySpan<T> values, int columns)
        where T : unmanaged
    {
        string type = default(T) switch
        {
            float => "<f4",
            double => "<f8",
            uint => "<u4",
            int => "<i4",
            long => "<i8",
            _ => throw new NotSupportedException($"no .npy type is known for {typeof(T).Name}"),
        };
        int rows = values.Length / columns;
        string shape = columns == 1 ? $"({rows},)" : $"({rows}, {columns})";
        string literal = $"{{'descr': '{type}', 'fortran_order': False, 'shape': {shape}, }}";
        int length = (10 + literal.Length + 1 + Alignment - 1) / Alignment * Alignment - 10;
        using FileStream file = File.Create(path);
        file.Write(Magic);
        file.Write([1, 0, (byte)length, (byte)(length >> 8)]);
        file.Write(Encoding.ASCII.GetBytes(literal.PadRight(length - 1) + "\n"));
        file.Write(MemoryMarshal.AsBytes(values));
    }

    internal static BinaryLayout ReadHeader(RowSource source)
    {
        Span<byte> head = stackalloc byte[8];
        source.ReadHeader(head);
        Span<byte> size = stackalloc byte[head[6] == 1 ? 2 : 4];
        source.ReadHeader(size);
        uint length = size.Length == 2
            ? BinaryPrimitives.ReadUInt16LittleEndian(size)
            : BinaryPrimitives.ReadUInt32LittleEndian(size);
        if (!head.StartsWith(Magic) || head[6] is < 1 or > 3 || length > LargestHeader)
            throw source.Error("is no .npy file of version 1 to 3");
        var bytes = new byte[length];
        source.ReadHeader(bytes);
        string literal = Encoding.UTF8.GetString(bytes);
        if (FortranOrder.IsMatch(literal))
            throw source.Error("is in Fortran order; write it with numpy.ascontiguousarray");
        long[] shape = Shape(source, literal);
        long columns = shape.Skip(1).Aggregate(1L, static (product, axis) => Math.Min(product * axis, int.MaxValue));
        return new(ElementOf(source, literal), shape[0], (int)columns, 1);
    }

    static Element ElementOf(RowSource source, string literal)
    {
        Match type = Descriptor.Match(literal);
        ElementKind kind = type.Groups[2].Value switch
        {
            "u1" or "b1" => ElementKind.UInt8,
            "i1" => ElementKind.Int8,
            "u2" => ElementKind.UInt16,
            "i2" => ElementKind.Int16,
            "u4" => ElementKind.UInt32,
            "i4" => ElementKind.Int32,
            "u8" => ElementKind.UInt64,
            "i8" => ElementKind.Int64,
            "f2" => ElementKind.Float16,
            "f4" => ElementKind.Float32,
            "f8" => ElementKind.Float64,
            _ => throw source.Error("holds no numbers that can be read: integers, or floats of 2, 4 or 8 bytes"),
        };
        return new(kind, type.Groups[1].Value == ">");
    }

    static long[] Shape(RowSource source, string literal)
    {
        Match shape = ShapeTuple.Match(literal);
        string[] axes =
            shape.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var numbers = new long[axes.Length];
        for (int axis = 0; axis < axes.Length; axis++)
            if (!long.TryParse(axes[axis], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[axis]))
                throw source.Error("has a shape that cannot be read");
        return numbers.Length > 0 ? numbers : throw source.Error("holds a single number, not rows");
    }

    [GeneratedRegex(@"'fortran_order':\s*True")]
    static partial Regex FortranOrder { get; }

    [GeneratedRegex(@"'descr':\s*'([<>|=])(\w+)'")]
    static partial Regex Descriptor { get; }

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)")]
    static partial Regex ShapeTuple { get; }
}
