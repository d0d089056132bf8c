using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>
/// Bytes of a release: "PKRELEAS", version, length of the header, header (provenance, price, recipe), number of cells,
/// cells as little-endian int64, SHA-256 of all before. The size depends on public parameters only.
/// </summary>
public static class ReleaseFile
{
    public const int Version = 1;

    const int TrailerBytes = 32, PrefixBytes = 16;

    static ReadOnlySpan<byte> Magic => "PKRELEAS"u8;

    /// <summary>The whole file, trailer included.</summary>
    public static byte[] Write(Release release)
    {
        var header = new RecipeWriter();
        WriteProvenance(header, release.Provenance);
        header.WriteRaw(release.Measurement.RecipeBytes);
        long length = PrefixBytes + header.Written.Length + 8 + 8L * release.Cells.Length + TrailerBytes;
        var file = new byte[length];
        Magic.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), header.Written.Length);
        header.Written.CopyTo(file.AsSpan(PrefixBytes));
        Span<byte> rest = file.AsSpan(PrefixBytes + header.Written.Length);
        BinaryPrimitives.WriteInt64LittleEndian(rest, release.Cells.Length);
        for (int i = 0; i < release.Cells.Length; i++) BinaryPrimitives.WriteInt64LittleEndian(rest[(8 + 8 * i)..], release.Cells[i]);
        SHA256.HashData(file.AsSpan(0, file.Length - TrailerBytes), file.AsSpan(file.Length - TrailerBytes));
        return file;
    }

    /// <summary>Bytes of the file that a measurement will make; known before it is made.</summary>
    public static long SizeOf(Measurement measurement)
    {
        const int ProvenanceBytes = 4 + 16 + 4 + 32 + 4 + 16 + 8 + 8 + 4 + 32 + 4 + 8;
        return PrefixBytes + ProvenanceBytes + Recipe.SizeOf(measurement) + 8 + 8 * measurement.CellCount + TrailerBytes;
    }

    /// <summary>Reads and checks a whole file.</summary>
    /// <exception cref="InvalidDataException">It is torn, altered, of another version, or inconsistent.</exception>
    public static Release Read(ReadOnlyMemory<byte> file)
    {
        ReadOnlyMemory<byte> body = CheckedBody(file);
        RecipeReader header = Header(body, out int headerEnd);
        try
        {
            Provenance provenance = ReadProvenance(header);
            Measurement measurement = Recipe.Read(header);
            long count = BinaryPrimitives.ReadInt64LittleEndian(body.Span[headerEnd..]);
            if (header.Remaining != 0 || count != measurement.CellCount || body.Length - headerEnd - 8 != 8 * count)
                throw new InvalidDataException("the number of cells does not fit the recipe");
            return new(measurement, provenance, ReadCells(body.Span[(headerEnd + 8)..]));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or OverflowException)
        {
            throw new InvalidDataException("the recipe of the release is not valid: " + e.Message, e);
        }
    }

    /// <summary>The provenance alone, after the same check of the trailer; for recovery.</summary>
    /// <exception cref="InvalidDataException">The file is torn, altered or of another version.</exception>
    public static Provenance ReadProvenance(ReadOnlyMemory<byte> file) => ReadProvenance(Header(CheckedBody(file), out _));

    static ReadOnlyMemory<byte> CheckedBody(ReadOnlyMemory<byte> file)
    {
        if (file.Length < PrefixBytes + 8 + TrailerBytes || !file.Span.StartsWith(Magic))
            throw new InvalidDataException("this is not a release file");
        int version = BinaryPrimitives.ReadInt32LittleEndian(file.Span[8..]);
        if (version != Version) throw new InvalidDataException($"the release file has version {version}; this program reads {Version}");
        ReadOnlyMemory<byte> body = file[..^TrailerBytes];
        return SHA256.HashData(body.Span).AsSpan().SequenceEqual(file.Span[^TrailerBytes..])
            ? body
            : throw new InvalidDataException("the release file is torn or altered: its SHA-256 does not fit");
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

    static void WriteProvenance(RecipeWriter writer, Provenance provenance)
    {
        writer.WriteBytes(provenance.ReservationId.Span);
        writer.WriteBytes(provenance.RequestHash.Span);
        writer.WriteBytes(provenance.ReservedAt.LedgerId.Span);
        writer.WriteInt64(provenance.ReservedAt.Epoch);
        writer.WriteInt64(provenance.ReservedAt.Sequence);
        writer.WriteBytes(provenance.ReservedAt.Hash.Span);
        writer.WriteInt32((int)provenance.Cost.Unit);
        writer.WriteInt64(provenance.Cost.Units);
    }

    static Provenance ReadProvenance(RecipeReader reader) => new(
        reader.ReadBytes(), reader.ReadBytes(),
        new LedgerPosition(reader.ReadBytes(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadBytes()),
        new PrivacyCost((CostUnit)reader.ReadInt32(), reader.ReadInt64()));
}
