using System.Diagnostics;
using System.Text.Json;
using ILGPU;
using PrivateKernels.Gpu;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// Speed of the GPU engine beside the ceilings measured in the same run (multiply-adds in registers, page-locked
/// copies), the SIMD engine, and torch where python3 has it. "On device" leaves copies out, "page-locked" copies every batch
/// from there; "end to end" starts from ordinary host memory and ends with cells on the host.
/// </summary>
static class GpuBenchmark
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    static readonly List<Dictionary<string, object>> Rows = [];

    public static int Run(string[] args)
    {
        bool quick = args.Contains("--quick");
        if (GpuDevices.Find(args.Contains("--allow-cpu")) is not [var description, ..])
        {
            Console.WriteLine("no GPU on this machine: not measured (--allow-cpu takes a processor's OpenCL)");
            return 1;
        }
        using var simd = new SimdEngine();
        using var engine = new GpuEngine([description], simd, new GpuOptions { IsForced = true });
        using var device = new Device(description, new GpuOptions().MemoryLimitFor(description), null);
        GpuCeilings ceilings = GpuCeilings.Measure(device, quick);
        Console.WriteLine($"{DateTime.UtcNow:yyyy-MM-dd}, .NET {Environment.Version}");
        Console.WriteLine($"{description.Name}, {description.Driver}");
        Console.WriteLine($"fma ceiling {ceilings.Flops / 1e12:f3} TFLOP/s, copy {ceilings.CopyBytes / 1e9:f1} GB/s");
        using Peers? torch = description.Kind == EngineKind.Cuda
            ? Peers.Start(Environment.ProcessorCount, "gpu_peers.py") : null;
        int[] dimensions = quick ? [16, 128] : [16, 128, 784, 2048], sizes = quick ? [1024] : [1024, 8192, 65536];
        foreach (int d in dimensions)
            foreach (int m in sizes)
            {
                double dense = Build(device, engine, simd, ceilings, torch, Dense(d, m), quick);
                double structured = Build(device, engine, simd, ceilings, torch, Structured(d, m), quick);
                Report($"structured beside dense, d = {d}, m = {m}", ("times_dense", structured / dense));
            }
        foreach (int n in quick ? [1, 64] : new[] { 1, 64, 4096 }) Queries(engine, simd, Structured(128, 1024), n);
        foreach (int d in dimensions) Sums(engine, simd, ceilings, torch, d, quick);
        int at = Array.IndexOf(args, "--json");
        if (at >= 0 && at + 1 < args.Length) File.WriteAllText(args[at + 1], JsonSerializer.Serialize(Rows, Indented));
        return 0;
    }

    /// <summary>Records per second on the device.</summary>
    static double Build(
        Device device, GpuEngine engine, SimdEngine simd, GpuCeilings ceilings, Peers? torch, FourierMap map,
        bool quick)
    {
        int d = map.Dimension, m = map.Frequencies, stride = DeviceTask.Padded(d);
        int records = (quick ? 1 << 17 : 16 << 20) / stride / 128 * 128;
        Points points = Normal(quick ? records : 4 * records, d);
        Slot slot = device.Slots[0];
        for (int s = 0; s < 2; s++)
        {
            device.Reserve(device.Slots[s], $"slot {s}", (long)records * stride);
            device.Slots[s].Fill(points.Slice(0, records), stride);
        }
        device.CopyIn(slot, records * stride);
        var launch = new FourierLaunch(device, map);
        int slices = launch.SlicesFor(records);
        var cells = new CellSums(device, 2 * m, slices);
        ArrayView<long> partial = cells.Partial(0);
        double onDevice = records / GpuCeilings.Best(device, slot, () => launch.Add(slot, records, partial, slices));
        ArrayView<long>[] own = [partial, cells.Partial(1)];
        double pageLocked = records * PageLockedBatches(
            device, records * stride, s => launch.Add(device.Slots[s], records, own[s], slices));
        var sums = new long[2 * m];
        double endToEnd = points.Count / Seconds(() => engine.AddFourier(map, points, sums));
        Points few = points.Slice(0, (int)Math.Clamp(2e9 / d / m, 256, points.Count));
        double processor = few.Count / Seconds(() => simd.AddFourier(map, few, sums));

        double perRecord = map.IsStructured ? m * (3.0 * Math.Log2(map.Padded) + 30) : 2.0 * d * m;
        // A structured record costs additions and about thirty other operations per pair, one each where a fused
        // multiply-add counts two: its floor is half the ceiling.
        double floor = map.IsStructured ? ceilings.Flops / 2 : ceilings.Flops;
        double bound = Math.Min(onDevice, ceilings.CopyBytes / (4.0 * stride));
        string kind = map.IsStructured ? "structured" : "dense";
        Report(
            $"{kind} build, d = {d}, m = {m}",
            ("device_records_per_second", onDevice), ("tflops", onDevice * perRecord / 1e12),
            ("of_ceiling", onDevice * perRecord / floor), ("page_locked_records_per_second", pageLocked),
            ("gigabytes_per_second", pageLocked * 4 * stride / 1e9),
            ("of_copy_ceiling", pageLocked * 4 * stride / ceilings.CopyBytes),
            ("of_slower_of_copy_and_compute", pageLocked / bound), ("end_to_end_records_per_second", endToEnd),
            ("times_simd", endToEnd / processor),
            ("times_torch", torch is null
                ? double.NaN : torch.Seconds("cells", Few(m, records), d, m) * onDevice / Few(m, records)));
        return onDevice;
    }

    /// <summary>Batches per second where the two slots copy their page-locked values and compute in turn.</summary>
    static double PageLockedBatches(Device device, int floats, Action<int> queue)
    {
        const int Batches = 12;
        double seconds = Seconds(() =>
        {
            for (int batch = 0; batch < Batches; batch++)
            {
                Slot slot = device.Slots[batch % 2];
                device.Synchronize(slot.Stream);
                device.CopyIn(slot, floats);
                queue(batch % 2);
            }
            foreach (Slot slot in device.Slots) device.Synchronize(slot.Stream);
        });
        return Batches / seconds;
    }

    // torch writes the whole feature matrix: as many records as 4 GB hold.
    static int Few(int m, int records) => (int)Math.Min(records, 1_000_000_000L / m);

    static void Queries(GpuEngine engine, SimdEngine simd, FourierMap map, int n)
    {
        Points queries = Normal(n, map.Dimension);
        var weights = new double[2 * map.Frequencies];
        Array.Fill(weights, 1e6);
        var sums = new double[n * map.Groups];
        double device = n / Seconds(() => engine.ProjectFourier(map, queries, weights, 1, sums));
        double processor = n / Seconds(() => simd.ProjectFourier(map, queries, weights, 1, sums));
        Report(
            $"queries, batch of {n}, m = {map.Frequencies}",
            ("queries_per_second", device), ("times_simd", device / processor));
    }

    static void Sums(GpuEngine engine, SimdEngine simd, GpuCeilings ceilings, Peers? torch, int d, bool quick)
    {
        int n = quick ? 4096 : Math.Min(1 << 20, (64 << 20) / d), q = quick ? 128 : 4096;
        Points points = Normal(n, d), queries = Normal(q, d);
        var gaussian = new Gaussian(Math.Sqrt(d));
        var sums = new double[q];
        double device = (double)n * q / Seconds(() => engine.AddExactSums(gaussian, points, queries, sums));
        Points few = points.Slice(0, Math.Min(n, 4096)), fewQueries = queries.Slice(0, 64);
        double processor = 64.0 * few.Count / Seconds(
            () => simd.AddExactSums(gaussian, few, fewQueries, sums.AsSpan(0, 64).ToArray()));
        int peer = Math.Min(n, 1 << 16);
        Report(
            $"exact gaussian sums, d = {d}", ("pairs_per_second", device), ("tflops", device * 2 * d / 1e12),
            ("gigabytes_per_second", device / q * 4 * d / 1e9),
            ("of_ceiling_at_2d_per_pair", device * 2 * d / ceilings.Flops), ("times_simd", device / processor),
            ("times_torch", torch is null
                ? double.NaN : torch.Seconds("gaussian", peer, d, q) * device / ((double)peer * q)));
    }

    static void Report(string job, params (string Name, double Value)[] figures)
    {
        var row = new Dictionary<string, object> { ["job"] = job };
        Console.WriteLine(job);
        foreach ((string name, double value) in figures)
        {
            if (double.IsNaN(value)) continue;
            row[name] = value;
            Console.WriteLine($"  {name,-32} {value:g4}");
        }
        Rows.Add(row);
    }

    /// <summary>Median of three runs after a warm-up.</summary>
    static double Seconds(Action run)
    {
        run();
        var seconds = new double[3];
        for (int i = 0; i < seconds.Length; i++)
        {
            long began = Stopwatch.GetTimestamp();
            run();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        Array.Sort(seconds);
        return seconds[1];
    }

    static FourierMap Dense(int d, int m) => FourierMap.Dense(d, Uniform(d * m, 0.2f / MathF.Sqrt(d)), 1);

    static FourierMap Structured(int d, int m)
    {
        int padded = 8;
        while (padded < d) padded *= 2;
        int frequencies = Math.Max(m / padded, 1) * padded;
        var random = new PublicRandom(7);
        var flips = new uint[3 * frequencies];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(random.NextBits() >> 63) << 31;
        float[] radii = Uniform(frequencies, 0.5f);
        for (int i = 0; i < radii.Length; i++) radii[i] /= padded;
        return FourierMap.Structured(d, padded, flips, radii, 1);
    }

    static Points Normal(int n, int d) => new(Uniform(n * d, 3f), d);

    /// <summary>Uniform in (-scale / 2, scale / 2): as good as any other law for timing.</summary>
    static float[] Uniform(int count, float scale)
    {
        var random = new PublicRandom(3);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = scale * ((float)random.NextUnit() - 0.5f);
        Canonical.Flush(values);
        return values;
    }
}
