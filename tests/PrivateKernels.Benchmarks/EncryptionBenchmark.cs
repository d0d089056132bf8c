using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using PrivateKernels.Storage;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// What encryption at rest costs: the same rows stored, read back and built from, in turn in the clear and encrypted. Prints
/// MB/s and their ratio.
/// </summary>
static class EncryptionBenchmark
{
    const int Dimension = 256, BatchRows = 1024, Batches = 64, Rounds = 5;

    public static async Task RunAsync()
    {
        string folder = Directory.CreateTempSubdirectory("pk-encryption-benchmark-").FullName;
        string keyFile = Path.Combine(folder, "key");
        EncryptionKey.CreateFile(keyFile);
        using EncryptionKey key = EncryptionKey.FromFile(keyFile, "key");
        using var engine = new SimdEngine(0);
        var random = new PublicRandom(1);
        float[] rows = [.. Enumerable.Range(0, BatchRows * Dimension).Select(_ => (float)random.NextUnit())];
        var results = new Dictionary<(string Step, bool Encrypted), List<double>>();
        try
        {
            for (int round = 0; round < Rounds; round++)
                foreach (bool encrypted in (bool[])[false, true])
                {
                    string path = Path.Combine(folder, $"{round}{encrypted}");
                    using (DataDirectory directory = DataDirectory.Open(path, new() { EncryptionKey = encrypted ? key : null }))
                        await RunAsync(directory, rows, engine, (step, rate) =>
                        {
                            if (!results.TryGetValue((step, encrypted), out List<double>? rates)) results[(step, encrypted)] = rates = [];
                            rates.Add(rate);
                        });
                    Directory.Delete(path, recursive: true);
                }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Console.WriteLine("| step | clear MB/s | encrypted MB/s | encrypted / clear |\n|---|---|---|---|");
        foreach (string step in results.Keys.Select(static k => k.Step).Distinct())
        {
            double clear = Median(results[(step, false)]), sealedRate = Median(results[(step, true)]);
            Console.WriteLine(FormattableString.Invariant($"| {step} | {clear:F0} | {sealedRate:F0} | {sealedRate / clear:F2} |"));
        }
    }

    static async Task RunAsync(DataDirectory directory, float[] rows, IEngine engine, Action<string, double> report)
    {
        const double Megabytes = (double)Batches * BatchRows * Dimension * sizeof(float) / 1e6;
        var domain = new Domain(Dimension, maxNorm: 100);
        var definition = new DatasetDefinition(
            DatasetKind.Private, domain, Adjacency.AddOrRemoveOne, 1, 1 << 20, [], OutOfDomainPolicy.Refuse);
        await directory.Datasets.CreateAsync(
            Call("CreateDataset", ""), new("rows", definition, "", "", "", new(CostUnit.MuSquared, Units.OfMu(10), 1e-5)), static (_, _) => []);
        long start = Stopwatch.GetTimestamp();
        using (Upload upload = await directory.Datasets.OpenUploadAsync("rows", Guid.NewGuid().ToString()))
        {
            uint crc = Crc32C.Compute(MemoryMarshal.AsBytes<float>(rows));
            for (ulong i = 1; i <= Batches; i++)
            {
                upload.Append(new(i, Dimension, rows, default, default, crc));
                if (upload.WantsFlush) upload.Flush();
            }
            await upload.FinishAsync(Batches * BatchRows, Batches);
        }
        report("store", Megabytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        foreach (int features in (int[])[0, 256, 4096])
        {
            var request = new ReleaseRequest { Function = "gaussian", Bandwidth = 5, Features = Math.Max(features, 256), Mu = 0.5, Seed = 1 };
            Measurement m = Planner.Plan(
                request, new(domain, Adjacency.AddOrRemoveOne, 1, 1 << 20, [], CostUnit.MuSquared), new()).Measurement;
            Build build = (await directory.Ledger.ReserveAsync(new(
                Call("CreateRelease", "datasets/rows"), "rows", $"r{features}", m.Cost(CostUnit.MuSquared), m.Fingerprint,
                MechanismKind.RoundedNormal, m.Noise.Scale, 1, 1 << 20, new byte[1], "owner"))).Build!;
            start = Stopwatch.GetTimestamp();
            if (features == 0)
                foreach (Records batch in build.Read()) GC.KeepAlive(batch);
            else
                m.Invoke(build.Receipt, build.Read(), engine, build.EnterReleasing);
            string step = features == 0 ? "read" : $"build, {features} features";
            report(step, Megabytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }

    static Call Call(string method, string parent) => new(method, parent, Guid.NewGuid().ToString(), SHA256.HashData("body"u8));

    static double Median(List<double> rates) => rates.Order().ElementAt(rates.Count / 2);
}
