using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>A profile f(s) for registers, with one fp32 constant of the function.</summary>
interface IProfile
{
    static abstract V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V>;
}

/// <summary>
/// Fast forms of <see cref="PairFunction.Profile"/>. In relative terms they are off by at most 3e-7 plus what the
/// rounding of s and of the constant to fp32 does to the exact profile.
/// </summary>
static unsafe class Profiles
{
    /// <summary>2^120: the reciprocal of anything larger is 0, so that no engine meets subnormal numbers.</summary>
    public const float LargestDivisor = 1.32922800e36f;

    /// <summary>values[i] = f(values[i]); the length is a multiple of sixteen.</summary>
    public static void Apply<TProfile>(Span<float> values, double scale)
        where TProfile : struct, IProfile
    {
        ref float first = ref MemoryMarshal.GetReference(values);
        fixed (float* v = &first)
        {
            if (Vector512.IsHardwareAccelerated) Apply<TProfile, Lanes16>(v, values.Length, (float)scale);
            else Apply<TProfile, Lanes8>(v, values.Length, (float)scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Apply<TProfile, V>(float* values, int count, float scale)
        where TProfile : struct, IProfile
        where V : unmanaged, ILanes<V>
    {
        V factor = V.Broadcast(scale);
        for (int i = 0; i < count; i += V.Count) V.Store(TProfile.At(V.Load(values + i), factor), values + i);
    }

    /// <summary>
    /// exp(-factor v) for v at least 0, and 0 below 2^-125: minimax polynomial over half a power of two.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpOfMinus<V>(V v, V factor)
        where V : unmanaged, ILanes<V>
    {
        V rate = V.Broadcast(-1.44269504f) * factor, magic = V.Broadcast(Phase.Magic);
        V shifted = V.Fma(v, rate, magic);
        V r = V.Fma(v, rate, magic - shifted);
        V p = V.Fma(V.Broadcast(0.000154628753f), r, V.Broadcast(0.00133909844f));
        p = V.Fma(V.Fma(p, r, V.Broadcast(0.00961806253f)), r, V.Broadcast(0.0555035956f));
        p = V.Fma(V.Fma(p, r, V.Broadcast(0.240226507f)), r, V.Broadcast(0.693147182f));
        p = V.Fma(p, r, V.Broadcast(1f));
        // The shift pushes out the magic number and leaves the integer in the exponent field: times a power of two.
        V y = V.AddIntegers(p, V.ShiftLeft(shifted, 23));
        return y & V.AtMost(V.Broadcast(-125f), v * rate);
    }
}

/// <summary>c sqrt s.</summary>
readonly struct RootProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => V.Sqrt(s) * scale;
}

/// <summary>exp(-c s).</summary>
readonly struct ExpProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => Profiles.ExpOfMinus(s, scale);
}

/// <summary>exp(-c sqrt s).</summary>
readonly struct ExpRootProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => Profiles.ExpOfMinus(V.Sqrt(s), scale);
}

/// <summary>(1 + r) exp(-r), r = c sqrt s.</summary>
readonly struct Matern32Profile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V>
    {
        V root = V.Sqrt(s);
        return V.Fma(root, scale, V.Broadcast(1f)) * Profiles.ExpOfMinus(root, scale);
    }
}

/// <summary>(1 + r + r^2 / 3) exp(-r), r = c sqrt s.</summary>
readonly struct Matern52Profile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V>
    {
        // Beyond 1000 the exponential is 0; its factor must not become infinite.
        V root = V.Sqrt(s), r = V.Min(root * scale, V.Broadcast(1000f)), one = V.Broadcast(1f);
        return V.Fma(r, V.Fma(r, V.Broadcast(1f / 3), one), one) * Profiles.ExpOfMinus(root, scale);
    }
}

/// <summary>1 / (1 + c s).</summary>
readonly struct InverseProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V>
    {
        V w = V.Fma(s, scale, V.Broadcast(1f));
        return (V.Broadcast(1f) / w) & V.AtMost(w, V.Broadcast(Profiles.LargestDivisor));
    }
}

/// <summary>1 / (1 + c sqrt s).</summary>
readonly struct InverseRootProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => V.Broadcast(1f) / V.Fma(V.Sqrt(s), scale, V.Broadcast(1f));
}

/// <summary>1 / sqrt(1 + c s).</summary>
readonly struct RootInverseProfile : IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => V.Broadcast(1f) / V.Sqrt(V.Fma(s, scale, V.Broadcast(1f)));
}
