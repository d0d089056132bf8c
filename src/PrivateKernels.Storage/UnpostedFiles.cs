namespace PrivateKernels.Storage;

/// <summary>Release files that no POST of the ledger accounts for: a ledger that is lost posted them.</summary>
/// <param name="Lost">Nobody has accepted that loss: the ledger was rolled back, or is a copy.</param>
/// <param name="Accepted">From the time that a RECOVER entry gave up, with everything charged.</param>
sealed record UnpostedFiles(IReadOnlyList<string> Lost, IReadOnlyList<string> Accepted)
{
    /// <summary>Paths of the release files in a data directory.</summary>
    internal static string[] List(string path)
    {
        string releases = Path.Combine(path, "releases");
        return Directory.Exists(releases) ? [.. Directory.GetFiles(releases, "*.pkr").Order()] : [];
    }

    internal static UnpostedFiles Among(IEnumerable<string> files, DatabaseSession database, LedgerPosition head)
    {
        Dictionary<string, ReleaseRow> rows = ReleaseTable.All(database).ToDictionary(static r => r.Uid);
        List<string> lost = [], accepted = [];
        foreach (string file in files)
        {
            ReleaseRow? row = rows.GetValueOrDefault(Path.GetFileNameWithoutExtension(file));
            if (row is { State: ReleaseState.Ready } or { State: ReleaseState.Deleted, PostedAt: not null }) continue;
            // Deleted and never posted: charged by RECOVER while it was held.
            bool isAccepted = row is { State: ReleaseState.Deleted } || (row is null && IsOfLostTime(file, database, head));
            (isAccepted ? accepted : lost).Add(file);
        }
        return new(lost, accepted);
    }

    /// <summary>Moves files to "unposted", durably: they are out in the world, but no server answers from them.</summary>
    internal static void MoveAside(string path, IReadOnlyList<string> files)
    {
        if (files.Count == 0) return;
        string aside = Path.Combine(path, "unposted");
        Disk.CreateDirectory(aside);
        foreach (string file in files) File.Move(file, Path.Combine(aside, Path.GetFileName(file)), overwrite: true);
        Disk.SyncDirectory(aside);
        Disk.SyncDirectory(Path.Combine(path, "releases"));
    }

    static bool IsOfLostTime(string file, DatabaseSession database, LedgerPosition head)
    {
        try
        {
            return LedgerCheck.WentInRecovery(database, head, ReleaseFile.ReadProvenance(File.ReadAllBytes(file)).ReservedAt);
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
