namespace PrivateKernels;

/// <summary>
/// Proof that the ledger holds the price of one measurement durably. It can be redeemed once.
/// </summary>
/// <remarks>
/// Guarantee: for rows that are stored only the ledger (PrivateKernels.Storage, a friend assembly) issues one, after its
/// reservation is on disk; the audit makes its own for made-up rows, and no other assembly of the product any. A receipt is
/// bound to one recipe by its SHA-256 and to one price, and <see cref="Redeem"/> succeeds once. So one reservation
/// lets out at most one draw of noise in the life of a process; across a crash the ledger's attempt number does the
/// same.
/// </remarks>
public sealed class Receipt
{
    int _redeemed;

    internal Receipt(
        ReadOnlyMemory<byte> reservationId, ReadOnlyMemory<byte> requestHash, int attempt, LedgerPosition reservedAt,
        PrivacyCost cost, ReadOnlyMemory<byte> fingerprint)
    {
        (ReservationId, RequestHash, Attempt) = (reservationId, requestHash, attempt);
        (ReservedAt, Cost, Fingerprint) = (reservedAt, cost, fingerprint);
    }

    /// <summary>16 bytes that name the reservation.</summary>
    public ReadOnlyMemory<byte> ReservationId { get; }

    /// <summary>SHA-256 of the request that was paid for, 32 bytes.</summary>
    public ReadOnlyMemory<byte> RequestHash { get; }

    /// <summary>1 for the first build of a reservation, one more after each crash.</summary>
    public int Attempt { get; }

    /// <summary>RESERVE entry of the ledger.</summary>
    public LedgerPosition ReservedAt { get; }

    /// <summary>The price that is held.</summary>
    public PrivacyCost Cost { get; }

    /// <summary><see cref="Measurement.Fingerprint"/> of the measurement that was paid for, 32 bytes.</summary>
    public ReadOnlyMemory<byte> Fingerprint { get; }

    internal void Redeem(Measurement measurement)
    {
        if (measurement.Cost(Cost.Unit) != Cost || !Fingerprint.Span.SequenceEqual(measurement.Fingerprint.Span))
            throw new InvalidOperationException("the receipt was issued for another measurement");
        if (Interlocked.Exchange(ref _redeemed, 1) != 0)
            throw new InvalidOperationException("the receipt has been redeemed already");
    }
}
