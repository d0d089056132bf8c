using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace PrivateKernels.Tests;

/// <summary>
/// A process that folds two uploads into a one-pass dataset and makes a release after each, killed at a failpoint. Run again on
/// the same directory it must come to the same end.
/// </summary>
static class OnePassHost
{
    internal const string Name = "folded";
    internal const int Batches = 3;
    static readonly string[] UploadIds = ["44444444-4444-4444-4444-444444444444", "55555555-5555-5555-5555-555555555555"];

    internal static EncryptionKey Key => EncryptionKey.Parse(Convert.ToBase64String(SHA256.HashData("key"u8)), "key");

    internal static DatasetDefinition Definition { get; } = Scratch.Definition.With([new("sums", Encoding.UTF8.GetBytes("spec"))]);

    internal static Measurement Measurement => Scratch.Measurement(0.3);

    internal static IReadOnlyList<Accumulator> Accumulators(DatasetRow dataset) => [new(Measurement, new SimdEngine(1))];

    internal static async Task<int> Run(string path, string failpoint, PostgresOptions? postgres)
    {
        Failpoint.Action = name =>
        {
            if (name == failpoint) CrashHost.Kill();
        };
        using (DataDirectory directory = DataDirectory.Open(path, new StorageOptions { EncryptionKey = Key, Postgres = postgres }))
        {
            foreach (Build build in directory.TakeInterruptedBuilds()) await EndBuild(directory, build);
            await Scratch.Create(directory, Name, Scratch.Gaussian, definition: Definition, call: Scratch.Call("CreateDataset", "", Id('a')));
            for (int i = 0; i < UploadIds.Length; i++)
            {
                await Fold(directory, UploadIds[i], (ulong)(10 * i));
                Reservation reservation = await directory.Ledger.ReserveAsync(
                    Scratch.Request(Name, $"r{i}", Measurement, Id((char)('b' + i))));
                if (reservation.Build is { } build) await EndBuild(directory, build);
            }
        }
        Say("closed");
        return 0;
    }

    static async Task Fold(DataDirectory directory, string uploadId, ulong seed)
    {
        using Upload upload = await directory.Datasets.OpenUploadAsync(Name, uploadId, Accumulators);
        if (upload.Finished) return;
        Say($"from {uploadId} {upload.NextSequence}");
        for (ulong sequence = upload.NextSequence; sequence <= Batches; sequence++)
        {
            upload.Append(Scratch.Batch(sequence, Scratch.Rows(20, seed + sequence)));
            Say($"ack {uploadId} {upload.Flush()}");
        }
        await upload.FinishAsync(20 * Batches, Batches);
    }

    static async Task EndBuild(DataDirectory directory, Build build)
    {
        ExactCells cells = build.ReadCells("sums", Measurement);
        Say($"cells {build.Release.Id} {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<long>(cells.Sums)))}");
        Release release = Measurement.Invoke(build.Receipt, cells, build.EnterReleasing);
        await directory.Ledger.PostAsync(build, directory.Releases.Save(build, ReleaseFile.Write(release)));
    }

    static string Id(char letter) => $"{letter}0000000-0000-0000-0000-000000000000";

    static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
