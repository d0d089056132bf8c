using System.Globalization;

namespace PrivateKernels;

/// <summary>
/// Cells of fixed maps and points, all integer formulas, by their hash: the same on every engine and processor.
/// </summary>
static class EngineCells
{
    const int Records = 257, Dimension = 21, Padded = 32, Frequencies = 64, GridCells = 64;

    /// <summary>FNV-1a, a cell at a time.</summary>
    const ulong Golden = 0x0b39f3b7cd1cbd2c;

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        ulong hash = Hash(product.Engine);
        string seen = string.Create(CultureInfo.InvariantCulture, $"{product.Engine.Device}: hash of cells {hash:x16}");
        return hash == Golden ? AuditOutcome.Holds(seen) : AuditOutcome.Broken($"{seen} instead of {Golden:x16}");
    }

    static ulong Hash(IEngine engine)
    {
        var values = new float[Records * Dimension];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)((i / Dimension * 7919 + i % Dimension * 104729) % 2003 / 2003.0 - 0.5);
        var points = new Points(values, Dimension);
        ulong hash = 14695981039346656037;
        foreach (FourierMap map in (FourierMap[])[Dense(), Structured()])
        {
            var pairs = new long[2 * Frequencies];
            engine.AddFourier(map, points, pairs);
            hash = Add(hash, pairs);
        }
        long[] counts = new long[Dimension * GridCells], fractions = new long[Dimension * GridCells];
        engine.AddSigns(new(Dimension, -0.4f, 0.45f, GridCells, 999_999), points, counts, fractions);
        var angles = new long[Dimension + 2 * Frequencies];
        var angular = new SphericalMap(
            AngularFeatures.AbsoluteAndGated, Dense(), Dense(7919), 0, 300_000f, 20_000f, 1L << 39);
        engine.AddSpherical(angular, points, angles);
        var moments = new long[Dimension + 2];
        engine.AddMoments(new(Dimension, new float[Dimension], 1 << 19, 500_000f, 400_000f, 1L << 40), points, moments);
        foreach (long[] cells in (long[][])[counts, fractions, angles, moments]) hash = Add(hash, cells);
        return hash;
    }

    static ulong Add(ulong hash, long[] cells)
    {
        foreach (long cell in cells) hash = (hash ^ (ulong)cell) * 1099511628211;
        return hash;
    }

    static FourierMap Dense(int step = 6007)
    {
        var rows = new float[Frequencies * Dimension];
        for (int i = 0; i < rows.Length; i++) rows[i] = (i * step + 333) % 1009 / 128f - 4f;
        return FourierMap.Dense(Dimension, rows, 1);
    }

    static FourierMap Structured()
    {
        var flips = new uint[Frequencies / Padded * 3 * Padded];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)i * 2654435761U & 0x80000000;
        var radii = new float[Frequencies];
        for (int i = 0; i < radii.Length; i++) radii[i] = (1 << (i % 20)) / 4096f;
        return FourierMap.Structured(Dimension, Padded, flips, radii, 1);
    }
}
