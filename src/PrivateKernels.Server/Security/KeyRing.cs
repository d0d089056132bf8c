using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PrivateKernels.Server;

/// <summary>The keys in force. A change of the file counts from the next call on; a file that is wrong changes nothing.</summary>
sealed class KeyRing : IDisposable
{
    /// <summary>An unknown id costs what a known one does.</summary>
    static readonly byte[] NoHash = new byte[SHA256.HashSizeInBytes];

    readonly TimeProvider _clock;
    readonly FileWatch _watch;
    volatile Entries _entries;

    internal KeyRing(string path, JsonLog log, TimeProvider clock)
    {
        _clock = clock;
        _entries = new(KeyFile.Read(path).Keys);
        _watch = new FileWatch([path], () =>
        {
            _entries = new(KeyFile.Read(path).Keys);
            log.Write(LogLevel.Information, "keys", ("note", "the keys file was read again"));
        }, log, "Security:KeysFile");
    }

    /// <summary>Who holds a key; null if nobody does, or no longer.</summary>
    internal Caller? Find(string key)
    {
        string? id = KeyFile.IdOf(key);
        Entry? entry = id is null ? null : _entries.ById.GetValueOrDefault(id);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        KeyFile.Hash(key, hash);
        bool same = CryptographicOperations.FixedTimeEquals(hash, entry?.Hash ?? NoHash);
        CryptographicOperations.ZeroMemory(hash);
        return same && entry?.Hash is not null ? InForce(entry) : null;
    }

    /// <summary>Whom a client certificate belongs to, by its SHA-256 thumbprint; null if to nobody, or out of date.</summary>
    internal Caller? FindCertificate(X509Certificate2 certificate)
    {
        DateTime now = _clock.GetLocalNow().DateTime;
        return certificate.NotBefore <= now && now < certificate.NotAfter
            && _entries.ByCertificate.GetValueOrDefault(certificate.GetCertHashString(HashAlgorithmName.SHA256)) is { } entry
                ? InForce(entry) : null;
    }

    /// <summary>What the key of this id allows now; null if it was revoked or has expired.</summary>
    internal Caller? Current(string id) => _entries.ById.GetValueOrDefault(id) is { } entry ? InForce(entry) : null;

    public void Dispose() => _watch.Dispose();

    Caller? InForce(Entry entry) => entry.Expires is { } end && end <= _clock.GetUtcNow() ? null : entry.Caller;

    sealed record Entry(Caller Caller, byte[]? Hash, DateTimeOffset? Expires);

    sealed class Entries
    {
        internal Entries(IReadOnlyList<KeyEntry> keys)
        {
            var entries = keys.Select(static k => (Key: k, Entry: new Entry(
                new Caller(k.Id, k.Role, k.Datasets.Contains(KeyEntry.AllDatasets) ? null : k.Datasets.ToFrozenSet()),
                k.Sha256 is null ? null : Convert.FromHexString(k.Sha256), k.Expires))).ToArray();
            ById = entries.ToFrozenDictionary(static e => e.Key.Id, static e => e.Entry);
            // Two entries may name one certificate; the first counts.
            ByCertificate = entries.Where(static e => e.Key.Certificate is not null)
                .DistinctBy(static e => e.Key.Certificate, StringComparer.OrdinalIgnoreCase)
                .ToFrozenDictionary(static e => e.Key.Certificate!, static e => e.Entry, StringComparer.OrdinalIgnoreCase);
        }

        internal FrozenDictionary<string, Entry> ById { get; }

        internal FrozenDictionary<string, Entry> ByCertificate { get; }
    }
}
