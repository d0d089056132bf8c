using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>A tile of accumulators that stays in registers: Rows records by Columns frequencies (or points).</summary>
unsafe interface ITile
{
    static abstract int Rows { get; }

    static abstract int Columns { get; }

    /// <summary>
    /// to[r Columns + c] = from[r Columns + c] followed by one step per k = 0 .. depth - 1, rising, with rows[k Rows +
    /// r] and columns[k Columns + c]. One accumulator each: the sum is the same chain on every engine.
    /// </summary>
    static abstract void Accumulate<TStep>(float* rows, float* columns, nint depth, float* from, float* to)
        where TStep : struct, IStep;

    /// <summary>The same chain for a single row of consecutive values.</summary>
    static abstract void AccumulateRow<TStep>(float* row, float* columns, nint depth, float* to)
        where TStep : struct, IStep;
}

/// <summary>What a pair of coordinates adds to an accumulator.</summary>
interface IStep
{
    static abstract Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y);

    static abstract Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y);
}

/// <summary>fma(x, y, sum): an inner product.</summary>
readonly struct ProductStep : IStep
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y) =>
        Vector512.FusedMultiplyAdd(x, y, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y) =>
        Vector256.FusedMultiplyAdd(x, y, sum);
}

/// <summary>sum + (x - y)^2.</summary>
readonly struct SquareStep : IStep
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y)
    {
        Vector512<float> t = y - x;
        return Vector512.FusedMultiplyAdd(t, t, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y)
    {
        Vector256<float> t = y - x;
        return Vector256.FusedMultiplyAdd(t, t, sum);
    }
}

/// <summary>sum + |x - y|.</summary>
readonly struct AbsoluteStep : IStep
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Next(Vector512<float> sum, Vector512<float> x, Vector512<float> y) =>
        sum + Vector512.Abs(y - x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Next(Vector256<float> sum, Vector256<float> x, Vector256<float> y) =>
        sum + Vector256.Abs(y - x);
}
