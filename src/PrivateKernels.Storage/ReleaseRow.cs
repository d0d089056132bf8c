namespace PrivateKernels.Storage;

/// <summary>Life of a release. The numbers are those of the wire and of the database.</summary>
public enum ReleaseState
{
    /// <summary>Budget reserved, build under way.</summary>
    Building = 1,

    /// <summary>Posted; answers queries for ever the same.</summary>
    Ready = 2,

    /// <summary>Given up before anything was disclosed; the hold was returned.</summary>
    Failed = 3,

    /// <summary>File deleted; the spend stays.</summary>
    Deleted = 4,
}

/// <summary>A release as stored.</summary>
/// <param name="Row">Place in the catalog; grows with every reservation.</param>
/// <param name="Uid">UUID text.</param>
/// <param name="Spec">The bytes given to <see cref="Ledger.ReserveAsync"/>: all that is needed to build it again.</param>
/// <param name="Mechanism">With noise scale and sensitivity, in cell units.</param>
/// <param name="OperationUid">UUID text of its build.</param>
/// <param name="CreateTime">When it was asked for. For owners only: with the next it tells how long the build took.</param>
/// <param name="ReadyTime">When it was posted.</param>
/// <param name="Sha256">Of the whole file, 32 bytes; empty before READY.</param>
/// <param name="SizeBytes">Of the file; 0 before READY.</param>
/// <param name="ReservedAt">RESERVE entry.</param>
/// <param name="PostedAt">POST entry; null before READY.</param>
public sealed record ReleaseRow(
    long Row, string DatasetId, string DatasetUid, string Id, string Uid, ReadOnlyMemory<byte> Spec, PrivacyCost Cost,
    MechanismKind Mechanism, double NoiseScale, double Sensitivity, ReleaseState State, string OperationUid,
    DateTimeOffset CreateTime, DateTimeOffset? ReadyTime, ReadOnlyMemory<byte> Sha256, long SizeBytes,
    LedgerPosition ReservedAt, LedgerPosition? PostedAt, long Version)
{
    public string Name => $"datasets/{DatasetId}/releases/{Id}";

    /// <summary>Came as a file; its price was paid elsewhere and its positions are those of the ledger that it came from.</summary>
    public bool Imported { get; init; }

    /// <summary>Opaque version for deletes.</summary>
    public string Etag => $"{Uid}.{Version}";
}

/// <summary>A long-running operation. Stage and progress of a running one are the server's.</summary>
/// <param name="Target">Resource name of what it makes.</param>
/// <param name="Creator">Key id of the caller, opaque here.</param>
/// <param name="ErrorReason">Why it failed; empty while it runs and if it succeeded.</param>
public sealed record OperationRow(
    string Uid, string DatasetId, string Target, string Creator, DateTimeOffset CreateTime, DateTimeOffset? EndTime,
    string ErrorReason, string ErrorMessage)
{
    public string Name => $"operations/{Uid}";

    public bool Done => EndTime.HasValue;

    /// <summary>Where it stands in a list.</summary>
    public ListPlace Place => new(CreateTime.ToUnixTimeSeconds(), Uid);
}

/// <summary>A place in a list of operations or jobs, newest first; it stays one when its item is deleted.</summary>
public readonly record struct ListPlace(long CreateSeconds, string Uid);
