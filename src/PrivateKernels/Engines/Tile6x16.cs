using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>6 x 16 in 12 of the 16 registers of AVX2: two loads and six broadcasts feed 12 steps.</summary>
readonly unsafe struct Tile6x16 : ITile
{
    public static int Rows => 6;

    public static int Columns => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate<TStep>(float* rows, float* columns, nint depth, float* from, float* to)
        where TStep : struct, IStep
    {
        Vector256<float> a00 = At(from, 0), a01 = At(from, 8);
        Vector256<float> a10 = At(from, 16), a11 = At(from, 24);
        Vector256<float> a20 = At(from, 32), a21 = At(from, 40);
        Vector256<float> a30 = At(from, 48), a31 = At(from, 56);
        Vector256<float> a40 = At(from, 64), a41 = At(from, 72);
        Vector256<float> a50 = At(from, 80), a51 = At(from, 88);
        for (float* end = rows + depth * 6; rows != end; rows += 6, columns += 16)
        {
            Vector256<float> y0 = At(columns, 0), y1 = At(columns, 8), x;
            x = Vector256.Create(rows[0]);
            a00 = TStep.Next(a00, x, y0);
            a01 = TStep.Next(a01, x, y1);
            x = Vector256.Create(rows[1]);
            a10 = TStep.Next(a10, x, y0);
            a11 = TStep.Next(a11, x, y1);
            x = Vector256.Create(rows[2]);
            a20 = TStep.Next(a20, x, y0);
            a21 = TStep.Next(a21, x, y1);
            x = Vector256.Create(rows[3]);
            a30 = TStep.Next(a30, x, y0);
            a31 = TStep.Next(a31, x, y1);
            x = Vector256.Create(rows[4]);
            a40 = TStep.Next(a40, x, y0);
            a41 = TStep.Next(a41, x, y1);
            x = Vector256.Create(rows[5]);
            a50 = TStep.Next(a50, x, y0);
            a51 = TStep.Next(a51, x, y1);
        }

        Put(to + 0, a00, a01);
        Put(to + 16, a10, a11);
        Put(to + 32, a20, a21);
        Put(to + 48, a30, a31);
        Put(to + 64, a40, a41);
        Put(to + 80, a50, a51);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AccumulateRow<TStep>(float* row, float* columns, nint depth, float* to)
        where TStep : struct, IStep
    {
        Vector256<float> a0 = Vector256<float>.Zero, a1 = Vector256<float>.Zero;
        for (float* end = row + depth; row != end; row++, columns += 16)
        {
            Vector256<float> x = Vector256.Create(*row);
            a0 = TStep.Next(a0, x, At(columns, 0));
            a1 = TStep.Next(a1, x, At(columns, 8));
        }

        Put(to, a0, a1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> At(float* from, int offset) => Vector256.Load(from + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Put(float* to, Vector256<float> a, Vector256<float> b)
    {
        a.Store(to);
        b.Store(to + 8);
    }
}
