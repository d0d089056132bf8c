using System.Diagnostics;
using System.Numerics;
using System.Security.Cryptography;

namespace PrivateKernels.Benchmarks;

/// <summary>Noise samples per second: one thread by scale, then all cores; the entropy source alone for comparison; then
/// the time that prices take.</summary>
static class SamplerBenchmark
{
    const int Cells = 1 << 21;

    public static void Run()
    {
        Console.WriteLine("law, scale, threads: million samples per second (median of 5)");
        foreach (int power in new[] { -4, 0, 4, 20, 35, 50 })
        {
            double scale = Math.ScaleB(1, power);
            Report($"rounded normal, {scale:G4}", Normal(power).Sampler);
            Report($"discrete Laplace, {scale:G4}", Laplace(power).Sampler);
        }
        Report("rounded normal, 1e6", new RoundedNormal(1_000_000L << 10).Sampler);
        Report("discrete Laplace, 1e6", new DiscreteLaplace(new(1_000_000, 1)).Sampler);
        var words = new byte[Cells * 16];
        Console.WriteLine($"two words of OS entropy, 1 thread: {Rate(() => RandomNumberGenerator.Fill(words)):F1}");
        Console.WriteLine("microseconds of exact arithmetic:");
        Time("a measurement's table of products", () => _ = Normal(20).Sampler);
        Time("units of (1, 1e-6)", () => Units.OfLoss(new(1, 1e-6)));
        Time("units of (0.01, 1e-15)", () => Units.OfLoss(new(0.01, 1e-15)));
        Time("price of pure epsilon 1 in a Gaussian account", () => Units.OfPureInGaussian(1L << 40));
        Time("epsilon shown at 1e-6", () => Accountant.EpsilonAtMost(61604497218, 1e-6));
        Time("fp64 mu of (1, 1e-6)", () => GaussianDp.Mu(1, 1e-6));
    }

    static RoundedNormal Normal(int power) => new((long)(BigInteger.One << (power + RoundedNormal.FractionBits)));

    static DiscreteLaplace Laplace(int power) =>
        new(power >= 0 ? new(BigInteger.One << power, 1) : new(1, BigInteger.One << -power));

    static void Report(string name, NoiseSampler sampler)
    {
        var cells = new long[Cells];
        using var bits = new SecretBits();
        Console.WriteLine($"{name}, 1: {Rate(() => sampler.AddTo(cells, bits)):F1}");
        Console.WriteLine($"{name}, {Environment.ProcessorCount}: {Rate(() => sampler.AddTo(cells)):F1}");
    }

    static void Time(string name, Action run) => Console.WriteLine($"{name}: {Seconds(run) * 1e6:F0}");

    static double Rate(Action fill) => Cells / Seconds(fill) / 1e6;

    static double Seconds(Action run)
    {
        run();
        var times = new double[5];
        foreach (ref double time in times.AsSpan())
        {
            long start = Stopwatch.GetTimestamp();
            run();
            time = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(times);
        return times[2];
    }
}
