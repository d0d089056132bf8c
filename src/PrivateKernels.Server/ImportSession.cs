using System.Security.Cryptography;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Receives the file of one ImportRelease: start, then chunks.</summary>
static class ImportSession
{
    const int ChunkBytes = 1 << 20;

    /// <summary>Of header and trailer, generously: landmarks are the largest recipe.</summary>
    const long RecipeBytes = 256 << 20;

    /// <summary>Bytes of the largest file.</summary>
    internal static long MostBytes(LimitsOptions limits) => Math.Min(limits.Cells * sizeof(long) + RecipeBytes, Array.MaxLength);

    /// <summary>The whole file, checked against what was announced, and read.</summary>
    /// <param name="frames">The stream.</param>
    /// <param name="limits">Of the server.</param>
    /// <param name="announce">Told the size of the file before memory is taken for it; throws where there is no room.</param>
    internal static async Task<ImportRequest> ReceiveAsync(
        StreamGuard<V1.ImportReleaseRequest> frames, LimitsOptions limits, Action<long> announce)
    {
        V1.ImportStart start = (await frames.NextAsync())?.Start ?? throw Refusal.Field("start", "must be the first frame, once");
        string dataset = Names.Dataset(start.Parent, "start.parent");
        string id = Names.CheckedId(start.ReleaseId, "start.release_id");
        Call call = Requests.Identify(start, start.Parent) with { Method = "ImportRelease" };
        if (start.Sha256.Length != SHA256.HashSizeInBytes) throw Refusal.Field("start.sha256", "must be 32 bytes");
        long most = MostBytes(limits);
        if (start.TotalBytes < 1) throw Refusal.Field("start.total_bytes", "must be the size of the file");
        if (start.TotalBytes > most) throw Refusal.Limit("Limits:Cells", most, "bytes of a release file");
        announce(start.TotalBytes);
        // It grows with what comes: a size that is only claimed takes no memory.
        using var file = new MemoryStream();
        while (await frames.NextAsync() is { } frame) Append(file, frame.Chunk ?? throw Refusal.Field("chunk", "must follow start"), start);
        byte[] bytes = file.ToArray();
        if (bytes.Length != start.TotalBytes) throw Refusal.Field("start.total_bytes", "is not the number of bytes that came");
        if (!SHA256.HashData(bytes).AsSpan().SequenceEqual(start.Sha256.Span))
            throw new Refusal("CHECKSUM_MISMATCH", "the file does not have the SHA-256 of start.", ("field", "start.sha256"));
        Release release = Read(bytes);
        var stored = new StoredBuild(0, 0, new() { Release = ReleaseWire.Describe(release) });
        return new(
            call, dataset, id, bytes, release, ReleaseWire.SensitivityNorm(release.Measurement), stored.ToBytes(),
            Certificate(start.PostedAt));
    }

    static void Append(MemoryStream file, V1.ImportChunk chunk, V1.ImportStart start)
    {
        if (chunk.Data.Length > ChunkBytes) throw Refusal.TooLarge(ChunkBytes);
        if (Crc32C.Compute(chunk.Data.Span) != chunk.Crc32C)
            throw new Refusal("CHECKSUM_MISMATCH", "a chunk was damaged on its way; send the file again.",
                ("field", "chunk.crc32c"), ("offset", FormattableString.Invariant($"{file.Length}")));
        if (file.Length + chunk.Data.Length > start.TotalBytes)
            throw Refusal.Field("chunk.data", "goes beyond start.total_bytes");
        file.Write(chunk.Data.Span);
    }

    static Release Read(byte[] bytes)
    {
        try
        {
            return ReleaseFile.Read(bytes);
        }
        catch (InvalidDataException wrong)
        {
            throw Refusal.Field("chunk.data", $"must be a release file: {wrong.Message}");
        }
    }

    static LedgerCertificate? Certificate(V1.LedgerPosition? position) => position is null
        ? null
        : new(new(position.LedgerId.Memory, position.Epoch, position.Sequence, position.Hash.Memory), position.Mac.Memory);
}
