using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>A release file that is durable but not posted: nobody can read it yet.</summary>
public sealed record SavedRelease(ReadOnlyMemory<byte> Sha256, long SizeBytes);

/// <summary>Release files and their rows.</summary>
public sealed class ReleaseStore
{
    readonly DataDirectory _directory;
    readonly ConcurrentDictionary<string, bool> _compared = new();

    internal ReleaseStore(DataDirectory directory) => _directory = directory;

    /// <summary>
    /// Writes the bytes of a release (<see cref="ReleaseFile.Write"/>) where nobody reads them and makes them durable.
    /// An I/O error ends the process: noise has been drawn, so the reservation can only be finished after a restart.
    /// </summary>
    public SavedRelease Save(Build build, ReadOnlySpan<byte> file)
    {
        if (!build.IsReleasing) throw new InvalidOperationException("the build has not entered RELEASING");
        string path = _directory.PendingPath(build.ReservationId, build.Attempt);
        Failpoint.Hit("build.after_draw");
        try
        {
            using FileStream stream = Disk.Open(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            int half = file.Length / 2;
            stream.Write(file[..half]);
            Failpoint.Hit("release.mid_write");
            stream.Write(file[half..]);
            Failpoint.Hit("release.before_fsync");
            Disk.Sync(stream);
            Failpoint.Hit("release.before_dirsync");
            Disk.SyncDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw _directory.Writer.Fail(74, "A release could not be made durable.", e);
        }
        return new(SHA256.HashData(file), file.Length);
    }

    /// <summary>The release of this name, whatever its state; RESOURCE_NOT_FOUND if there is none.</summary>
    public ReleaseRow Get(string datasetId, string releaseId) =>
        _directory.Read(d => Find(d, datasetId, releaseId)) ?? throw NotFound(datasetId, releaseId);

    /// <summary>Releases of a dataset, newest first, before a row (null to begin), in the states asked for.</summary>
    public IReadOnlyList<ReleaseRow> List(
        string datasetId, long? beforeRow, int count, IReadOnlyCollection<ReleaseState> states) =>
        _directory.Read(d =>
        {
            DatasetRow dataset = DatasetTable.Get(d, datasetId).Row;
            return dataset.Definition.Kind == DatasetKind.Imported
                ? ImportTable.List(d, dataset.Uid, beforeRow, count, states)
                : ReleaseTable.List(d, dataset.Uid, beforeRow, count, states);
        });

    /// <summary>
    /// Takes in a release file. Never changes a budget. A file of this ledger goes back to its place if it is the one that was
    /// posted; others go into datasets of kind IMPORTED. RELEASE_UNKNOWN_TO_LEDGER, RELEASE_EXISTS, DIMENSION_MISMATCH;
    /// LEDGER_BEHIND, and the ledger stops, if a genuine certificate names an entry that the ledger does not have.
    /// </summary>
    public Task<byte[]> ImportAsync(ImportRequest request, Func<ReleaseRow, byte[]> reply) =>
        _directory.Import.RunAsync(request, reply);

    internal void Forget(ReleaseRow release) => _compared.TryRemove(release.Uid, out _);

    /// <summary>
    /// Opens the file of a READY release (RELEASE_NOT_READY otherwise). FILE_CORRUPT if it is missing or is not the file
    /// that was posted: it is compared with its SHA-256 when it is first opened.
    /// </summary>
    public FileStream OpenFile(ReleaseRow release)
    {
        if (release.State != ReleaseState.Ready)
            throw new StorageException(
                Reasons.ReleaseNotReady, "The release is not ready; wait for its operation.",
                new Dictionary<string, string> { ["operation"] = $"operations/{release.OperationUid}" });
        FileStream file = _directory.OpenPosted(release) ?? throw Corrupt(release);
        if (_compared.ContainsKey(release.Uid)) return file;
        if (file.Length != release.SizeBytes || !SHA256.HashData(file).AsSpan().SequenceEqual(release.Sha256.Span))
        {
            file.Dispose();
            throw Corrupt(release);
        }
        file.Position = 0;
        _compared[release.Uid] = true;
        return file;
    }

    /// <summary>Deletes the file and writes RETIRE. Nothing is refunded. An empty etag fits every version.</summary>
    public async Task<byte[]> DeleteAsync(
        Call call, string datasetId, string releaseId, string etag, Func<ReleaseRow, byte[]> reply)
    {
        byte[] bytes = await _directory.Writer.SubmitAsync("retire", t =>
        {
            if (t.FindReply(call) is { } earlier) return earlier;
            ReleaseRow release = Find(t.Database, datasetId, releaseId) ?? throw NotFound(datasetId, releaseId);
            if (release.State is ReleaseState.Deleted or ReleaseState.Failed) throw NotFound(datasetId, releaseId);
            if (release.State == ReleaseState.Building)
                throw new StorageException(
                    Reasons.ReleaseNotReady, "The release is being built; cancel its operation or wait for it.",
                    new Dictionary<string, string> { ["operation"] = $"operations/{release.OperationUid}" });
            DatasetTable.CheckEtag(etag, release.Etag);
            return t.KeepReply(call, reply(
                release.Imported ? ImportTable.Retire(t, release) : ReservationTable.Retire(t, release)));
        }, call.ValidateOnly).ConfigureAwait(false);
        if (!call.ValidateOnly && _directory.Read(d => Find(d, datasetId, releaseId)) is { State: ReleaseState.Deleted } gone)
            _directory.Durably(
                "retire", () => Disk.Delete(gone.Imported ? _directory.ImportPath(gone.Uid) : _directory.ReleasePath(gone.Uid)));
        return bytes;
    }

    static ReleaseRow? Find(DatabaseSession database, string datasetId, string releaseId) =>
        ReleaseTable.FindByName(database, datasetId, releaseId) ?? ImportTable.FindByName(database, datasetId, releaseId);

    static StorageException NotFound(string datasetId, string releaseId) =>
        DatasetTable.NotFound($"datasets/{datasetId}/releases/{releaseId}");

    static StorageException Corrupt(ReleaseRow release) => new(
        Reasons.FileCorrupt, "The file of the release is missing or altered; import it again, or delete it.",
        new Dictionary<string, string> { ["release"] = release.Name });
}
