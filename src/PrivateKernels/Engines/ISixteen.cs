using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// Sixteen fp64 sums side by side, whatever the register width: the order of addition is fixed by the sixteen.
/// </summary>
unsafe interface ISixteen<S>
    where S : struct, ISixteen<S>
{
    static abstract S Load(double* from);

    /// <summary>Sixteen floats, converted exactly.</summary>
    static abstract S Widen(float* from);

    static abstract void Store(S value, double* to);

    /// <summary>a b + c, rounded once.</summary>
    static abstract S Fma(S a, S b, S c);
}

/// <summary>Two registers of eight.</summary>
readonly unsafe struct Sixteen512(Vector512<double> a, Vector512<double> b) : ISixteen<Sixteen512>
{
    readonly Vector512<double> _a = a, _b = b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen512 Load(double* from) => new(Vector512.Load(from), Vector512.Load(from + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen512 Widen(float* from) => new(
        Vector512.WidenLower(Vector256.Load(from).ToVector512Unsafe()),
        Vector512.WidenLower(Vector256.Load(from + 8).ToVector512Unsafe()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Sixteen512 value, double* to)
    {
        value._a.Store(to);
        value._b.Store(to + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen512 Fma(Sixteen512 a, Sixteen512 b, Sixteen512 c) =>
        new(Vector512.FusedMultiplyAdd(a._a, b._a, c._a), Vector512.FusedMultiplyAdd(a._b, b._b, c._b));
}

/// <summary>Four registers of four.</summary>
readonly unsafe struct Sixteen256(Vector256<double> a, Vector256<double> b, Vector256<double> c, Vector256<double> d)
    : ISixteen<Sixteen256>
{
    readonly Vector256<double> _a = a, _b = b, _c = c, _d = d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen256 Load(double* from) =>
        new(Vector256.Load(from), Vector256.Load(from + 4), Vector256.Load(from + 8), Vector256.Load(from + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen256 Widen(float* from)
    {
        Vector256<float> x = Vector256.Load(from), y = Vector256.Load(from + 8);
        return new(Vector256.WidenLower(x), Vector256.WidenUpper(x), Vector256.WidenLower(y), Vector256.WidenUpper(y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Sixteen256 value, double* to)
    {
        value._a.Store(to);
        value._b.Store(to + 4);
        value._c.Store(to + 8);
        value._d.Store(to + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Sixteen256 Fma(Sixteen256 a, Sixteen256 b, Sixteen256 c) => new(
        Vector256.FusedMultiplyAdd(a._a, b._a, c._a), Vector256.FusedMultiplyAdd(a._b, b._b, c._b),
        Vector256.FusedMultiplyAdd(a._c, b._c, c._c), Vector256.FusedMultiplyAdd(a._d, b._d, c._d));
}
