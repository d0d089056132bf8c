namespace PrivateKernels.Storage;

/// <summary>Kind of a ledger entry. The numbers are those of the wire and of the database.</summary>
public enum LedgerEntryKind
{
    /// <summary>Account opened with a limit.</summary>
    Open = 1,

    /// <summary>Limit changed.</summary>
    Limit = 2,

    /// <summary>Budget held for a build.</summary>
    Reserve = 3,

    /// <summary>Hold turned into a spend.</summary>
    Post = 4,

    /// <summary>Hold returned; only while no noise of it exists.</summary>
    Void = 5,

    /// <summary>Dataset deleted; the account and its spend stay.</summary>
    Tombstone = 6,

    /// <summary>Recovery that accepted loss.</summary>
    Recover = 7,

    /// <summary>Release file deleted; the spend stays.</summary>
    Retire = 8,

    /// <summary>Dataset created; binds its immutable fields.</summary>
    Dataset = 9,
}

/// <summary>State of an account, in its unit of 2^-40. Depends on public parameters only.</summary>
public sealed record AccountRow(
    string Population, CostUnit Unit, Adjacency Adjacency, double DisplayDelta, long LimitUnits, long SpentUnits,
    long ReservedUnits)
{
    public long RemainingUnits => LimitUnits - SpentUnits - ReservedUnits;
}

/// <summary>A line of the ledger.</summary>
/// <param name="Canonical">The bytes whose SHA-256 is the position's hash.</param>
/// <param name="Units">Amount, in the unit of the account.</param>
public sealed record LedgerRow(
    LedgerPosition Position, ReadOnlyMemory<byte> PreviousHash, LedgerEntryKind Kind, long Units, DateTimeOffset Time,
    LedgerEntryBody Body, ReadOnlyMemory<byte> Canonical)
{
    internal long AccountId { get; init; }
}

/// <summary>A position with the HMAC-SHA-256 that proves it came from this ledger.</summary>
public sealed record LedgerCertificate(LedgerPosition Position, ReadOnlyMemory<byte> Mac);
