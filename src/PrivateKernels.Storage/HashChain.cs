using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// hash = SHA-256("pk-ledger-1" ‖ ledger_id ‖ epoch ‖ seq ‖ account_id ‖ kind ‖ units ‖ at_s ‖ len(body) ‖ body ‖
/// previous_hash), integers as big-endian int64.
/// </summary>
static class HashChain
{
    internal const int HashBytes = 32;

    static ReadOnlySpan<byte> Tag => "pk-ledger-1"u8;

    /// <summary>The bytes of an entry that are hashed.</summary>
    internal static byte[] Canonical(
        ReadOnlySpan<byte> ledgerId, long epoch, long sequence, long accountId, LedgerEntryKind kind, long units, long atSeconds,
        ReadOnlySpan<byte> body, ReadOnlySpan<byte> previousHash)
    {
        var bytes = new byte[CanonicalLength(ledgerId, body, previousHash)];
        WriteCanonical(bytes, ledgerId, epoch, sequence, accountId, kind, units, atSeconds, body, previousHash);
        return bytes;
    }

    internal static int CanonicalLength(ReadOnlySpan<byte> ledgerId, ReadOnlySpan<byte> body, ReadOnlySpan<byte> previousHash) =>
        Tag.Length + ledgerId.Length + 7 * 8 + body.Length + previousHash.Length;

    /// <summary>As <see cref="Canonical"/>, into memory that the caller uses again.</summary>
    internal static void WriteCanonical(
        Span<byte> bytes, ReadOnlySpan<byte> ledgerId, long epoch, long sequence, long accountId, LedgerEntryKind kind, long units,
        long atSeconds, ReadOnlySpan<byte> body, ReadOnlySpan<byte> previousHash)
    {
        Tag.CopyTo(bytes);
        ledgerId.CopyTo(bytes[Tag.Length..]);
        Span<byte> rest = bytes[(Tag.Length + ledgerId.Length)..];
        foreach (long field in (ReadOnlySpan<long>)[epoch, sequence, accountId, (long)kind, units, atSeconds, body.Length])
        {
            BinaryPrimitives.WriteInt64BigEndian(rest, field);
            rest = rest[8..];
        }
        body.CopyTo(rest);
        previousHash.CopyTo(rest[body.Length..]);
    }

    /// <summary>
    /// HMAC-SHA-256 of a reservation and of uids and SHA-256s of segments in commit order. Auditors read it in the ledger:
    /// without the key and the reservation it would tell them of an empty dataset, and of one that did not change since.
    /// </summary>
    internal static byte[] SnapshotDigest(ReadOnlySpan<byte> key, ReadOnlySpan<byte> reservationId, IEnumerable<SegmentRow> segments)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(reservationId);
        foreach (SegmentRow segment in segments)
        {
            hash.AppendData(segment.Uid.ToByteArray());
            hash.AppendData(segment.Sha256.Span);
        }
        return hash.GetHashAndReset();
    }

    /// <summary>HMAC-SHA-256 of the four fields of a position.</summary>
    internal static byte[] Mac(ReadOnlySpan<byte> key, LedgerPosition position)
    {
        var bytes = new byte[16 + 8 + 8 + HashBytes];
        position.LedgerId.Span.CopyTo(bytes);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(16), position.Epoch);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(24), position.Sequence);
        position.Hash.Span.CopyTo(bytes.AsSpan(32));
        return HMACSHA256.HashData(key, bytes);
    }
}
