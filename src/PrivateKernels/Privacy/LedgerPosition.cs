namespace PrivateKernels;

/// <summary>
/// A point in the ledger's hash chain: 16 bytes of ledger id, epoch, sequence number and 32 bytes of hash.
/// </summary>
public sealed record LedgerPosition(
    ReadOnlyMemory<byte> LedgerId, long Epoch, long Sequence, ReadOnlyMemory<byte> Hash);
