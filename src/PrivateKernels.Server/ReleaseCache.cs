using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Opened releases, the most recently used ones, within a number of bytes, maps that are drawn from a seed included; the last one
/// used stays whatever its size, since opening it again for each query would cost far more.
/// </summary>
sealed class ReleaseCache(ReleaseStore store, long capacityBytes)
{
    readonly Dictionary<string, LinkedListNode<Entry>> _byUid = [];
    readonly LinkedList<Entry> _recent = new();
    readonly Dictionary<string, Lazy<Release>> _opening = [];
    long _bytes;

    internal long Bytes
    {
        get
        {
            lock (_byUid) return _bytes;
        }
    }

    /// <summary>
    /// The release of a READY row: from memory, or read and checked from its file, once for all who wait.
    /// </summary>
    internal Release Get(ReleaseRow row)
    {
        Lazy<Release> opening;
        lock (_byUid)
        {
            if (_byUid.TryGetValue(row.Uid, out LinkedListNode<Entry>? node))
            {
                _recent.Remove(node);
                _recent.AddFirst(node);
                return node.Value.Release;
            }
            if (!_opening.TryGetValue(row.Uid, out opening!))
                _opening[row.Uid] = opening = new(() => Open(row));
        }
        try
        {
            Release release = opening.Value;
            Add(row, release);
            return release;
        }
        finally
        {
            lock (_byUid) _opening.Remove(row.Uid);
        }
    }

    internal void Add(ReleaseRow row, Release release)
    {
        lock (_byUid)
        {
            if (_byUid.ContainsKey(row.Uid)) return;
            LinkedListNode<Entry> newest = _byUid[row.Uid] = _recent.AddFirst(new Entry(row.Uid, release, release.MemoryBytes));
            _bytes += newest.Value.Bytes;
            while (_bytes > capacityBytes && _recent.Last! != newest) Drop(_recent.Last!);
        }
    }

    internal void Remove(string uid)
    {
        lock (_byUid)
            if (_byUid.TryGetValue(uid, out LinkedListNode<Entry>? node)) Drop(node);
    }

    void Drop(LinkedListNode<Entry> node)
    {
        _recent.Remove(node);
        _byUid.Remove(node.Value.Uid);
        _bytes -= node.Value.Bytes;
    }

    Release Open(ReleaseRow row)
    {
        using FileStream file = store.OpenFile(row);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        try
        {
            // The ledger's hash, not only the file's own trailer: another release's file is as wrong as a torn one.
            if (!System.Security.Cryptography.SHA256.HashData(bytes).AsSpan().SequenceEqual(row.Sha256.Span))
                throw new InvalidDataException("the file is not the one that was posted");
            return ReleaseFile.Read(bytes);
        }
        catch (InvalidDataException)
        {
            throw new Refusal("FILE_CORRUPT", "the file of the release is damaged; restore it, or delete the release.",
                ("release", row.Name));
        }
    }

    sealed record Entry(string Uid, Release Release, long Bytes);
}
