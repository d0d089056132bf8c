namespace PrivateKernels;

/// <summary>Where a release comes from: the reservation that paid for it and its place in the ledger.</summary>
public sealed record Provenance(ReadOnlyMemory<byte> ReservationId, ReadOnlyMemory<byte> RequestHash, LedgerPosition ReservedAt, PrivacyCost Cost)
{
    internal Provenance(Receipt receipt)
        : this(receipt.ReservationId, receipt.RequestHash, receipt.ReservedAt, receipt.Cost)
    {
    }
}
