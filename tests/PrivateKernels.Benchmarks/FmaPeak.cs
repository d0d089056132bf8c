using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// The measured ceiling: independent fp32 multiply-adds in registers, on as many threads as the engine uses.
/// </summary>
readonly record struct FmaPeak(double Wall, double PerCore)
{
    const int Chains = 12;

    /// <summary>
    /// GFLOP/s, two operations per multiply-add: by the clock over all threads, and per second of processor time.
    /// </summary>
    public static FmaPeak Measure(int threads, double seconds)
    {
        long[] steps = new long[threads];
        using var start = new Barrier(threads);
        var elapsed = new double[threads];
        var workers = new Thread[threads];
        for (int t = 0; t < threads; t++)
        {
            int own = t;
            workers[t] = new Thread(() =>
            {
                start.SignalAndWait();
                long begun = Stopwatch.GetTimestamp();
                while (Stopwatch.GetElapsedTime(begun).TotalSeconds < seconds)
                {
                    Sink = Vector512.IsHardwareAccelerated ? Wide(100_000) : Narrow(100_000);
                    steps[own] += 100_000;
                }
                elapsed[own] = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            });
        }
        TimeSpan used = Environment.CpuUsage.TotalTime;
        foreach (Thread worker in workers) worker.Start();
        foreach (Thread worker in workers) worker.Join();
        double coreSeconds = (Environment.CpuUsage.TotalTime - used).TotalSeconds;
        double flop = 2.0 * Chains * (Vector512.IsHardwareAccelerated ? 16 : 8);
        double wall = 0;
        for (int t = 0; t < threads; t++) wall += steps[t] * flop / elapsed[t] / 1e9;
        return new(wall, steps.Sum() * flop / coreSeconds / 1e9);
    }

    static float Sink { get; set; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Wide(int steps)
    {
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(1e-3f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < steps; n++)
        {
            (a, b, c) = (Next(a, x, y), Next(b, x, y), Next(c, x, y));
            (d, e, f) = (Next(d, x, y), Next(e, x, y), Next(f, x, y));
            (g, h, i) = (Next(g, x, y), Next(h, x, y), Next(i, x, y));
            (j, k, l) = (Next(j, x, y), Next(k, x, y), Next(l, x, y));
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Narrow(int steps)
    {
        Vector256<float> x = Vector256.Create(0.999f), y = Vector256.Create(1e-3f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < steps; n++)
        {
            (a, b, c) = (Next(a, x, y), Next(b, x, y), Next(c, x, y));
            (d, e, f) = (Next(d, x, y), Next(e, x, y), Next(f, x, y));
            (g, h, i) = (Next(g, x, y), Next(h, x, y), Next(i, x, y));
            (j, k, l) = (Next(j, x, y), Next(k, x, y), Next(l, x, y));
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y) =>
        Vector512.FusedMultiplyAdd(sum, x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y) =>
        Vector256.FusedMultiplyAdd(sum, x, y);
}
