using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// Speed of the SIMD engine beside the measured multiply-add peak of the same run. Every job is timed in several rounds
/// that alternate with the peak, and the median of the ratios is shown, because other load moves both. "Of peak"
/// compares by the clock, "per core" by processor time used, which other load disturbs least.
/// </summary>
static class SimdBenchmark
{
    const int Rounds = 5;
    const int Frequencies = 4096;

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    static readonly List<Dictionary<string, object>> Rows = [];

    public static void Run(string[] args)
    {
        int threads = int.Parse(Option(args, "--threads") ?? "0", CultureInfo.InvariantCulture);
        if (threads == 0) threads = Environment.ProcessorCount;
        using var engine = new SimdEngine(threads);
        Console.WriteLine($"{engine.Device}, .NET {Environment.Version}; median of {Rounds} rounds with other load");
        FmaPeak peak = FmaPeak.Measure(threads, 0.5);
        Console.WriteLine($"multiply-add peak {peak.Wall:f0} GFLOP/s, {peak.PerCore:f0} per core-second");
        Console.WriteLine($"{"job",-49} {"rate",24} {"GFLOP/s",8} {"of peak",8} {"per core",8}");
        string part = Option(args, "--part") ?? "builds queries sums";
        if (part.Contains("builds", StringComparison.Ordinal))
            foreach (int d in new[] { 16, 128, 784 }) Builds(engine, threads, d);
        if (part.Contains("queries", StringComparison.Ordinal))
            foreach (int d in new[] { 128, 784 }) Queries(engine, threads, d);
        if (part.Contains("sums", StringComparison.Ordinal))
            foreach (int d in new[] { 16, 128, 784 }) Sums(engine, threads, d);
        if (part.Contains("peers", StringComparison.Ordinal)) AgainstPeers(engine, threads);
        if (Option(args, "--json") is { } file)
            File.WriteAllText(file, JsonSerializer.Serialize(Rows, Indented));
    }

    static void Builds(SimdEngine engine, int threads, int d)
    {
        Points points = Normal(8128, d);
        var cells = new long[2 * Frequencies];
        FourierMap dense = Dense(d), structured = Structured(d);
        double slow = Job($"dense build, d = {d}, m = {Frequencies}", "records/s", threads, points.Count,
            2.0 * d * Frequencies, () => engine.AddFourier(dense, points, cells));
        double fast = Job($"structured build, d = {d}, m = {Frequencies}", "records/s", threads, points.Count, 0,
            () => engine.AddFourier(structured, points, cells));
        Console.WriteLine($"  structured / dense = {fast / slow:f2}");
    }

    static void Queries(SimdEngine engine, int threads, int d)
    {
        FourierMap dense = Dense(d), structured = Structured(d);
        foreach (int columns in new[] { 1, 10 })
        {
            var weights = new double[columns * 2 * Frequencies];
            Array.Fill(weights, 1e6);
            foreach (int n in new[] { 1, 1024 })
            {
                Points queries = Normal(n, d);
                var sums = new double[n * columns * 4];
                string sizes = $"queries, d = {d}, {columns} columns, {n} at once";
                Job($"dense {sizes}", "queries/s", threads, n, 2.0 * Frequencies * d,
                    () => engine.ProjectFourier(dense, queries, weights, columns, sums));
                Job($"structured {sizes}", "queries/s", threads, n, 0,
                    () => engine.ProjectFourier(structured, queries, weights, columns, sums));
            }
        }
    }

    static void Sums(SimdEngine engine, int threads, int d)
    {
        Points points = Normal(30_000, d);
        foreach (int n in new[] { 1, 256 })
        {
            Points queries = Normal(n, d);
            var sums = new double[n];
            foreach (string name in new[] { "gaussian", "exponential", "laplacian", "l1", "matern_3_2" })
            {
                PairFunctionEntry entry = Catalog.Functions.First(e => e.Name == name);
                PairFunction function = entry.Create(entry.UsesBandwidth ? Math.Sqrt(d) : 0, 0);
                Job($"exact {name} sums, d = {d}, {n} queries", "pairs/s", threads, (double)points.Count * n, 2.0 * d,
                    () => engine.AddExactSums(function, points, queries, sums));
            }
        }
    }

    static void AgainstPeers(SimdEngine engine, int threads)
    {
        using Peers? peers = Peers.Start(threads);
        if (peers is null) return;
        Console.WriteLine($"{"times faster than",-44} {"median",8} {"least",8} {"most",8}");
        foreach (int d in new[] { 16, 128, 784 })
        {
            Points points = Normal(8128, d), queries = Normal(256, d);
            var cells = new long[2 * Frequencies];
            var sums = new double[queries.Count];
            FourierMap dense = Dense(d), structured = Structured(d);
            void Build() => engine.AddFourier(dense, points, cells);
            Ratio(peers, "cells", $"numpy, the same cells, d = {d}", points.Count, d, Frequencies, Build);
            Ratio(peers, "sampler", $"RBFSampler, as many features, d = {d}", points.Count, d, Frequencies, Build);
            Ratio(peers, "sampler", $"  the same, structured, d = {d}", points.Count, d, Frequencies,
                () => engine.AddFourier(structured, points, cells));
            var gaussian = new Gaussian(Math.Sqrt(d));
            void Sum() => engine.AddExactSums(gaussian, points, queries, sums);
            Ratio(peers, "gaussian", $"numpy, gaussian sums, d = {d}", points.Count, d, queries.Count, Sum);
            Ratio(peers, "rbf_kernel", $"rbf_kernel, gaussian sums, d = {d}", points.Count, d, queries.Count, Sum);
            Ratio(peers, "manhattan", $"manhattan_distances, l1 sums, d = {d}", points.Count, d, queries.Count,
                () => engine.AddExactSums(new L1(), points, queries, sums));
        }
    }

