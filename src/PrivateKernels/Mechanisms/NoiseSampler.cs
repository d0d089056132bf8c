using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Signed integers floor(s x + 1/2) or floor(s x), x from a <see cref="Ziggurat"/>, s an exact fraction up to 2^52.
/// </summary>
/// <remarks>
/// Guarantee: the integer has exactly the law stated, given ideal bits. x is a real known by its leading 64 digits or
/// more; s x lies between two 128-bit products, and where these round to different integers more digits are drawn. Time
/// depends on the bits drawn here and on s, on nothing private.
/// </remarks>
sealed class NoiseSampler
{
    /// <summary>Cells that one thread takes at a time.</summary>
    const int Chunk = 1 << 14;

    readonly Ziggurat _ziggurat;
    readonly Rational _scale;
    readonly bool _toNearest;

    /// <summary>floor(2^64 s X_i), by layer: the high and the low words.</summary>
    readonly (ulong High, ulong Low)[] _products = new (ulong, ulong)[Ziggurat.Layers];

    /// <param name="ziggurat">Law of x.</param>
    /// <param name="scale">s.</param>
    /// <param name="toNearest">True: floor(s x + 1/2). False: floor(s x), and a zero with a minus sign is
    /// redrawn.</param>
    public NoiseSampler(Ziggurat ziggurat, Rational scale, bool toNearest)
    {
        (_ziggurat, _scale, _toNearest) = (ziggurat, scale, toNearest);
        for (int i = 0; i < _products.Length; i++)
        {
            BigInteger product = (scale.Numerator * ziggurat.Width(i) << 32) / scale.Denominator;
            _products[i] = ((ulong)(product >> 64), (ulong)(product & ulong.MaxValue));
        }
    }

    public long Draw(SecretBits bits)
    {
        while (true)
        {
            ulong choice = bits.Next(), u = bits.Next();
            int layer = (int)(choice % Ziggurat.Layers);
            LazyPoint? point = null;
            if (!_ziggurat.IsInside(layer, u) && !_ziggurat.Resolve(layer, u, bits, out point)) continue;
            if (point is not null || !TryRound(layer, u, out long magnitude))
                magnitude = (point ?? new(0, _ziggurat.Width(layer), new(u, bits))).Round(_scale, _toNearest);
            long sign = (long)choice >> 63;
            if (magnitude == 0 && !_toNearest && sign < 0) continue;
            // Negated without a branch, which would be mispredicted every other time.
            return (magnitude ^ sign) - sign;
        }
    }

    /// <summary>Rounds s X_layer (u + [0, 1)) 2^-64 if all of it goes to one integer.</summary>
    public bool TryRound(int layer, ulong u, out long magnitude)
    {
        (ulong high, ulong low) = _products[layer];
        // With p = floor(2^64 s X) and L = floor(p u 2^-64): 2^64 s x is at least L, and below
        // (p + 1)(u + 1) 2^-64 <= p u 2^-64 + p 2^-64 + 2 < L + high + 4.
        ulong whole = Math.BigMul(high, u, out ulong fraction);
        ulong sum = fraction + Math.BigMul(low, u, out _);
        if (sum < fraction) whole++;
        ulong rounded = sum + (_toNearest ? 1UL << 63 : 0);
        if (rounded < sum) whole++;
        magnitude = (long)whole;
        return rounded <= ulong.MaxValue - (high + 4);
    }

    /// <summary>Adds a draw to every cell on all cores, saturating.</summary>
    public unsafe void AddTo(Span<long> cells)
    {
        int length = cells.Length, chunks = (length + Chunk - 1) / Chunk;
        if (chunks <= 1)
        {
            using var bits = new SecretBits();
            AddTo(cells, bits);
            return;
        }
        fixed (long* pinned = cells)
        {
            long* first = pinned;
            Parallel.For(
                0, chunks, () => new SecretBits(),
                (chunk, _, bits) =>
                {
                    int start = chunk * Chunk;
                    AddTo(new Span<long>(first + start, Math.Min(Chunk, length - start)), bits);
                    return bits;
                },
                bits => bits.Dispose());
        }
    }

    public void AddTo(Span<long> cells, SecretBits bits)
    {
        foreach (ref long cell in cells) cell = AddSaturating(cell, Draw(bits));
    }

    static long AddSaturating(long x, long y)
    {
        long sum = unchecked(x + y);
        // Overflow if both signs differ from the sum's.
        return ((x ^ sum) & (y ^ sum)) >= 0 ? sum : x < 0 ? long.MinValue : long.MaxValue;
    }
}
