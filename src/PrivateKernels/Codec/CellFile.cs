using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>
/// Frame of files of noisy cells: eight letters, version, length of the header, header, number of cells, cells as
/// little-endian int64, SHA-256 of all before.
/// </summary>
static class CellFile
{
    public const int TrailerBytes = 32, PrefixBytes = 16;

    /// <summary>Bytes of a file with a header and cells of these sizes.</summary>
    public static long SizeOf(long headerBytes, long cells) => PrefixBytes + headerBytes + 8 + 8 * cells + TrailerBytes;

    public static byte[] Write(ReadOnlySpan<byte> magic, int version, ReadOnlySpan<byte> header, ReadOnlySpan<long> cells)
    {
        var file = new byte[SizeOf(header.Length, cells.Length)];
        magic.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), version);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), header.Length);
        header.CopyTo(file.AsSpan(PrefixBytes));
        Span<byte> rest = file.AsSpan(PrefixBytes + header.Length);
        BinaryPrimitives.WriteInt64LittleEndian(rest, cells.Length);
        for (int i = 0; i < cells.Length; i++) BinaryPrimitives.WriteInt64LittleEndian(rest[(8 + 8 * i)..], cells[i]);
        SHA256.HashData(file.AsSpan(0, file.Length - TrailerBytes), file.AsSpan(file.Length - TrailerBytes));
        return file;
    }

    /// <summary>The header and the cells of a checked file; the cells are as many as the header's reader says.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="magic">Its first eight bytes.</param>
    /// <param name="version">The version that is read.</param>
    /// <param name="what">Of what kind it is, for errors: "release file".</param>
    /// <param name="read">Reads the whole header and returns what it describes with its number of cells.</param>
    /// <exception cref="InvalidDataException">It is torn, altered, of another version, or inconsistent.</exception>
    public static (T Header, long[] Cells) Read<T>(
        ReadOnlyMemory<byte> file, ReadOnlySpan<byte> magic, int version, string what, Func<RecipeReader, (T Header, long Cells)> read)
    {
        ReadOnlyMemory<byte> body = CheckedBody(file, magic, version, what);
        RecipeReader reader = Header(body, out int end);
        try
        {
            (T header, long expected) = read(reader);
            long count = BinaryPrimitives.ReadInt64LittleEndian(body.Span[end..]);
            if (reader.Remaining != 0 || count != expected || body.Length - end - 8 != 8 * count)
                throw new InvalidDataException("the number of cells does not fit the recipe");
            return (header, ReadCells(body.Span[(end + 8)..]));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or OverflowException)
        {
            throw new InvalidDataException($"the recipe of the {what} is not valid: {e.Message}", e);
        }
    }

    /// <summary>The header alone, after the same check of frame and trailer.</summary>
    /// <exception cref="InvalidDataException">The file is torn, altered or of another version.</exception>
    public static RecipeReader Header(ReadOnlyMemory<byte> file, ReadOnlySpan<byte> magic, int version, string what) =>
        Header(CheckedBody(file, magic, version, what), out _);

    static ReadOnlyMemory<byte> CheckedBody(ReadOnlyMemory<byte> file, ReadOnlySpan<byte> magic, int version, string what)
    {
        if (file.Length < PrefixBytes + 8 + TrailerBytes || !file.Span.StartsWith(magic))
            throw new InvalidDataException($"this is not a {what}");
        int found = BinaryPrimitives.ReadInt32LittleEndian(file.Span[8..]);
        if (found != version) throw new InvalidDataException($"the {what} has version {found}; this program reads {version}");
        ReadOnlyMemory<byte> body = file[..^TrailerBytes];
        return SHA256.HashData(body.Span).AsSpan().SequenceEqual(file.Span[^TrailerBytes..])
            ? body
            : throw new InvalidDataException($"the {what} is torn or altered: its SHA-256 does not fit");
    }

    static RecipeReader Header(ReadOnlyMemory<byte> body, out int end)
    {
        int length = BinaryPrimitives.ReadInt32LittleEndian(body.Span[12..]);
        if (length < 0 || length > body.Length - PrefixBytes - 8) throw new InvalidDataException("the header is longer than the file");
        end = PrefixBytes + length;
        return new(body.Slice(PrefixBytes, length));
    }

    static long[] ReadCells(ReadOnlySpan<byte> bytes)
    {
        if (BitConverter.IsLittleEndian) return MemoryMarshal.Cast<byte, long>(bytes).ToArray();
        var cells = new long[bytes.Length / 8];
        for (int i = 0; i < cells.Length; i++) cells[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes[(8 * i)..]);
        return cells;
    }
}
