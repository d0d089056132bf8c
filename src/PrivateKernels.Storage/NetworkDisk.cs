namespace PrivateKernels.Storage;

/// <summary>
/// Tells disks of other machines: there a lock may be lost without a word, and a sync may be answered before it is done.
/// </summary>
static class NetworkDisk
{
    const string Mounts = "/proc/self/mountinfo";

    static readonly HashSet<string> Kinds =
    [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "orangefs",
        "ocfs2", "gfs2", "fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.juicefs",
    ];

    /// <summary>Whether a directory that exists lies on one.</summary>
    internal static bool Holds(string path) =>
        new DriveInfo(path).DriveType == DriveType.Network
        || (File.Exists(Mounts) && Kinds.Contains(KindOf(Resolve(path), File.ReadLines(Mounts))));

    /// <summary>Kind of the file system that a path lies on, by lines as the kernel lists mounts; empty if none is listed.</summary>
    internal static string KindOf(string path, IEnumerable<string> mounts)
    {
        (string longest, string kind) = ("", "");
        foreach (string line in mounts)
        {
            // "36 35 98:0 /root /mount/point options shared:1 - kind source options": what is before the dash varies in number.
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
            if (dash < 0 || dash + 1 >= fields.Length) continue;
            string point = fields[4].Replace("\\040", " ", StringComparison.Ordinal);
            // The last of several mounts on one point is the one that is seen.
            if (point.Length >= longest.Length && IsWithin(path, point)) (longest, kind) = (point, fields[dash + 1]);
        }
        return kind;
    }

    static bool IsWithin(string path, string point) =>
        point == "/" || path == point || path.StartsWith(point + "/", StringComparison.Ordinal);

    /// <summary>The path with every link on the way followed.</summary>
    static string Resolve(string path)
    {
        string real = "/";
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            if (Directory.ResolveLinkTarget(real, returnFinalTarget: true) is { } target) real = target.FullName;
        }
        return real;
    }
}
