namespace PrivateKernels.Tests;

/// <summary>Bugs in the noise of releases.</summary>
static class NoiseBugs
{
    public static IReadOnlyList<PrivacyBug> All { get; } =
    [
        Noise("half the noise", static (m, cells) => Stronger(m, 4).AddTo(cells), "noise", "lower bound"),
        Noise("noise two percent short", static (m, cells) => Stronger(m, 1.04).AddTo(cells)),
        Noise("classes share one budget of noise",
            static (m, cells) => Stronger(m, m.Blocks).AddTo(cells), "noise", "lower bound"),
        Noise("noise on the first class only",
            static (m, cells) => m.Noise.AddTo(cells.AsSpan(0, m.Sketch.CellCount)), "noise", "lower bound"),
        Noise("empty cells get no noise",
            static (m, cells) => Each(m, cells, static (cell, noise, _) => cell == 0 ? 0 : cell + noise)),
        Noise("exact counts of labels", static (m, cells) =>
        {
            int size = m.Sketch.CellCount;
            Each(m, cells, (cell, noise, j) => (j + 1) % size == 0 ? cell : cell + noise);
        }),
        Noise("the exact number of records is divided out", static (m, cells) =>
        {
            long n = Math.Max(1, (long)(m.Sketch.Count(cells.AsSpan(0, m.Sketch.CellCount))!.Value.Value * m.Blocks));
            Each(m, cells, (cell, noise, _) => (cell + noise) / n);
        }),
        Noise("blocks reuse one draw", static (m, cells) =>
        {
            var noise = new long[m.Sketch.CellCount];
            m.Noise.AddTo(noise);
            for (int j = 0; j < cells.Length; j++) cells[j] += noise[j % noise.Length];
        }),
        Noise("every second cell gets its neighbour's noise with the other sign", static (m, cells) =>
        {
            long last = 0;
            Each(m, cells, (cell, noise, j) => cell + (last = j % 2 == 0 ? noise : -last));
        }),
        Noise("the noise has a fixed seed", static (m, cells) => AddSeeded(m, cells, 7)),
        Noise("the noise is seeded by the data", static (m, cells) => AddSeeded(m, cells, Seed(cells))),
        Noise("noise is relative to the cell", static (m, cells) =>
        {
            double largest = cells.Max(static cell => Math.Abs((double)cell));
            Each(m, cells, (cell, noise, _) => cell + (long)(noise * (cell / largest)));
        }),
        Noise("noise is added in fp32",
            static (m, cells) => Each(m, cells, static (cell, noise, _) => (long)((float)cell + noise))),
        Noise("noise as a sum of twelve uniforms", static (m, cells) =>
        {
            using var bits = new SecretBits();
            for (int j = 0; j < cells.Length; j++)
            {
                double sum = -6;
                for (int i = 0; i < 12; i++) sum += Math.ScaleB(bits.Next(), -64);
                cells[j] += (long)Math.Round(Math.Sqrt(m.Noise.Variance) * sum);
            }
        }),
        Noise("noise beyond three deviations is drawn again", static (m, cells) =>
        {
            double most = 3 * Math.Sqrt(m.Noise.Variance);
            var one = new long[1];
            Each(m, cells, (cell, noise, _) =>
            {
                for (; Math.Abs(noise) > most; noise = one[0])
                {
                    one[0] = 0;
                    m.Noise.AddTo(one);
                }
                return cell + noise;
            });
        }),
        Noise("noise is never negative",
            static (m, cells) => Each(m, cells, static (cell, noise, _) => cell + Math.Abs(noise))),
        Noise("normal noise in place of Laplace noise", static (m, cells) =>
            new RoundedNormal((long)(m.Noise.Scale * 1024)).AddTo(cells)),
        new("noise wraps around", ["noise"], static product => product with
        {
            AddNoise = static (m, cells) => Each(m, cells, static (cell, noise, _) => unchecked(cell + noise)),
        }),
    ];

    static PrivacyBug Noise(string name, Action<Measurement, long[]> add, params string[] caughtBy) =>
        new(name, caughtBy.Length > 0 ? caughtBy : ["noise"], product => product with
        {
            Invoke = (measurement, receipt, batches) =>
            {
                long[] cells = product.Sum(measurement, batches);
                receipt.Redeem(measurement);
                add(measurement, cells);
                return new(measurement, new Provenance(receipt), cells);
            },
        }, "l2_squared");

    /// <summary>The noise of so many times the price in mu squared, for either mechanism.</summary>
    static INoise Stronger(Measurement measurement, double factor)
    {
        bool normal = measurement.Strength.Mechanism == MechanismKind.RoundedNormal;
        double strength = measurement.Strength.Strength * (normal ? factor : Math.Sqrt(factor));
        return Mechanisms.Calibrate(measurement.Strength with { Strength = (long)strength }, measurement.Sensitivity);
    }

    static void Each(Measurement measurement, long[] cells, Func<long, long, int, long> release)
    {
        var noise = new long[cells.Length];
        measurement.Noise.AddTo(noise);
        for (int j = 0; j < cells.Length; j++) cells[j] = release(cells[j], noise[j], j);
    }

    static void AddSeeded(Measurement measurement, long[] cells, ulong seed)
    {
        NoiseSampler sampler =
            (measurement.Noise as RoundedNormal)?.Sampler ?? ((DiscreteLaplace)measurement.Noise).Sampler;
        using SecretBits bits = RepeatableBits.Of(seed);
        sampler.AddTo(cells, bits);
    }

    static ulong Seed(long[] cells)
    {
        ulong seed = 0;
        foreach (long cell in cells) seed = seed * 31 + (ulong)cell;
        return seed;
    }
}
