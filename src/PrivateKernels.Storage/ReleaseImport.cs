using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>A release file that somebody brings.</summary>
/// <param name="Call">Its parent is the dataset's resource name.</param>
/// <param name="File">The whole file.</param>
/// <param name="Release">What was read from it.</param>
/// <param name="Sensitivity">In cell units, for readers.</param>
/// <param name="Spec">Opaque bytes that describe the release, as for <see cref="ReserveRequest"/>.</param>
/// <param name="Certificate">POST entry that came with the download; null if it was not kept.</param>
public sealed record ImportRequest(
    Call Call, string DatasetId, string ReleaseId, ReadOnlyMemory<byte> File, Release Release, double Sensitivity,
    ReadOnlyMemory<byte> Spec, LedgerCertificate? Certificate);

/// <summary>Takes in release files: strangers into IMPORTED datasets, lost ones back to their place.</summary>
/// <remarks>
/// Guarantee: no budget changes and no file is served under the name of a release but the one that was posted. Only a
/// position with a valid MAC can stop the ledger: nobody can do so by inventing one.
/// </remarks>
sealed class ReleaseImport(DataDirectory directory, LedgerIdentity identity)
{
    internal async Task<byte[]> RunAsync(ImportRequest request, Func<ReleaseRow, byte[]> reply)
    {
        ResourceId.Check("start.release_id", request.ReleaseId);
        byte[] sha256 = SHA256.HashData(request.File.Span);
        byte[]? earlier = await directory.Writer.SubmitAsync("repeat", t => t.FindReply(request.Call)).ConfigureAwait(false);
        if (earlier is not null) return earlier;
        StoredDataset dataset = directory.Read(d => DatasetTable.GetActive(d, request.DatasetId));
        bool isOurs = request.Release.Provenance.ReservedAt.LedgerId.Span.SequenceEqual(identity.Head.LedgerId.Span);
        ReleaseRow? posted = isOurs ? FindPosted(request.Release.Provenance, sha256) : null;
        if (isOurs && posted is null) throw Unknown(request);
        directory.CheckSpace(directory.ReleasesPath, request.File.Length);
        if (dataset.Row.Definition.Kind != DatasetKind.Imported)
            return await RestoreAsync(request, posted ?? throw Foreign(request), reply).ConfigureAwait(false);
        int dimension = dataset.Row.Definition.Domain.Dimension, actual = request.Release.Measurement.Sketch.Domain.Dimension;
        if (dimension != actual)
            throw BatchCheck.Refused(
                Reasons.DimensionMismatch, $"The release has dimension {actual}; the dataset has {dimension}.",
                ("expected", dimension), ("actual", actual));
        return await AddAsync(request, dataset.Row, sha256, reply).ConfigureAwait(false);
    }

    /// <summary>The release that was posted at this position with these bytes; null if the ledger says anything else.</summary>
    ReleaseRow? FindPosted(Provenance provenance, byte[] sha256) => directory.Read(d =>
    {
        LedgerPosition at = provenance.ReservedAt;
        if (at.Hash.Length != HashChain.HashBytes || at.Sequence == 0 || !LedgerCheck.Has(d, at)) return null;
        ReservationRow? reservation = ReservationTable.Find(d, provenance.ReservationId);
        bool isPosted = reservation is { State: ReservationState.Posted } && reservation.ReserveSequence == at.Sequence
            && reservation.ReleaseSha256.Span.SequenceEqual(sha256);
        return isPosted ? ReleaseTable.GetByReservation(d, reservation!.Id) : null;
    });

