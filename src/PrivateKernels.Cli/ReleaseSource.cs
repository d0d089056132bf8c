using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>Releases that a command works on locally: files that were downloaded, or names, which are downloaded.</summary>
static class ReleaseSource
{
    public const string Form = "FILE|DATASET/ID";

    public static async Task<OfflineRelease> OpenAsync(Session session, string source, CancellationToken cancellation)
    {
        if (File.Exists(source)) return OfflineRelease.Open(source);
        (string dataset, string id) = ReleaseName.TryParse(source)
            ?? throw new InvalidFieldException("release", source, "must be a file that exists, or DATASET/ID");
        byte[] file = await session.Terminal.ProgressAsync(
            source, progress => session.Client.Release(dataset, id).DownloadAsync(progress, cancellation));
        return OfflineRelease.Read(file);
    }
}
