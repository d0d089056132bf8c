using System.Collections.Concurrent;

namespace PrivateKernels.Storage;

/// <summary>
/// What a server does because others may use the same ledger: shares files through the database, keeps the leases of its
/// builds, and takes over those of a server that is gone. With SQLite there are no others.
/// </summary>
/// <remarks>
/// Guarantee: of two servers that build one release only the holder of the current attempt can post, so one draw is read.
/// </remarks>
sealed class Replica(DataDirectory directory, Dialect dialect)
{
    readonly ConcurrentDictionary<Guid, Build> _builds = [];

    /// <summary>Last entry of the ledger that may be shown.</summary>
    internal LedgerPosition Head => dialect.IsShared ? directory.Read(LedgerCheck.ReadPosition) : directory.Writer.Head;

    /// <summary>The next attempt of a build.</summary>
    internal Build NewBuild(ReservationRow reservation)
    {
        LedgerRow reserve = directory.Read(d => LedgerEntries.Read(
            d, directory.Writer.Head.LedgerId, null, reservation.ReserveSequence - 1, reservation.ReserveSequence, 1)[0]);
        return NewBuild(reservation, reserve.Body.Fingerprint);
    }

    internal Build NewBuild(ReservationRow reservation, ReadOnlyMemory<byte> fingerprint) => Begin(directory.Read(d =>
    {
        ReleaseRow release = ReleaseTable.GetByReservation(d, reservation.Id);
        DatasetRow dataset = DatasetTable.GetByUid(d, release.DatasetUid).Row;
        OperationRow operation = ReleaseTable.FindOperation(d, release.OperationUid)
            ?? throw new StorageException(Reasons.LedgerCorrupt, "A build has no operation.");
        return new Build(directory, reservation, release, dataset, operation, fingerprint);
    }));

    /// <summary>From here on the lease of a build is renewed, until <see cref="End"/>.</summary>
    internal Build Begin(Build build)
    {
        if (dialect.IsShared) _builds[new(build.ReservationId.Span)] = build;
        return build;
    }

    internal void End(Build build) => _builds.TryRemove(new(build.ReservationId.Span), out _);

    /// <summary>Renews the leases of the builds that are here, and returns those that were taken over.</summary>
    internal async Task<IReadOnlyList<Build>> KeepBuildsAsync()
    {
        if (!dialect.IsShared) return [];
        Build[] mine = [.. _builds.Values];
        bool hasExpired = directory.Read(d => ReservationTable.HasExpired(d, directory.Options.Clock.GetUtcNow()));
        if (mine.Length == 0 && !hasExpired) return [];
        (List<Build> lost, List<ReservationRow> taken) = await directory.Writer.SubmitAsync("leases", t =>
        {
            // Own leases first: a server that was only slow keeps its builds.
            List<Build> gone = [.. mine.Where(b => !ReservationTable.Renew(t, b.ReservationId, b.Attempt))];
            return (gone, ReservationTable.ClaimExpired(t));
        }).ConfigureAwait(false);
        lost.ForEach(End);
        return taken.ConvertAll(NewBuild);
    }

    /// <summary>POST; where servers share a ledger, the file goes with it in one transaction.</summary>
    internal Task<ReleaseRow> PostAsync(ReadOnlyMemory<byte> reservationId, int attempt, SavedRelease saved) =>
        directory.Writer.SubmitAsync("post", t =>
        {
            ReleaseRow release = ReservationTable.Post(t, reservationId, attempt, saved);
            Share(t, release.Uid, directory.PendingPath(reservationId, attempt));
            return release;
        });

    /// <summary>Puts the file of a release where every server finds it, in the transaction that makes it count.</summary>
    internal void Share(Transaction t, string uid, string path)
    {
        if (!dialect.IsShared) return;
        t.Database.Execute("DELETE FROM release_chunks WHERE uid = $1", uid);
        SharedFiles.Store(t.Database, "release_chunks", uid, path);
    }

    /// <summary>Puts segments where every server finds them, then runs what makes them count.</summary>
    internal async Task<T> ShareAsync<T>(DatasetRow dataset, List<SegmentRow> segments, Func<Task<T>> commit)
    {
        if (dialect.IsShared && segments.Count > 0)
            await Task.Run(() =>
            {
                using DatabaseSession database = dialect.Connect(writes: true);
                database.Execute("BEGIN");
                foreach (SegmentRow segment in segments)
                {
                    // What an earlier try left grows young again, so that no other server sweeps it before the commit.
                    database.Execute("UPDATE segment_chunks SET stored = now() WHERE uid = $1", Hex(segment.Uid));
                    SharedFiles.Store(
                        database, "segment_chunks", Hex(segment.Uid), Path.Combine(directory.DatasetPath(dataset.Uid), segment.File));
                }
                database.Execute("COMMIT");
            }).ConfigureAwait(false);
        return await commit().ConfigureAwait(false);
    }

