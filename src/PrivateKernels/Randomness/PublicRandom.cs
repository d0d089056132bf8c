namespace PrivateKernels;

/// <summary>
/// Seeded generator of public randomness (frequencies, signs): xoshiro256** (Blackman, Vigna 2018) seeded by SplitMix64.
/// Its seed is published, so nothing it draws may ever serve as noise.
/// </summary>
/// <remarks>
/// Everything here uses integers and the IEEE operations that are exact to the last bit on every platform
/// (+ - * / sqrt), never a library's log or cosine: a release read elsewhere rebuilds the same map from its seed.
/// </remarks>
public sealed class PublicRandom
{
    ulong _s0, _s1, _s2, _s3;

    /// <param name="seed">Published seed.</param>
    /// <param name="stream">Separates independent uses of one seed, such as groups of frequencies.</param>
    public PublicRandom(ulong seed, ulong stream = 0)
    {
        ulong state = Mix(seed ^ Mix(stream + 0x9E3779B97F4A7C15UL));
        _s0 = Next(ref state);
        _s1 = Next(ref state);
        _s2 = Next(ref state);
        _s3 = Next(ref state);
    }

    /// <summary>A fresh seed for a new release: unpredictable to nobody's harm, and published with it.</summary>
    public static ulong DrawSeed()
    {
        Span<byte> id = stackalloc byte[16];
        Guid.NewGuid().TryWriteBytes(id);
        return Mix(BitConverter.ToUInt64(id) ^ Mix(BitConverter.ToUInt64(id[8..])));
    }

    public ulong NextBits()
    {
        ulong result = ulong.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in (0, 1): midpoints of 2^52 equal intervals.</summary>
    public double NextUnit() => ((NextBits() >> 12) + 0.5) * (1.0 / (1UL << 52));

    /// <summary>Uniform integer in [0, bound), without bias.</summary>
    public int NextBelow(int bound)
    {
        ulong limit = ulong.MaxValue - ulong.MaxValue % (ulong)bound;
        ulong bits;
        do bits = NextBits();
        while (bits >= limit);
        return (int)(bits % (ulong)bound);
    }

    /// <summary>Uniformly random order of 0 .. n-1.</summary>
    public int[] NextPermutation(int n)
    {
        var order = new int[n];
        for (int i = 0; i < n; i++)
        {
            int j = NextBelow(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /// <summary>n uniforms in (0, 1), one in each of n equal strata, in random order.</summary>
    public double[] NextStratified(int n)
    {
        int[] order = NextPermutation(n);
        var u = new double[n];
        for (int j = 0; j < n; j++) u[j] = (order[j] + NextUnit()) / n;
        return u;
    }

    /// <summary>Standard normal by Marsaglia's polar method, with a logarithm of exact operations only.</summary>
    public double NextNormal()
    {
        while (true)
        {
            double a = 2 * NextUnit() - 1, b = 2 * NextUnit() - 1, r = a * a + b * b;
            if (r < 1) return a * Math.Sqrt(-2 * PortableMath.Log(r) / r);
        }
    }

    static ulong Next(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15UL);

    static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