    /// <summary>Peer and engine in turns; the ratio of their times, round by round.</summary>
    static void Ratio(Peers peers, string job, string name, int n, int d, int m, Action body)
    {
        body();
        var ratios = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            double peer = peers.Seconds(job, n, d, m);
            int repeats = 0;
            long begun = Stopwatch.GetTimestamp();
            // As long as the peer, so that other load weighs on both alike.
            do body();
            while (++repeats < 200 && Stopwatch.GetElapsedTime(begun).TotalSeconds < peer);
            ratios[round] = peer * repeats / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }
        Array.Sort(ratios);
        (double least, double median, double most) = (ratios[0], ratios[Rounds / 2], ratios[^1]);
        string ratio = string.Create(CultureInfo.InvariantCulture, $"{median,8:f1} {least,8:f1} {most,8:f1}");
        Console.WriteLine($"{name,-44} {ratio}");
        Rows.Add(new() { ["job"] = name, ["times_faster"] = median, ["least"] = least, ["most"] = most });
    }

    /// <summary>Times a job; prints and returns its median rate in items per second.</summary>
    static double Job(string name, string unit, int threads, double items, double flopPerItem, Action body)
    {
        long begun = Stopwatch.GetTimestamp();
        int times = 0;
        for (; Stopwatch.GetElapsedTime(begun).TotalSeconds < 0.3; times++) body();
        int repeats = Math.Max(1, times / 3);
        var rates = new double[Rounds];
        var wall = new double[Rounds];
        var core = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            FmaPeak before = FmaPeak.Measure(threads, 0.03);
            TimeSpan used = Environment.CpuUsage.TotalTime;
            begun = Stopwatch.GetTimestamp();
            for (int i = 0; i < repeats; i++) body();
            rates[round] = items * repeats / Stopwatch.GetElapsedTime(begun).TotalSeconds;
            double perCore = items * repeats / (Environment.CpuUsage.TotalTime - used).TotalSeconds;
            FmaPeak after = FmaPeak.Measure(threads, 0.03);
            wall[round] = rates[round] * flopPerItem / 1e9 * 2 / (before.Wall + after.Wall);
            core[round] = perCore * flopPerItem / 1e9 * 2 / (before.PerCore + after.PerCore);
        }
        Array.Sort(rates);
        Array.Sort(wall);
        Array.Sort(core);
        double rate = rates[Rounds / 2], gigaflops = rate * flopPerItem / 1e9;
        (double ofPeak, double ofCore) = (wall[Rounds / 2], core[Rounds / 2]);
        CultureInfo culture = CultureInfo.InvariantCulture;
        string share = string.Create(culture, $" {gigaflops,8:f1} {ofPeak,8:p0} {ofCore,8:p0}");
        string speed = string.Create(culture, $"{name,-49} {rate,14:n0} {unit,-9}");
        Console.WriteLine(speed + (flopPerItem > 0 ? share : ""));
        Rows.Add(new()
        {
            ["job"] = name,
            ["unit"] = unit,
            ["rate"] = rate,
            ["gigaflops"] = gigaflops,
            ["of_peak"] = ofPeak,
            ["of_peak_per_core_second"] = ofCore,
            ["slowest"] = rates[0],
            ["fastest"] = rates[^1],
        });
        return rate;
    }

    static FourierMap Dense(int d)
    {
        var random = new PublicRandom(1);
        var rows = new float[Frequencies * d];
        for (int i = 0; i < rows.Length; i++) rows[i] = (float)(random.NextNormal() / Math.Sqrt(d));
        return FourierMap.Dense(d, rows, 4);
    }

    static FourierMap Structured(int d)
    {
        int padded = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)d);
        var random = new PublicRandom(2);
        var flips = new uint[3 * Frequencies];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(random.NextBits() >> 63) << 31;
        var radii = new float[Frequencies];
        for (int i = 0; i < radii.Length; i++) radii[i] = (float)(random.NextUnit() * Math.Pow(padded, -1.5));
        return FourierMap.Structured(d, padded, flips, radii, 4);
    }

    static Points Normal(int n, int d)
    {
        var random = new PublicRandom(3);
        var x = new float[n * d];
        for (int i = 0; i < x.Length; i++) x[i] = (float)random.NextNormal();
        return new Points(x, d);
    }

    static string? Option(string[] args, string name)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }
}
