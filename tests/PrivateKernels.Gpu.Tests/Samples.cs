namespace PrivateKernels.Tests;

/// <summary>Seeded numbers for tests (splitmix64).</summary>
sealed class Samples(ulong seed)
{
    ulong _state = seed;

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in (0, 1).</summary>
    public double Uniform() => ((Next() >> 11) + 0.5) / (1L << 53);

    public float Normal() => (float)(Math.Sqrt(-2 * Math.Log(Uniform())) * Math.Cos(2 * Math.PI * Uniform()));

    public float[] Normals(int count)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = Normal();
        return values;
    }

    /// <summary>
    /// Canonical points: mostly normal, and every seventh coordinate from the edges of what engines accept.
    /// </summary>
    public Points EdgePoints(int count, int dimension)
    {
        float[] edges = [0f, -0f, 1f, -1f, Canonical.Smallest, -Canonical.Smallest, Canonical.Largest,
            -Canonical.Largest, 0.125f, 1e6f];
        float[] values = Normals(count * dimension);
        for (int i = 0; i < values.Length; i += 7) values[i] = edges[(i / 7) % edges.Length];
        Canonical.Flush(values);
        return new(values, dimension);
    }

    public Points NormalPoints(int count, int dimension)
    {
        float[] values = Normals(count * dimension);
        Canonical.Flush(values);
        return new(values, dimension);
    }

    /// <summary>Frequencies from modest to absurd, so that some phases are far beyond 2^20 turns.</summary>
    public FourierMap DenseMap(int dimension, int frequencies, int groups = 1)
    {
        float[] rows = Normals(frequencies * dimension);
        for (int j = 0; j < frequencies; j++)
            for (int k = 0; k < dimension; k++)
                rows[j * dimension + k] *= j % 11 == 10 ? 3e5f : 0.3f;
        Canonical.Flush(rows);
        return FourierMap.Dense(dimension, rows, groups);
    }

    /// <inheritdoc cref="DenseMap"/>
    public FourierMap StructuredMap(int dimension, int padded, int blocks, int groups = 1)
    {
        var flips = new uint[blocks * 3 * padded];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(Next() >> 63) << 31;
        var radii = new float[blocks * padded];
        for (int i = 0; i < radii.Length; i++)
            radii[i] = (float)((0.1 + Uniform()) / padded * (i % 11 == 10 ? 1e6 : 1));
        return FourierMap.Structured(dimension, padded, flips, radii, groups);
    }
}
