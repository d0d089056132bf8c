namespace PrivateKernels.Tests;

/// <summary>Maps, points and hashes that the engine tests share; all from seeds.</summary>
static class EngineCases
{
    /// <summary>
    /// Iid normal rows; the phases of normal points have a standard deviation of about <paramref name="turns"/>.
    /// </summary>
    public static FourierMap Dense(int d, int m, double turns = 3, int groups = 1)
    {
        var random = new PublicRandom(11, (ulong)((d << 16) + m));
        var rows = new float[d * m];
        for (int i = 0; i < rows.Length; i++) rows[i] = (float)(random.NextNormal() * turns / Math.Sqrt(d));
        Canonical.Flush(rows);
        return FourierMap.Dense(d, rows, groups);
    }

    public static FourierMap Structured(int d, int padded, int m, double turns = 3, int groups = 1)
    {
        var random = new PublicRandom(12, (ulong)((d << 16) + m));
        var flips = new uint[(m + padded - 1) / padded * 3 * padded];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(random.NextBits() >> 63) << 31;
        var radii = new float[m];
        for (int i = 0; i < m; i++) radii[i] = (float)(turns * 2 * random.NextUnit() * Math.Pow(padded, -1.5));
        return FourierMap.Structured(d, padded, flips, radii, groups);
    }

    public static Points Normal(int n, int d, ulong seed = 1)
    {
        var random = new PublicRandom(seed, (ulong)d);
        var x = new float[n * d];
        for (int i = 0; i < x.Length; i++) x[i] = (float)random.NextNormal();
        Canonical.Flush(x);
        return new Points(x, d);
    }

    /// <summary>
    /// Points where recipes have their corners: zeros, -0, the smallest and largest canonical values, ties between
    /// quarter turns for a frequency of 1, phases at and just above 2^20 turns.
    /// </summary>
    public static Points Edges(int d)
    {
        float[] values =
        [
            0f, -0f, Canonical.Smallest, -Canonical.Smallest, Canonical.Largest, -Canonical.Largest, 0.125f, 0.375f,
            -0.625f, 1.125f, 12345.875f, 1048576f, -1048576f, MathF.BitIncrement(1048576f),
            MathF.BitDecrement(-1048576f), MathF.BitDecrement(1048576f), 0.5f, 1f, 3f,
        ];
        var x = new float[(values.Length + 1) * d];
        for (int n = 0; n < values.Length; n++) x.AsSpan(n * d, d).Fill(values[n]);
        for (int k = 0; k < d; k++) x[values.Length * d + k] = values[(k * 7) % values.Length];
        return new Points(x, d);
    }

    /// <summary>64-bit FNV-1a, a cell at a time, as 16 hexadecimal digits.</summary>
    public static string Hash(ReadOnlySpan<long> cells)
    {
        ulong hash = 14695981039346656037UL;
        foreach (long cell in cells) hash = (hash ^ (ulong)cell) * 1099511628211UL;
        return hash.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Both register widths, with one and with several threads; without AVX-512 the wide one runs in software.
    /// </summary>
    public static IReadOnlyList<SimdEngine> Engines { get; } =
        [new(1, wide: true), new(3, wide: true), new(1, wide: false), new(2, wide: false)];

    public static long[] Cells(IEngine engine, FourierMap map, Points points)
    {
        var cells = new long[2 * map.Frequencies];
        engine.AddFourier(map, points, cells);
        return cells;
    }
}