    async Task<byte[]> RestoreAsync(ImportRequest request, ReleaseRow posted, Func<ReleaseRow, byte[]> reply)
    {
        if (posted.DatasetId != request.DatasetId)
            throw new InvalidFieldException("start.parent", request.DatasetId, $"the file is a release of datasets/{posted.DatasetId}");
        if (posted.Id != request.ReleaseId)
            throw new InvalidFieldException("start.release_id", request.ReleaseId, $"the file is the release '{posted.Id}'");
        if (posted.State != ReleaseState.Ready) throw DatasetTable.NotFound(posted.Name);
        directory.Durably("import", () => directory.WriteReleaseFile(posted, request.File.Span));
        return await directory.Writer.SubmitAsync("import", t =>
        {
            if (t.FindReply(request.Call) is { } earlier) return earlier;
            directory.Replica.Share(t, posted.Uid, directory.ReleasePath(posted.Uid));
            return t.KeepReply(request.Call, reply(posted));
        }).ConfigureAwait(false);
    }

    async Task<byte[]> AddAsync(ImportRequest request, DatasetRow dataset, byte[] sha256, Func<ReleaseRow, byte[]> reply)
    {
        ReleaseRow? present = directory.Read(d => Find(d, request));
        bool isSame = present is { Imported: true, State: ReleaseState.Ready } && present.Sha256.Span.SequenceEqual(sha256);
        string uid = isSame ? present!.Uid : Guid.NewGuid().ToString();
        string path = directory.ImportPath(uid);
        directory.Durably("import", () => Disk.Replace(path, request.File.Span));
        Failpoint.Hit("import.before_row");
        bool isKept = isSame;
        try
        {
            byte[] bytes = await directory.Writer.SubmitAsync("import", t =>
            {
                if (t.FindReply(request.Call) is { } earlier) return earlier;
                if (isSame) return t.KeepReply(request.Call, reply(present!));
                if (DatasetTable.GetByUid(t.Database, dataset.Uid).Row.State == DatasetState.Deleted)
                    throw new StorageException(Reasons.DatasetDeleted, "The dataset is deleted.");
                if (Find(t.Database, request) is { } taken)
                    throw BatchCheck.Refused(
                        Reasons.ReleaseExists, "The release exists or existed; its name is not free again.", ("resource", taken.Name));
                DataDirectory.CheckLimit(
                    "releases", t.Database.Number("SELECT COUNT(*) FROM imports WHERE dataset_uid = $1", dataset.Uid),
                    directory.Options.MaxReleasesPerDataset);
                isKept = true;
                directory.Replica.Share(t, uid, path);
                return t.KeepReply(request.Call, reply(ImportTable.Insert(t, dataset, request, uid, sha256)));
            }).ConfigureAwait(false);
            return bytes;
        }
        finally
        {
            if (!isKept) directory.Durably("import", () => Disk.Delete(path));
        }
    }

    /// <summary>
    /// This ledger did not post the file. If a certificate proves that it once did, the ledger was rolled back, or forked,
    /// and must not be served.
    /// </summary>
    StorageException Unknown(ImportRequest request)
    {
        if (request.Certificate is { } certificate
            && directory.Read(d => CertificateCheck.Of(d, identity with { Head = directory.Writer.Head }, certificate))
                == CertificateState.NotInLedger)
        {
            StorageException behind = LedgerCheck.Behind(directory.Writer.Head, certificate.Position);
            directory.Writer.Fail(76, behind.Message, null);
            return behind;
        }
        return NotKnown("This ledger did not post the file; use the unaltered file with its certificate.", request);
    }

    static StorageException Foreign(ImportRequest request) =>
        NotKnown("The file comes from another ledger; import it into a dataset of kind IMPORTED.", request);

    static StorageException NotKnown(string text, ImportRequest request) => BatchCheck.Refused(
        Reasons.ReleaseUnknownToLedger, text,
        ("ledger_id", Convert.ToHexStringLower(request.Release.Provenance.ReservedAt.LedgerId.Span)));

    static ReleaseRow? Find(DatabaseSession database, ImportRequest request) =>
        ImportTable.FindByName(database, request.DatasetId, request.ReleaseId)
        ?? ReleaseTable.FindByName(database, request.DatasetId, request.ReleaseId);
}
