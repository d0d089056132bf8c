using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// Exact cells at rest, always encrypted: a header (magic, file uid, bytes of content, CRC-32C), then blocks of content of
/// up to 4 MiB with their tags. The header is in the AAD of every block, so a shorter file does not pass for a whole one.
/// </summary>
static class CellFile
{
    const int HeaderBytes = 40, BlockBytes = 4 << 20;
    const ulong Magic = 0x3153_4C4C_4543_4B50; // "PKCELLS1"

    /// <summary>Writes a new file and makes content and name durable.</summary>
    /// <returns>SHA-256 and size of the file.</returns>
    internal static (byte[] Sha256, long Bytes) Write(string path, Guid uid, DataKey key, params ReadOnlySpan<byte[]> content)
    {
        using BlockCipher cipher = key.Cipher("pk-cells-1"u8, uid);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using FileStream file = Disk.Open(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        long total = 0;
        foreach (byte[] part in content) total += part.Length;
        byte[] header = Header(uid, total), block = new byte[(int)Math.Min(BlockBytes, total) + BlockCipher.TagBytes];
        Append(header);
        int filled = 0, index = 0;
        foreach (byte[] part in content)
            for (int done = 0; done < part.Length;)
            {
                int count = Math.Min(part.Length - done, BlockBytes - filled);
                part.AsSpan(done, count).CopyTo(block.AsSpan(filled));
                (done, filled) = (done + count, filled + count);
                if (filled == BlockBytes) Flush();
            }
        if (filled > 0) Flush();
        Disk.Sync(file);
        Disk.SyncDirectory(Path.GetDirectoryName(path)!);
        return (hash.GetHashAndReset(), file.Length);

        void Flush()
        {
            Span<byte> body = block.AsSpan(0, filled + BlockCipher.TagBytes);
            cipher.Seal(index++, header, body);
            Append(body);
            filled = 0;
        }

        void Append(ReadOnlySpan<byte> bytes)
        {
            file.Write(bytes);
            hash.AppendData(bytes);
        }
    }

    /// <summary>The content of a file; FILE_CORRUPT if it is missing or a bit of it is not as it was written.</summary>
    internal static byte[] Read(string path, Guid uid, DataKey key)
    {
        byte[] file;
        try
        {
            file = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Altered(e);
        }
        if (file.Length < HeaderBytes) throw Altered();
        ReadOnlySpan<byte> header = file.AsSpan(0, HeaderBytes);
        long total = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        if (!header.SequenceEqual(Header(uid, total))) throw Altered();
        long blocks = (total + BlockBytes - 1) / BlockBytes;
        if (total < 0 || file.Length != HeaderBytes + total + blocks * BlockCipher.TagBytes) throw Altered();
        using BlockCipher cipher = key.Cipher("pk-cells-1"u8, uid);
        var content = new byte[total];
        int at = HeaderBytes;
        for (int index = 0, done = 0; index < blocks; index++)
        {
            int count = (int)Math.Min(BlockBytes, total - done);
            Span<byte> body = file.AsSpan(at, count + BlockCipher.TagBytes);
            if (!cipher.TryOpen(index, header, body)) throw Altered();
            body[..count].CopyTo(content.AsSpan(done));
            (done, at) = (done + count, at + body.Length);
        }
        CryptographicOperations.ZeroMemory(file);
        return content;
    }

    static byte[] Header(Guid uid, long total)
    {
        var header = new byte[HeaderBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        uid.TryWriteBytes(header.AsSpan(8));
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), total);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(32), Crc32C.Compute(header.AsSpan(0, 32)));
        return header;
    }

    static StorageException Altered(Exception? cause = null) =>
        new(Reasons.FileCorrupt, "A file of accumulated cells is missing or is not what was written.", null, cause);
}
