using System.Buffers.Binary;

namespace PrivateKernels.Storage;

/// <summary>The newest position of the ledger, kept apart from it.</summary>
interface IWitness : IDisposable
{
    /// <summary>Whether nothing was ever written.</summary>
    bool IsNew { get; }

    /// <summary>The newest position; null if there is none.</summary>
    LedgerPosition? Read();

    /// <summary>Replaces one position by another, durably; false if it holds anything but <paramref name="from"/>.</summary>
    bool TryAdvance(LedgerPosition? from, LedgerPosition to);
}

/// <summary>What a witness had seen, read without touching it.</summary>
/// <param name="Position">The newest position; null if there is none, or none whole.</param>
/// <param name="IsNew">Whether nothing was ever written.</param>
readonly record struct Sighting(LedgerPosition? Position, bool IsNew)
{
    internal static Sighting Of(IWitness witness) => new(witness.Read(), witness.IsNew);

    /// <summary>Of the witness that a data directory, or a ledger in PostgreSQL, has by its options.</summary>
    internal static Sighting Of(string path, StorageOptions options) => options.WitnessConnectionString is { } elsewhere
        ? WitnessRow.Look(elsewhere, options.AllowInsecureWitness)
        : Witness.Look(options.WitnessPath ?? DataDirectory.WitnessPath(path));
}

/// <summary>
/// The newest position of the ledger, in a file of its own: two slots of 4096 bytes, written in turn, so that a torn
/// write leaves the other one.
/// </summary>
/// <remarks>
/// Guarantee: the slot is on disk before any effect of the position is acknowledged. A ledger that lost commits (a
/// flipped bit in SQLite's write-ahead log drops all later ones silently) is behind it and is not served.
/// </remarks>
sealed class Witness : IWitness
{
    const int SlotBytes = 4096, RecordBytes = 76;
    const ulong Magic = 0x3153_5345_4E54_4957; // "WITNESS1"

    readonly FileStream _file;
    readonly byte[] _slots = new byte[2 * SlotBytes];

    internal Witness(string path)
    {
        bool isNew = !File.Exists(path);
        _file = Disk.Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (isNew) Disk.SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>What a file holds, which is left as it is and may be missing.</summary>
    internal static Sighting Look(string path)
    {
        if (!File.Exists(path)) return new(null, IsNew: true);
        using FileStream file = Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var slots = new byte[2 * SlotBytes];
        file.ReadAtLeast(slots, slots.Length, throwOnEndOfStream: false);
        LedgerPosition? newest = Newest(slots);
        return new(newest, newest is null && file.Length <= SlotBytes);
    }

    /// <summary>Whether nothing was ever written whole: a later write would have made the file two slots long.</summary>
    public bool IsNew => _file.Length <= SlotBytes && Read() is null;

    /// <summary>The newest position in a slot that is whole; null if there is none.</summary>
    public LedgerPosition? Read()
    {
        Array.Clear(_slots);
        RandomAccess.Read(_file.SafeFileHandle, _slots, 0);
        return Newest(_slots);
    }

    static LedgerPosition? Newest(ReadOnlySpan<byte> slots)
    {
        LedgerPosition? first = Decode(slots), second = Decode(slots[SlotBytes..]);
        return first is null || (second is not null && IsBefore(first, second)) ? second : first;
    }

    /// <summary>
    /// Replaces <paramref name="from"/> by <paramref name="to"/>; false if the file holds anything but what this process
    /// wrote last: then another server runs on a copy.
    /// </summary>
    public bool TryAdvance(LedgerPosition? from, LedgerPosition to)
    {
        if (!Same(Read(), from)) return false;
        LedgerPosition? first = Decode(_slots);
        int slot = first is not null && Same(first, from) ? 1 : 0;
        Span<byte> bytes = _slots.AsSpan(slot * SlotBytes, SlotBytes);
        Encode(to, bytes);
        RandomAccess.Write(_file.SafeFileHandle, bytes[..(RecordBytes / 2)], slot * SlotBytes);
        Failpoint.Hit("witness.mid_write");
        RandomAccess.Write(_file.SafeFileHandle, bytes, slot * SlotBytes);
        Disk.Sync(_file);
        return true;
    }

    public void Dispose() => _file.Dispose();

    internal static bool Same(LedgerPosition? a, LedgerPosition? b) =>
        a is null || b is null
            ? a is null && b is null
            : a.Epoch == b.Epoch && a.Sequence == b.Sequence && a.Hash.Span.SequenceEqual(b.Hash.Span)
              && a.LedgerId.Span.SequenceEqual(b.LedgerId.Span);

    static bool IsBefore(LedgerPosition a, LedgerPosition b) => (a.Epoch, a.Sequence).CompareTo((b.Epoch, b.Sequence)) < 0;

    static void Encode(LedgerPosition position, Span<byte> slot)
    {
        slot.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(slot, Magic);
        position.LedgerId.Span.CopyTo(slot[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], position.Epoch);
        BinaryPrimitives.WriteInt64LittleEndian(slot[32..], position.Sequence);
        position.Hash.Span.CopyTo(slot[40..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[72..], Crc32C.Compute(slot[..72]));
    }

    static LedgerPosition? Decode(ReadOnlySpan<byte> slot)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(slot[72..]) != Crc32C.Compute(slot[..72])) return null;
        return new(
            slot[8..24].ToArray(), BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[32..]), slot[40..72].ToArray());
    }
}
