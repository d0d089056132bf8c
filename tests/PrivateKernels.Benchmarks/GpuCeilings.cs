using System.Diagnostics;
using ILGPU;
using PrivateKernels.Gpu;

namespace PrivateKernels.Benchmarks;

/// <summary>Arguments of <see cref="FmaCeiling.Chains"/>.</summary>
// CA1051, CA1815: the fields are the memory layout that the device program sees.
#pragma warning disable CA1051, CA1815
public struct FmaArguments
{
    public ArrayView<float> Result;
    public int Steps;
    public float Factor;
}
#pragma warning restore CA1051, CA1815

/// <summary>What a device can do at best: sixteen independent multiply-add chains per thread, in registers.</summary>
public static class FmaCeiling
{
    public const int Threads = 256, FlopsPerStep = 2 * 16;

    public static void Chains(FmaArguments arguments)
    {
        float f = arguments.Factor, start = Group.IdxX;
        Row8 a = First(start), b = First(start + 8f);
        for (int step = 0; step < arguments.Steps; step++)
        {
            a = Step(a, f);
            b = Step(b, f);
        }
        arguments.Result[Grid.IdxX * Threads + Group.IdxX] = Sum(a) + Sum(b);
    }

    static Row8 First(float x) => new()
    {
        A = x,
        B = x + 1f,
        C = x + 2f,
        D = x + 3f,
        E = x + 4f,
        F = x + 5f,
        G = x + 6f,
        H = x + 7f,
    };

    static Row8 Step(Row8 r, float f) => new()
    {
        A = Fused.Fma(r.A, f, 1f),
        B = Fused.Fma(r.B, f, 1f),
        C = Fused.Fma(r.C, f, 1f),
        D = Fused.Fma(r.D, f, 1f),
        E = Fused.Fma(r.E, f, 1f),
        F = Fused.Fma(r.F, f, 1f),
        G = Fused.Fma(r.G, f, 1f),
        H = Fused.Fma(r.H, f, 1f),
    };

    static float Sum(Row8 r) => r.A + r.B + r.C + r.D + r.E + r.F + r.G + r.H;
}

/// <summary>Measured limits of a device in this run.</summary>
/// <param name="Flops">Multiply-adds in registers, fp32 operations per second.</param>
/// <param name="CopyBytes">Page-locked copy to the device, bytes per second.</param>
sealed record GpuCeilings(double Flops, double CopyBytes)
{
    public static GpuCeilings Measure(Device device, bool quick)
    {
        int groups = 8 * device.BusyGroups, steps = quick ? 1000 : 20_000;
        Slot slot = device.Slots[0];
        ArrayView<float> result = device.Buffer<float>("ceiling", (long)groups * FmaCeiling.Threads);
        var arguments = new FmaArguments { Result = result, Steps = steps, Factor = 0.5f };
        double seconds = Best(device, slot, () =>
            device.Launch(slot.Stream, FmaCeiling.Chains, groups, FmaCeiling.Threads, arguments));
        double flops = (double)FmaCeiling.FlopsPerStep * steps * groups * FmaCeiling.Threads / seconds;
        int floats = quick ? 1 << 20 : 16 << 20;
        device.Reserve(slot, "slot 0", floats);
        slot.Host!.Span.Clear();
        double copy = Best(device, slot, () => device.CopyIn(slot, floats));
        return new(flops, 4.0 * floats / copy);
    }

    /// <summary>Shortest of five runs after a warm-up, in seconds.</summary>
    public static double Best(Device device, Slot slot, Action queue)
    {
        double best = double.MaxValue;
        for (int run = 0; run < 6; run++)
        {
            long began = Stopwatch.GetTimestamp();
            queue();
            device.Synchronize(slot.Stream);
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            if (run > 0) best = Math.Min(best, seconds);
        }
        return best;
    }
}
