using System.Globalization;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// Files in a database that several servers share: segments of rows and releases. A data directory keeps what it has
/// used; whatever it lacks is fetched.
/// </summary>
static class SharedFiles
{
    const int PartBytes = 1 << 20;

    /// <summary>Puts a file there; inside the caller's transaction, or in one of its own if there is none.</summary>
    internal static void Store(DatabaseSession database, string table, string uid, string path)
    {
        using FileStream file = Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var part = new byte[PartBytes];
        long number = 0;
        for (int read; (read = file.ReadAtLeast(part, part.Length, throwOnEndOfStream: false)) > 0; number++)
            database.Execute(
                $"INSERT INTO {table} (uid, part, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", uid, number, part[..read]);
    }

    /// <summary>Brings a file here, durably: all of it, as one statement sees it, or false if it is not there.</summary>
    internal static bool TryFetch(DatabaseSession database, string table, string uid, string path)
    {
        string unfinished = $"{path}.{Guid.NewGuid():N}.part";
        bool isThere = false;
        using (FileStream file = Disk.Open(unfinished, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            foreach (byte[] part in database.Stream($"SELECT data FROM {table} WHERE uid = $1 ORDER BY part", static r => (byte[])r[0], uid))
            {
                file.Write(part);
                isThere = true;
            }
            Disk.Sync(file);
        }
        if (!isThere)
        {
            File.Delete(unfinished);
            return false;
        }
        File.Move(unfinished, path, overwrite: true);
        Disk.SyncDirectory(Path.GetDirectoryName(path)!);
        return true;
    }

    /// <summary>SHA-256 of a file there; that of no bytes if it is not there.</summary>
    internal static byte[] Sha256(DatabaseSession database, string table, string uid)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] part in database.Stream($"SELECT data FROM {table} WHERE uid = $1 ORDER BY part", static r => (byte[])r[0], uid))
            hash.AppendData(part);
        return hash.GetHashAndReset();
    }

    /// <summary>The name of a segment that was fetched: not one that an upload here may have.</summary>
    internal static string FetchedName(Guid uid) => string.Create(CultureInfo.InvariantCulture, $"fetched.{uid:N}.seg");
}
