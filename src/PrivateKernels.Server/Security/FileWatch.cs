using System.Security.Cryptography;

namespace PrivateKernels.Server;

/// <summary>
/// Notices that files have other bytes than before. It reads them every second instead of asking the system for events:
/// files that an orchestrator mounts change by a swap of links, of which no event tells.
/// </summary>
sealed class FileWatch : IDisposable
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly string[] _paths;
    readonly Action _reload;
    readonly JsonLog _log;
    readonly string _key;
    readonly Lock _lock = new();
    readonly Timer _timer;
    byte[] _seen;

    /// <param name="paths">Small files, read already.</param>
    /// <param name="reload">Reads them anew; if it throws, what was read before stays in force.</param>
    /// <param name="log">Hears of files that cannot be used.</param>
    /// <param name="key">Configuration key that names them.</param>
    internal FileWatch(string[] paths, Action reload, JsonLog log, string key)
    {
        (_paths, _reload, _log, _key) = (paths, reload, log, key);
        _seen = Digest();
        _timer = new Timer(_ => Look(), null, Interval, Interval);
    }

    public void Dispose() => _timer.Dispose();

    void Look()
    {
        // Whoever is late does not wait for a slow disk; the next second looks again.
        if (!_lock.TryEnter()) return;
        try
        {
            byte[] now = Digest();
            if (now.AsSpan().SequenceEqual(_seen)) return;
            _seen = now;
            _reload();
        }
        catch (Exception e)
        {
            // Whatever is wrong with a file that somebody edits, it must not end a server that serves.
            _log.Write(LogLevel.Error, "configuration", ("key", _key), ("type", e.GetType().Name),
                ("note", "the file was changed and cannot be used; what was read before stays in force"));
        }
        finally
        {
            _lock.Exit();
        }
    }

    byte[] Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in _paths)
        {
            byte[] bytes = [];
            try
            {
                bytes = File.ReadAllBytes(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A file that is away for a moment is a change like any other.
            }
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
            CryptographicOperations.ZeroMemory(bytes);
        }
        return hash.GetHashAndReset();
    }
}
