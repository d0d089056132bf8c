using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PrivateKernels.Storage;

/// <summary>Durable steps on files and directories.</summary>
static partial class Disk
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const int ReadOnly = 0;

    /// <summary>
    /// Makes a directory for its owner alone (0700), if it is missing, and its name durable: what is synced inside a
    /// directory is lost with the name of that directory.
    /// </summary>
    internal static void CreateDirectory(string path)
    {
        if (MakeDirectory(path)) SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>As <see cref="CreateDirectory"/>, and leaves it to the caller to make the name durable; false if it was there.</summary>
    internal static bool MakeDirectory(string path)
    {
        if (Directory.Exists(path)) return false;
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
        return true;
    }

    /// <summary>Opens a file of mode 0600. It is not buffered: every write is one call to the system.</summary>
    internal static FileStream Open(string path, FileMode mode, FileAccess access, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows() && mode is FileMode.CreateNew or FileMode.OpenOrCreate)
            options.UnixCreateMode = OwnerOnly;
        return new FileStream(path, options);
    }

    /// <summary>fsync. Not the call of .NET, which says nothing of some errors (seen with ENOSPC).</summary>
    internal static void Sync(FileStream file)
    {
        if (OperatingSystem.IsWindows()) RandomAccess.FlushToDisk(file.SafeFileHandle);
        else if (SyncDescriptor(file.SafeFileHandle) != 0)
            throw new IOException("a file could not be made durable", Marshal.GetLastPInvokeError());
    }

    /// <summary>Makes created, renamed and deleted names in a directory durable; .NET has no call for it.</summary>
    internal static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        using var handle = new SafeFileHandle(OpenDescriptor(path, ReadOnly), ownsHandle: true);
        if (handle.IsInvalid || SyncDescriptor(handle) != 0)
            throw new IOException("a directory could not be made durable", Marshal.GetLastPInvokeError());
    }

    /// <summary>Makes a file hold these bytes, durably: all of them, or what it held before.</summary>
    internal static void Replace(string path, ReadOnlySpan<byte> content)
    {
        // A name of its own: two that replace one file at once must not write into, or rename, each other's part.
        string part = $"{path}.{Guid.NewGuid():N}.part";
        using (FileStream file = Open(part, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            file.Write(content);
            Sync(file);
        }
        File.Move(part, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Deletes a file, if it is there, so that it stays deleted.</summary>
    internal static void Delete(string path)
    {
        if (!File.Exists(path)) return;
        File.Delete(path);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial IntPtr OpenDescriptor(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncDescriptor(SafeFileHandle descriptor);
}
