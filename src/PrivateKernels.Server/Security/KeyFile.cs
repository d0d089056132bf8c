using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PrivateKernels.Server;

/// <summary>One entry of the keys file. It holds no secret: only what a secret is recognised by.</summary>
/// <param name="Id">1 to 63 lower-case letters, digits and '-', starting with a letter. Appears in logs.</param>
/// <param name="Role">Exactly one.</param>
/// <param name="Datasets">Ids of datasets, or "*" for all.</param>
/// <param name="Expires">Valid before this; null = for ever.</param>
/// <param name="Sha256">SHA-256 of the key's text in hexadecimal; null for an entry of a client certificate only.</param>
/// <param name="Certificate">SHA-256 thumbprint of a client certificate in hexadecimal; null for none.</param>
public sealed record KeyEntry(
    string Id, Role Role, IReadOnlyList<string> Datasets, DateTimeOffset? Expires = null, string? Sha256 = null,
    string? Certificate = null)
{
    internal const string AllDatasets = "*";

    /// <summary>What is wrong with it; null if nothing is.</summary>
    internal string? Fault() =>
        !Names.IsId(Id) ? "id must be 1 to 63 lower-case letters, digits and '-', starting with a letter"
        : Role is not (Role.Owner or Role.Analyst or Role.Auditor) ? "role must be owner, analyst or auditor"
        : Datasets is not { Count: > 0 } || !Datasets.All(static d => d == AllDatasets || Names.IsId(d))
            ? "datasets must hold ids of datasets, or \"*\""
        : Sha256 is null && Certificate is null ? "sha256 or certificate must be set"
        : !IsHash(Sha256) ? "sha256 must be 64 hexadecimal digits"
        : !IsHash(Certificate) ? "certificate must be the SHA-256 thumbprint, 64 hexadecimal digits"
        : null;

    static bool IsHash(string? text) => text is null || text is { Length: 64 } && text.All(char.IsAsciiHexDigit);
}

/// <summary>
/// The file of API keys: JSON, mode 0600, written by <c>pk key</c>, read by the server. A key is
/// <c>pk_{id}_{43 base64url characters}</c>, 256 random bits; the file holds its SHA-256, so it gives nobody access.
/// </summary>
public sealed class KeyFile
{
    internal const int MostBytes = 1 << 20;
    const int SecretBytes = 32;
    const int SecretCharacters = 43;

    static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    KeyFile(IReadOnlyList<KeyEntry> keys) => Keys = keys;

    public IReadOnlyList<KeyEntry> Keys { get; }

    /// <summary>Reads and checks; <see cref="ConfigurationException"/> names the file and what is wrong.</summary>
    public static KeyFile Read(string path)
    {
        try
        {
            return Parse(path, File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"the keys file {path} cannot be read; create a key with 'pk key create --keys FILE'.");
        }
    }

    internal static KeyFile Parse(string path, ReadOnlySpan<byte> bytes)
    {
        Document? document;
        try
        {
            if (bytes.Length > MostBytes) throw new ConfigurationException($"{path} has more than {MostBytes} bytes.");
            document = JsonSerializer.Deserialize<Document>(bytes, Format);
        }
        catch (JsonException e)
        {
            // The text of the exception quotes the file.
            throw new ConfigurationException($"{path} is not a keys file (line {e.LineNumber + 1}).");
        }
        var keys = new List<KeyEntry>();
        var ids = new HashSet<string>();
        foreach (KeyEntry? key in document?.Keys ?? [])
        {
            string? fault = key is null ? "must be an object" : key.Fault() ?? (ids.Add(key.Id) ? null : "id is there twice");
            if (key is null || fault is not null) throw new ConfigurationException($"{path}, key {keys.Count + 1}: {fault}.");
            keys.Add(key);
        }
        return new KeyFile(keys);
    }

    /// <summary>
    /// Changes the file under a lock, whole or not at all: a server that reads it meanwhile sees the old or the new one.
    /// </summary>
    public static void Change(string path, Func<IReadOnlyList<KeyEntry>, IEnumerable<KeyEntry>> change)
    {
        var owner = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) owner.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var guard = new FileStream(path + ".lock", owner);
        KeyEntry[] keys = [.. change(File.Exists(path) ? Read(path).Keys : [])];
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new Document(keys), Format);
        Parse(path, bytes);
        owner.Mode = FileMode.Create;
        using (var next = new FileStream(path + ".new", owner))
        {
            next.Write(bytes);
            next.Flush(flushToDisk: true);
        }
        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>A new key for an entry: the text that its holder keeps, and the entry that recognises it.</summary>
    public static (string Key, KeyEntry Entry) NewKey(KeyEntry entry)
    {
        byte[] secret = RandomNumberGenerator.GetBytes(SecretBytes);
        string key = $"pk_{entry.Id}_{Base64Url.EncodeToString(secret)}";
        CryptographicOperations.ZeroMemory(secret);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Hash(key, hash);
        return (key, entry with { Sha256 = Convert.ToHexStringLower(hash) });
    }

    /// <summary>Id in the text of a key; null if the text is none.</summary>
    internal static string? IdOf(string key) =>
        key.Length > SecretCharacters + 4 && key.StartsWith("pk_", StringComparison.Ordinal) && key[^(SecretCharacters + 1)] == '_'
        && key[3..^(SecretCharacters + 1)] is var id && Names.IsId(id) ? id : null;

    internal static void Hash(string key, Span<byte> hash)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(key);
        SHA256.HashData(bytes, hash);
        CryptographicOperations.ZeroMemory(bytes);
    }

    sealed record Document(IReadOnlyList<KeyEntry> Keys);
}
