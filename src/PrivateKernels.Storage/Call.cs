namespace PrivateKernels.Storage;

/// <summary>
/// A call that changes something. The same request id in the same scope (method, parent) with the same hash has one
/// effect and gets the same reply; another hash is REQUEST_ID_REUSED.
/// </summary>
/// <param name="Method">Name of the RPC.</param>
/// <param name="Parent">Resource the id is unique in; "" for creations at the top.</param>
/// <param name="RequestId">UUID text.</param>
/// <param name="RequestHash">SHA-256 of the request without its id, 32 bytes.</param>
/// <param name="ValidateOnly">Check everything, write nothing; the result is as it would be.</param>
public sealed record Call(
    string Method, string Parent, string RequestId, ReadOnlyMemory<byte> RequestHash, bool ValidateOnly = false);

/// <summary>What a release is to cost and how it is to be built.</summary>
/// <param name="Call">Its parent must be the dataset's resource name.</param>
/// <param name="DatasetId">Dataset that pays.</param>
/// <param name="ReleaseId">Id of the release in the dataset.</param>
/// <param name="Cost">Price; its unit must be the account's.</param>
/// <param name="Fingerprint"><see cref="Measurement.Fingerprint"/>: the receipt pays for nothing else.</param>
/// <param name="Mechanism">With noise scale and sensitivity in cell units, for the ledger's readers.</param>
/// <param name="MaxRecords">Records for which no cell can overflow: the snapshot may not hold more.</param>
/// <param name="Spec">Opaque bytes from which the caller can make the same measurement after a restart.</param>
/// <param name="Creator">Key id of the caller.</param>
public sealed record ReserveRequest(
    Call Call, string DatasetId, string ReleaseId, PrivacyCost Cost, ReadOnlyMemory<byte> Fingerprint,
    MechanismKind Mechanism, double NoiseScale, double Sensitivity, long MaxRecords, ReadOnlyMemory<byte> Spec,
    string Creator)
{
    /// <summary>Size of the file that comes of it.</summary>
    public long FileBytes { get; init; }
}

/// <summary>A durable reservation.</summary>
/// <param name="Build">The right to build it; null if this call repeats an earlier one, or only validated.</param>
public sealed record Reservation(ReleaseRow Release, OperationRow Operation, AccountRow Account, Build? Build);