    /// <summary>Puts a file where every server finds it.</summary>
    internal Task ShareAsync(string table, string uid, string path) => !dialect.IsShared
        ? Task.CompletedTask
        : Task.Run(() =>
        {
            using DatabaseSession database = dialect.Connect(writes: true);
            database.Execute("BEGIN");
            SharedFiles.Store(database, table, uid, path);
            database.Execute("COMMIT");
        });

    /// <summary>Brings a file here that another server put there, unless it is here with all its bytes.</summary>
    internal void Fetch(string table, string uid, string path, long bytes)
    {
        if (dialect.IsShared && !(File.Exists(path) && new FileInfo(path).Length == bytes))
            directory.Read(d => SharedFiles.TryFetch(d, table, uid, path));
    }

    /// <summary>Deletes rows that were put there for a commit that never came, once their upload's time is over.</summary>
    internal void Sweep()
    {
        if (!dialect.IsShared) return;
        using DatabaseSession database = dialect.Connect(writes: true);
        database.Execute(
            """
            DELETE FROM segment_chunks WHERE stored < now() - $1 * interval '1 second'
              AND NOT EXISTS (SELECT 1 FROM segments WHERE segment_uid = decode(segment_chunks.uid, 'hex'))
              AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.uid = decode(segment_chunks.uid, 'hex'))
            """,
            (long)directory.Options.UploadRetention.TotalSeconds);
    }

    /// <summary>The file of a release that another server posted or took in; null if there is none.</summary>
    internal FileStream? FetchPosted(ReleaseRow release, string path) =>
        dialect.IsShared && directory.Read(d => SharedFiles.TryFetch(d, "release_chunks", release.Uid, path))
            ? Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete)
            : null;

    /// <summary>Puts a checkpoint where every server finds it; it counts once its row does.</summary>
    internal void ShareCells(Guid uid, string path) => ShareAsync("segment_chunks", Hex(uid), path).GetAwaiter().GetResult();

    /// <summary>
    /// Whether a file of cells is here, or is now because another server had it. Its name is its uid's alone, so what is
    /// here is the whole file.
    /// </summary>
    internal bool HasCells(Guid uid, string path)
    {
        if (File.Exists(path)) return true;
        if (!dialect.IsShared) return false;
        Disk.CreateDirectory(Path.GetDirectoryName(path)!);
        return directory.Read(d => SharedFiles.TryFetch(d, "segment_chunks", Hex(uid), path));
    }

    /// <summary>Deletes rows here of datasets that another server deleted.</summary>
    internal void DeleteLeftovers()
    {
        if (!dialect.IsShared) return;
        // Listed first: what is there has its row already.
        string[] folders = Directory.GetDirectories(directory.DatasetsPath);
        HashSet<string> active = directory.Read(DatasetTable.ActiveUids);
        foreach (string path in folders.Where(path => !active.Contains(Path.GetFileName(path)))) Directory.Delete(path, recursive: true);
    }

    /// <summary>The segments by the names they have here, those that another server took in fetched.</summary>
    internal IReadOnlyList<SegmentRow> Here(DatasetRow dataset, IReadOnlyList<SegmentRow> segments)
    {
        if (!dialect.IsShared) return segments;
        string directoryPath = directory.DatasetPath(dataset.Uid);
        RowShape shape = RowShape.Of(dataset.Definition);
        Disk.CreateDirectory(directoryPath);
        return [.. segments.Select(segment =>
        {
            if (IsHere(Path.Combine(directoryPath, segment.File), segment, shape)) return segment;
            SegmentRow fetched = segment with { File = SharedFiles.FetchedName(segment.Uid) };
            string path = Path.Combine(directoryPath, fetched.File);
            // What is missing there is refused by its reader: the file is not what was committed.
            if (!IsHere(path, segment, shape)) directory.Read(d => SharedFiles.TryFetch(d, "segment_chunks", Hex(segment.Uid), path));
            return fetched;
        })];
    }

    /// <summary>An upload here may have a file of the same name that another server finished.</summary>
    static bool IsHere(string path, SegmentRow segment, RowShape shape)
    {
        if (!File.Exists(path)) return false;
        using FileStream file = Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var header = new byte[SegmentFormat.HeaderBytes];
        return file.Length == segment.Bytes && file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length
            && SegmentFormat.ReadHeader(header, shape, out _) == segment.Uid;
    }

    /// <summary>As PostgreSQL writes the bytes of a segment's key.</summary>
    internal static string Hex(Guid uid) => Convert.ToHexStringLower(uid.ToByteArray());
}
