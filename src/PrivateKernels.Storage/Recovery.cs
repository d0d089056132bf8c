using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>Finishes at start what a crash left undone. Everything here may be interrupted and done again.</summary>
sealed class Recovery(DataDirectory directory)
{
    /// <summary>
    /// Publishes posted files, posts whole pending files, deletes torn ones and what belongs to nothing, and returns the
    /// builds that have to begin again, each with its next attempt.
    /// </summary>
    internal List<Build> Run()
    {
        CheckReleaseFiles();
        FinishDeletions();
        List<ReservationRow> reservations = directory.Read(ReservationTable.All);
        foreach (ReservationRow posted in reservations.Where(static r => r.State == ReservationState.Posted)) FinishRename(posted);
        var builds = new List<Build>();
        foreach (ReservationRow open in reservations.Where(static r => r.State == ReservationState.Reserved))
            // Where servers share a ledger, an open build may run elsewhere: it is taken over when its lease has passed.
            if (!PostIfWhole(open) && !directory.IsShared) builds.Add(NextAttempt(open));
        DeletePending(static _ => true);
        directory.Jobs.DeleteStrayFiles();
        directory.Replica.Sweep();
        return builds;
    }

    /// <summary>
    /// A file of a deleted release is deleted now. A file that no POST accounts for was posted by a ledger that is lost: a
    /// loss that a restore elsewhere accepted puts it aside.
    /// </summary>
    void CheckReleaseFiles()
    {
        string[] files = UnpostedFiles.List(directory.Root);
        UnpostedFiles unposted = directory.Read(d => UnpostedFiles.Among(files, d, directory.Writer.Head));
        if (unposted.Lost.Count > 0) throw LedgerCheck.Behind(directory.Writer.Head, null);
        UnpostedFiles.MoveAside(directory.Root, unposted.Accepted);
        HashSet<string> deleted =
            [.. directory.Read(ReleaseTable.All).Where(static r => r.State == ReleaseState.Deleted).Select(r => directory.ReleasePath(r.Uid))];
        foreach (string path in files.Except(unposted.Accepted).Where(deleted.Contains)) Disk.Delete(path);
        HashSet<string> imported =
            [.. directory.Read(ImportTable.All).Where(static r => r.State == ReleaseState.Ready).Select(r => directory.ImportPath(r.Uid))];
        foreach (string path in Directory.GetFiles(directory.ReleasesPath).Where(static p => !p.EndsWith(".pkr", StringComparison.Ordinal)))
            if (!imported.Contains(path)) Disk.Delete(path);
    }

    void FinishDeletions()
    {
        HashSet<string> active = directory.Read(DatasetTable.ActiveUids);
        foreach (string path in Directory.GetDirectories(directory.DatasetsPath))
            if (!active.Contains(Path.GetFileName(path))) Directory.Delete(path, recursive: true);
        HashSet<(string, string)> uploads = [.. directory.Read(UploadRow.All).Select(static u => (u.DatasetUid, u.UploadId))];
        foreach (string uid in active.Where(u => Directory.Exists(directory.DatasetPath(u))))
        {
            HashSet<string> used = directory.Read(d => CellTable.Files(d, uid));
            foreach (string path in Directory.GetFiles(directory.DatasetPath(uid)))
            {
                string name = Path.GetFileName(path);
                bool isUsed = uploads.Contains((uid, name.Split('.')[0]));
                if (!isUsed || (Path.GetExtension(name) is ".cells" or ".sum" or ".part" && !used.Contains(name))) File.Delete(path);
            }
        }
    }

    void FinishRename(ReservationRow posted)
    {
        string path = directory.PendingPath(posted.Id, posted.Attempt);
        if (!File.Exists(path)) return;
        bool isPosted;
        using (FileStream file = Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.Read))
            isPosted = SHA256.HashData(file).AsSpan().SequenceEqual(posted.ReleaseSha256.Span);
        bool isKept = directory.Read(d => ReleaseTable.GetByReservation(d, posted.Id)).State == ReleaseState.Ready;
        if (isPosted && isKept) directory.Publish(posted.Id, posted.Attempt, posted.ReleaseUid!);
        else Disk.Delete(path);
    }

    /// <summary>
    /// Guarantee: a whole file of the current attempt is the draw of this reservation; posting it, and not another draw,
    /// keeps it at one.
    /// </summary>
    bool PostIfWhole(ReservationRow open)
    {
        string path = directory.PendingPath(open.Id, open.Attempt);
        if (!File.Exists(path)) return false;
        byte[] file = File.ReadAllBytes(path);
        ReleaseRow release = directory.Read(d => ReleaseTable.GetByReservation(d, open.Id));
        if (!IsOf(file, open, release)) return false;
        // The crash may have come before the file was durable.
        using (FileStream stream = Disk.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) Disk.Sync(stream);
        Disk.SyncDirectory(directory.PendingDirectory);
        var saved = new SavedRelease(SHA256.HashData(file), file.Length);
        directory.Replica.PostAsync(open.Id, open.Attempt, saved).GetAwaiter().GetResult();
        directory.Publish(open.Id, open.Attempt, release.Uid);
        return true;
    }

    static bool IsOf(byte[] file, ReservationRow open, ReleaseRow release)
    {
        try
        {
            Provenance provenance = ReleaseFile.ReadProvenance(file);
            return provenance.ReservationId.Span.SequenceEqual(open.Id.Span)
                && provenance.RequestHash.Span.SequenceEqual(open.RequestHash.Span)
                && Witness.Same(provenance.ReservedAt, release.ReservedAt) && provenance.Cost == release.Cost;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    Build NextAttempt(ReservationRow open)
    {
        string prefix = Convert.ToHexStringLower(open.Id.Span);
        DeletePending(name => name.StartsWith(prefix, StringComparison.Ordinal));
        ReservationRow next = directory.Writer.SubmitAsync("claim", t => ReservationTable.Claim(t, open.Id, open.Attempt))
            .GetAwaiter().GetResult();
        return directory.Replica.NewBuild(next);
    }

    void DeletePending(Predicate<string> isGone)
    {
        foreach (string path in Directory.GetFiles(directory.PendingDirectory))
            if (isGone(Path.GetFileName(path))) Disk.Delete(path);
    }
}
