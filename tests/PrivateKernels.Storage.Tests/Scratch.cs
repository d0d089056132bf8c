using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace PrivateKernels.Tests;

/// <summary>A data directory in a temporary folder, with the steps that tests are made of.</summary>
sealed class Scratch : IDisposable
{
    internal const int Dimension = 3;

    readonly bool _isOwned;
    readonly PostgresOptions? _postgres;

    /// <param name="path">Null = a temporary folder.</param>
    /// <param name="postgres">Where the ledger is; null = SQLite in the folder.</param>
    internal Scratch(string? path = null, PostgresOptions? postgres = null) : this(
        path ?? Directory.CreateTempSubdirectory("pk-storage-").FullName, postgres, isOwned: path is null)
    {
    }

    Scratch(string path, PostgresOptions? postgres, bool isOwned) => (Path, _postgres, _isOwned) = (path, postgres, isOwned);

    /// <summary>
    /// Where memory serves as a disk: an fsync costs nothing there, and for what is done to a file at rest it is the same.
    /// </summary>
    internal static Scratch InMemory() => Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > 1L << 30
        ? new(Directory.CreateDirectory($"/dev/shm/pk-storage-{Guid.NewGuid():N}").FullName, null, isOwned: true)
        : new();

    internal string Path { get; }

    internal static DatasetDefinition Definition { get; } = new(
        DatasetKind.Private, new Domain(Dimension, maxNorm: 4), Adjacency.AddOrRemoveOne, 1, 0, [], OutOfDomainPolicy.Refuse);

    internal static AccountTerms Gaussian { get; } = new(CostUnit.MuSquared, Units.OfMu(1), 1e-5);

    internal static AccountTerms Pure { get; } = new(CostUnit.Epsilon, Units.OfEpsilon(1), 0);

    /// <summary>Exits that were asked for; the process of a test goes on.</summary>
    internal List<(int Code, string Message)> Exits { get; } = [];

    internal StorageOptions Options => new()
    {
        Postgres = _postgres,
        FatalExit = (code, message, cause) => Exits.Add((code, $"{message} {cause?.Message}")),
    };

    internal DataDirectory Open(StorageOptions? options = null) => DataDirectory.Open(Path, options ?? Options);

    /// <summary>What a tracer writes; beside the directory, not in it.</summary>
    internal string Trace => $"{Path}.trace";

    internal string FileOf(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        if (!_isOwned) return;
        Directory.Delete(Path, recursive: true);
        File.Delete(Trace);
    }

    internal static Call Call(string method, string parent, string? requestId = null, string body = "") => new(
        method, parent, requestId ?? Guid.NewGuid().ToString(), SHA256.HashData(Encoding.UTF8.GetBytes(body)));

    internal static Task<byte[]> Create(
        DataDirectory directory, string id, AccountTerms? terms, string population = "", DatasetDefinition? definition = null,
        Call? call = null) =>
        directory.Datasets.CreateAsync(
            call ?? Call("CreateDataset", ""), new(id, definition ?? Definition, population, "", "", terms),
            static (d, _) => Encoding.UTF8.GetBytes(d.Uid));

    /// <summary>Rows that are a function of the seed.</summary>
    internal static float[] Rows(int count, ulong seed)
    {
        var random = new PublicRandom(seed);
        var values = new float[count * Dimension];
        for (int i = 0; i < values.Length; i++) values[i] = (float)random.NextUnit();
        return values;
    }

    internal static IngestBatch Batch(
        ulong sequence, float[] values, uint[]? labels = null, int dimension = Dimension, float[]? rowValues = null)
    {
        uint crc = Crc32C.Compute(MemoryMarshal.AsBytes<float>(values));
        crc = Crc32C.Compute(MemoryMarshal.AsBytes<uint>(labels ?? []), crc);
        crc = Crc32C.Compute(MemoryMarshal.AsBytes<float>(rowValues ?? []), crc);
        return new(sequence, dimension, values, labels ?? [], rowValues ?? [], crc);
    }

    internal static async Task Ingest(DataDirectory directory, string id, params float[][] batches)
    {
        using Upload upload = await directory.Datasets.OpenUploadAsync(id, Guid.NewGuid().ToString());
        for (int i = 0; i < batches.Length; i++) upload.Append(Batch((ulong)i + 1, batches[i]));
        upload.Flush();
        await upload.FinishAsync(batches.Sum(static b => b.Length / Dimension), batches.Length);
    }

    /// <summary>A squared-distance release: d + 2 cells.</summary>
    internal static Measurement Measurement(double mu = 0.5) => Planner.Plan(
        new ReleaseRequest { Function = "l2_squared", Mu = mu },
        new(Definition.Domain, Definition.Adjacency, 1, 1 << 20, [], CostUnit.MuSquared), new()).Measurement;

    internal static ReserveRequest Request(string dataset, string release, Measurement measurement, string? requestId = null) => new(
        Call("CreateRelease", $"datasets/{dataset}", requestId, release), dataset, release, measurement.Cost(CostUnit.MuSquared),
        measurement.Fingerprint, MechanismKind.RoundedNormal, measurement.Noise.Scale, 1, 1 << 20, Encoding.UTF8.GetBytes("spec"), "owner");

    /// <summary>A reservation of so many units on a pure account, with nothing behind it that could be built.</summary>
    internal static ReserveRequest Hold(string dataset, string release, long units, string? requestId = null) => new(
        Call("CreateRelease", $"datasets/{dataset}", requestId, release), dataset, release, new(CostUnit.Epsilon, units),
        new byte[32], MechanismKind.DiscreteLaplace, 1, 1, 1 << 20, Encoding.UTF8.GetBytes("spec"), "owner");

    internal static Release Draw(Build build, Measurement measurement)
    {
        using var engine = new SimdEngine(1);
        return measurement.Invoke(build.Receipt, build.Read(), engine, build.EnterReleasing);
    }

    /// <summary>Draw, save, post: what the server does with a build.</summary>
    internal static async Task<ReleaseRow> Finish(DataDirectory directory, Build build, Measurement measurement)
    {
        byte[] file = ReleaseFile.Write(Draw(build, measurement));
        return await directory.Ledger.PostAsync(build, directory.Releases.Save(build, file));
    }

    internal static byte[] Content(DataDirectory directory, ReleaseRow release)
    {
        using FileStream file = directory.Releases.OpenFile(release);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The exact sum of all rows that a build may see, as plain numbers.</summary>
    internal static float[] ReadAll(Build build) => [.. build.Read().SelectMany(static r => r.Values.ToArray())];

    internal static async Task<StorageException> Refused(string reason, Func<Task> call)
    {
        StorageException error = await Assert.ThrowsAsync<StorageException>(call);
        Assert.Equal(reason, error.Reason);
        return error;
    }
}
