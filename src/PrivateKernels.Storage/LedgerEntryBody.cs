namespace PrivateKernels.Storage;

/// <summary>What an entry says beyond its kind and amount. Unset fields are empty or 0.</summary>
public sealed record LedgerEntryBody
{
    public string Population { get; init; } = "";

    /// <summary>Id of the dataset; empty for account entries.</summary>
    public string Dataset { get; init; } = "";

    public string DatasetUid { get; init; } = "";

    /// <summary>Id of the release; empty for account entries.</summary>
    public string Release { get; init; } = "";

    public string ReleaseUid { get; init; } = "";

    /// <summary>16 bytes; RESERVE, POST and VOID.</summary>
    public ReadOnlyMemory<byte> ReservationId { get; init; }

    /// <summary>RESERVE: scope of idempotency, with <see cref="RequestHash"/>.</summary>
    public string RequestId { get; init; } = "";

    public ReadOnlyMemory<byte> RequestHash { get; init; }

    /// <summary>RESERVE: SHA-256 over uids and SHA-256s of the snapshot's segments.</summary>
    public ReadOnlyMemory<byte> SnapshotDigest { get; init; }

    /// <summary>RESERVE: SHA-256 of the recipe.</summary>
    public ReadOnlyMemory<byte> Fingerprint { get; init; }

    /// <summary>RESERVE and POST: mechanism, or 0.</summary>
    public MechanismKind Mechanism { get; init; }

    /// <summary>Noise scale in cell units.</summary>
    public double NoiseScale { get; init; }

    /// <summary>Norm bound of one unit's contribution in cell units.</summary>
    public double Sensitivity { get; init; }

    /// <summary>OPEN: the account's unit.</summary>
    public CostUnit Unit { get; init; }

    public Adjacency Adjacency { get; init; }

    /// <summary>OPEN: the account's display delta.</summary>
    public double DisplayDelta { get; init; }

    /// <summary>Account after the entry, as are the next two.</summary>
    public long LimitUnits { get; init; }

    public long SpentUnits { get; init; }

    public long ReservedUnits { get; init; }

    /// <summary>POST: SHA-256 of the release file.</summary>
    public ReadOnlyMemory<byte> ReleaseSha256 { get; init; }

    /// <summary>DATASET: SHA-256 of the definition.</summary>
    public ReadOnlyMemory<byte> DefinitionSha256 { get; init; }

    /// <summary>LIMIT: the owner's text.</summary>
    public string Reason { get; init; } = "";
}
