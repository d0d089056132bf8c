using System.Security.Cryptography;
using System.Text;

namespace PrivateKernels.Storage;

/// <summary>
/// The key-encryption key: 32 bytes that wrap the data key of every dataset (AES-256-GCM, AAD = dataset uid). Rows are
/// never encrypted with it, so a new one costs no pass over the rows.
/// </summary>
public sealed class EncryptionKey : IDisposable
{
    const int KeyBytes = 32, NonceBytes = 12, TagBytes = 16;
    const int WrappedBytes = 1 + NonceBytes + KeyBytes + TagBytes;
    const byte Format = 1;

    readonly byte[] _key;

    EncryptionKey(byte[] key) => _key = key;

    /// <summary>Reads 32 bytes in base64; <paramref name="field"/> names the text in the error, which does not show it.</summary>
    public static EncryptionKey Parse(string base64, string field)
    {
        var key = new byte[KeyBytes + 1];
        try
        {
            if (Convert.TryFromBase64String(base64.Trim(), key, out int length) && length == KeyBytes) return new(key[..KeyBytes]);
            throw new InvalidFieldException(field, null, "must hold 32 random bytes in base64, such as 'pk encryption create' writes");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Reads a file that holds 32 bytes, or their base64.</summary>
    public static EncryptionKey FromFile(string path, string field)
    {
        byte[] content;
        try
        {
            if (new FileInfo(path).Length > 1024) throw new InvalidFieldException(field, path, "must name a file of 32 bytes or their base64");
            content = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFieldException(field, path, "must name a file that can be read");
        }
        if (content.Length == KeyBytes) return new(content);
        try
        {
            return Parse(Encoding.ASCII.GetString(content), field);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    /// <summary>Makes a file (mode 0600) with a new random key; an existing file is left alone and refused.</summary>
    public static void CreateFile(string path)
    {
        byte[] key = RandomNumberGenerator.GetBytes(KeyBytes), text = Encoding.ASCII.GetBytes(Convert.ToBase64String(key) + "\n");
        using (FileStream file = Disk.Open(path, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            file.Write(text);
            Disk.Sync(file);
        }
        Disk.SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(text);
    }

    /// <summary>A new data key for a dataset, wrapped.</summary>
    internal byte[] CreateWrapped(string datasetUid)
    {
        byte[] key = RandomNumberGenerator.GetBytes(KeyBytes);
        try
        {
            return Wrap(key, datasetUid);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The data key in <paramref name="wrapped"/>, or null if it was wrapped with another key or altered.</summary>
    internal DataKey? Unwrap(ReadOnlySpan<byte> wrapped, string datasetUid)
    {
        if (wrapped.Length != WrappedBytes || wrapped[0] != Format) return null;
        ReadOnlySpan<byte> nonce = wrapped.Slice(1, NonceBytes), sealedKey = wrapped.Slice(1 + NonceBytes, KeyBytes);
        var key = new byte[KeyBytes];
        try
        {
            using var aes = new AesGcm(_key, TagBytes);
            aes.Decrypt(nonce, sealedKey, wrapped[^TagBytes..], key, Associated(datasetUid));
            return new(key, Guid.Parse(datasetUid));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>The same data key, wrapped with <paramref name="next"/>; null as for <see cref="Unwrap"/>.</summary>
    internal byte[]? Rewrap(ReadOnlySpan<byte> wrapped, string datasetUid, EncryptionKey next)
    {
        using DataKey? key = Unwrap(wrapped, datasetUid);
        return key is null ? null : next.Wrap(key.Bytes, datasetUid);
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(_key);

    byte[] Wrap(ReadOnlySpan<byte> key, string datasetUid)
    {
        var wrapped = new byte[WrappedBytes];
        wrapped[0] = Format;
        Span<byte> nonce = wrapped.AsSpan(1, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_key, TagBytes);
        aes.Encrypt(
            nonce, key, wrapped.AsSpan(1 + NonceBytes, KeyBytes), wrapped.AsSpan(WrappedBytes - TagBytes), Associated(datasetUid));
        return wrapped;
    }

    static byte[] Associated(string datasetUid) => [.. "pk-data-key-1"u8, .. Guid.Parse(datasetUid).ToByteArray()];
}

/// <summary>The data key of one dataset, in the clear for as long as it is in use.</summary>
sealed class DataKey(byte[] key, Guid datasetUid) : IDisposable
{
    internal ReadOnlySpan<byte> Bytes => key;

    /// <summary>
    /// The cipher of one file: its key is HKDF-SHA-256 of the data key with info = <paramref name="purpose"/> ‖ uid.
    /// </summary>
    internal BlockCipher Cipher(ReadOnlySpan<byte> purpose, Guid uid)
    {
        Span<byte> subkey = stackalloc byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, subkey, [], [.. purpose, .. uid.ToByteArray()]);
        try
        {
            return new(subkey, datasetUid, uid);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(subkey);
        }
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(key);
}

/// <summary>
/// AES-256-GCM over the blocks of one file: nonce = number of the block, AAD = dataset uid ‖ file uid ‖ number of the
/// block ‖ its header, which holds the number of rows.
/// </summary>
/// <remarks>
/// Guarantee: no nonce repeats under a key, because a file uid is drawn once and a block of a file is written once: what a
/// crash cut off is written again in another file.
/// </remarks>
sealed class BlockCipher : IDisposable
{
    internal const int TagBytes = 16;

    readonly AesGcm _aes;
    readonly byte[] _file;

    internal BlockCipher(ReadOnlySpan<byte> key, Guid datasetUid, Guid uid)
    {
        _aes = new(key, TagBytes);
        _file = [.. datasetUid.ToByteArray(), .. uid.ToByteArray()];
    }

    /// <summary>Encrypts in place all of <paramref name="body"/> but its last 16 bytes, which become the tag.</summary>
    internal void Seal(long block, ReadOnlySpan<byte> header, Span<byte> body)
    {
        Span<byte> text = body[..^TagBytes];
        _aes.Encrypt(Nonce(block), text, text, body[^TagBytes..], Associated(block, header));
    }

    /// <summary>Decrypts in place what <see cref="Seal"/> made; false if a bit of it is not as it was, or it was moved.</summary>
    internal bool TryOpen(long block, ReadOnlySpan<byte> header, Span<byte> body)
    {
        Span<byte> text = body[..^TagBytes];
        try
        {
            _aes.Decrypt(Nonce(block), text, body[^TagBytes..], text, Associated(block, header));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    public void Dispose() => _aes.Dispose();

    static byte[] Nonce(long block) => [.. BitConverter.GetBytes(block), 0, 0, 0, 0];

    byte[] Associated(long block, ReadOnlySpan<byte> header) => [.. _file, .. BitConverter.GetBytes(block), .. header];
}
