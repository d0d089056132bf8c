using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Cosine and sine of a phase in turns, times A = 2^20 - 1: the one recipe that every engine repeats operation by
/// operation. With t the phase, all in fp32:
/// <code>
/// u = fma(t, 4, 1.5 2^23); q = low bits of u (quarter turn); r = fma(u - 1.5 2^23, -1/4, t), exact, |r| at most 1/8
/// c, s = polynomials of cos, sin at r; swapped if q is odd; cos negated if (q + 1) &amp; 2, sin negated if q &amp; 2
/// A cos, A sin = fp32 products; both 0 unless |t| is at most 2^20 (so for NaN); cells = these, truncated toward zero
/// </code>
/// The error of cos and sin is at most 5.3e-8.
/// </summary>
/// <remarks>
/// Guarantee: for every t, NaN and infinities included, the two cells satisfy cos^2 + sin^2 of at most 2^40. The cells
/// depend on r and two bits of q alone, and the bound was checked for every fp32 value of r (a test repeats this).
/// </remarks>
static class Phase
{
    /// <summary>A: one less than 2^20, so that rounding cannot push a pair out of the circle of radius 2^20.</summary>
    public const float Unit = 1048575f;

    /// <summary>Beyond 2^20 turns an fp32 phase has no meaningful fraction: both features are 0, their mean.</summary>
    public const float LargestTurns = 1048576f;

    /// <summary>
    /// 1.5 2^23: adding it rounds to an integer, ties to even, and leaves the integer in the low bits.
    /// </summary>
    public const float Magic = 12582912f;

    public const float S1 = 6.28318548f, S3 = -41.3417473f, S5 = 81.6024399f, S7 = -75.742485f;
    public const float C2 = -19.7392082f, C4 = 64.9391403f, C6 = -85.4231186f, C8 = 58.5612144f;

    /// <summary>The integer cells of a phase.</summary>
    public static (int Cos, int Sin) Cells(float turns)
    {
        (float cos, float sin) = Scaled(turns);
        (int c, int s) = ((int)cos, (int)sin);
        Debug.Assert((long)c * c + (long)s * s <= 1L << 40, "a pair of cells left its circle");
        return (c, s);
    }

    /// <summary>A cos and A sin before truncation.</summary>
    public static (float Cos, float Sin) Scaled(float turns)
    {
        if (!(turns <= LargestTurns && turns >= -LargestTurns)) return (0f, 0f);
        float shifted = MathF.FusedMultiplyAdd(turns, 4f, Magic);
        int quarter = BitConverter.SingleToInt32Bits(shifted);
        float r = MathF.FusedMultiplyAdd(shifted - Magic, -0.25f, turns);
        float z = r * r;
        float c = MathF.FusedMultiplyAdd(MathF.FusedMultiplyAdd(MathF.FusedMultiplyAdd(C8, z, C6), z, C4), z, C2);
        c = MathF.FusedMultiplyAdd(c, z, 1f);
        float p = MathF.FusedMultiplyAdd(MathF.FusedMultiplyAdd(S7, z, S5), z, S3);
        float s = MathF.FusedMultiplyAdd(r, S1, (r * z) * p);
        (float cos, float sin) = (quarter & 1) != 0 ? (s, c) : (c, s);
        return (Unit * (((quarter + 1) & 2) != 0 ? -cos : cos), Unit * ((quarter & 2) != 0 ? -sin : sin));
    }

    /// <summary>The same for a register of phases; truncate for cells.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (V Cos, V Sin) Scaled<V>(V turns)
        where V : unmanaged, ILanes<V>
    {
        V magic = V.Broadcast(Magic), unit = V.Broadcast(Unit);
        V shifted = V.Fma(turns, V.Broadcast(4f), magic);
        V r = V.Fma(shifted - magic, V.Broadcast(-0.25f), turns);
        V z = r * r;
        V c = V.Fma(V.Fma(V.Broadcast(C8), z, V.Broadcast(C6)), z, V.Broadcast(C4));
        c = V.Fma(V.Fma(c, z, V.Broadcast(C2)), z, V.Broadcast(1f));
        V p = V.Fma(V.Fma(V.Broadcast(S7), z, V.Broadcast(S5)), z, V.Broadcast(S3));
        V s = V.Fma(r, V.Broadcast(S1), (r * z) * p);
        V odd = V.ShiftLeft(shifted, 31), high = V.ShiftLeft(shifted, 30), swap = V.ShiftRight(odd, 31);
        V valid = V.AtMost(turns & V.BroadcastBits(0x7FFFFFFF), V.Broadcast(LargestTurns));
        // Bit 1 of q + 1 is bit 1 of q, flipped where q is odd.
        V cos = V.ProductWhere(valid, V.FlipSign(V.Select(swap, s, c), high ^ odd), unit);
        V sin = V.ProductWhere(valid, V.FlipSign(V.Select(swap, c, s), high), unit);
        return (cos, sin);
    }
}
