using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Whether this server lives and whether it should be sent calls, by named checks. Nothing private and no figure: whoever
/// reaches the side port may read it.
/// </summary>
sealed class Readiness(string directoryPath, Drain drain)
{
    /// <summary>The writer of the ledger turns at least every second; longer than this, it hangs.</summary>
    static readonly TimeSpan WriterPatience = TimeSpan.FromSeconds(10);

    /// <summary>Free part of the volume below which no calls should come.</summary>
    const double LeastFree = 0.05;

    volatile DataDirectory? _directory;

    /// <summary>The ledger is verified, and engines are: from here on calls may come.</summary>
    internal void Opened(DataDirectory directory) => _directory = directory;

    /// <summary>The process runs and its writer turns; while the ledger is being verified nothing need turn.</summary>
    internal bool IsLive => _directory?.IsTurning(WriterPatience) ?? true;

    internal bool IsReady => Checks.All(static check => check.Holds);

    /// <summary>Every check with its state in a word.</summary>
    internal IReadOnlyList<(string Name, bool Holds, string State)> Checks
    {
        get
        {
            DataDirectory? directory = _directory;
            bool turns = directory?.IsTurning(WriterPatience) ?? false, room = directory is null || FreePart >= LeastFree;
            return
            [
                ("ledger", turns, directory is null ? "being verified" : turns ? "verified" : "not serving"),
                ("engine", directory is not null, directory is null ? "being verified" : "verified"),
                ("disk", room, room ? "has room" : "nearly full"),
                ("calls", !drain.IsAnnounced, drain.IsAnnounced ? "draining" : "accepted"),
            ];
        }
    }

    /// <summary>Free part of the volume, rounded down to hundredths: the exact figure would tell how much is stored.</summary>
    internal double FreePart
    {
        get
        {
            var drive = new DriveInfo(directoryPath);
            return Math.Floor(100.0 * drive.AvailableFreeSpace / drive.TotalSize) / 100;
        }
    }
}
