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
        Vector256<float> a00 = Vector256.Load(from + 0);
        Vector256<float> a01 = Vector256.Load(from + 8);
        Vector256<float> a10 = Vector256.Load(from + 16);
        Vector256<float> a11 = Vector256.Load(from + 24);
        Vector256<float> a20 = Vector256.Load(from + 32);
        Vector256<float> a21 = Vector256.Load(from + 40);
        Vector256<float> a30 = Vector256.Load(from + 48);
        Vector256<float> a31 = Vector256.Load(from + 56);
        Vector256<float> a40 = Vector256.Load(from + 64);
        Vector256<float> a41 = Vector256.Load(from + 72);
        Vector256<float> a50 = Vector256.Load(from + 80);
        Vector256<float> a51 = Vector256.Load(from + 88);
        for (float* end = rows + depth * 6; rows != end; rows += 6, columns += 16)
        {
            Vector256<float> y0 = Vector256.Load(columns); Vector256<float> y1 = Vector256.Load(columns + 8);
            Vector256<float> x = Vector256.Create(rows[0]);
            (a00, a01) = (TStep.Next(a00, x, y0), TStep.Next(a01, x, y1));
            x = Vector256.Create(rows[1]);
            (a10, a11) = (TStep.Next(a10, x, y0), TStep.Next(a11, x, y1));
            x = Vector256.Create(rows[2]);
            (a20, a21) = (TStep.Next(a20, x, y0), TStep.Next(a21, x, y1));
            x = Vector256.Create(rows[3]);
            (a30, a31) = (TStep.Next(a30, x, y0), TStep.Next(a31, x, y1));
            x = Vector256.Create(rows[4]);
            (a40, a41) = (TStep.Next(a40, x, y0), TStep.Next(a41, x, y1));
            x = Vector256.Create(rows[5]);
            (a50, a51) = (TStep.Next(a50, x, y0), TStep.Next(a51, x, y1));
        }

        a00.Store(to + 0);
        a01.Store(to + 8);
        a10.Store(to + 16);
        a11.Store(to + 24);
        a20.Store(to + 32);
        a21.Store(to + 40);
        a30.Store(to + 48);
        a31.Store(to + 56);
        a40.Store(to + 64);
        a41.Store(to + 72);
        a50.Store(to + 80);
        a51.Store(to + 88);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AccumulateRow<TStep>(float* row, float* columns, nint depth, float* to)
        where TStep : struct, IStep
    {
        Vector256<float> a0 = Vector256<float>.Zero, a1 = Vector256<float>.Zero;
        for (float* end = row + depth; row != end; row++, columns += 16)
        {
            Vector256<float> x = Vector256.Create(*row);
            a0 = TStep.Next(a0, x, Vector256.Load(columns));
            a1 = TStep.Next(a1, x, Vector256.Load(columns + 8));
        }

        a0.Store(to);
        a1.Store(to + 8);
    }
}
