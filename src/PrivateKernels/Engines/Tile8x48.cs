using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>8 x 48 in 24 of the 32 registers of AVX-512: three loads and eight broadcasts feed 24 steps.</summary>
readonly unsafe struct Tile8x48 : ITile
{
    public static int Rows => 8;

    public static int Columns => 48;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate<TStep>(float* rows, float* columns, nint depth, float* from, float* to)
        where TStep : struct, IStep
    {
        Vector512<float> a00 = At(from, 0), a01 = At(from, 16), a02 = At(from, 32);
        Vector512<float> a10 = At(from, 48), a11 = At(from, 64), a12 = At(from, 80);
        Vector512<float> a20 = At(from, 96), a21 = At(from, 112), a22 = At(from, 128);
        Vector512<float> a30 = At(from, 144), a31 = At(from, 160), a32 = At(from, 176);
        Vector512<float> a40 = At(from, 192), a41 = At(from, 208), a42 = At(from, 224);
        Vector512<float> a50 = At(from, 240), a51 = At(from, 256), a52 = At(from, 272);
        Vector512<float> a60 = At(from, 288), a61 = At(from, 304), a62 = At(from, 320);
        Vector512<float> a70 = At(from, 336), a71 = At(from, 352), a72 = At(from, 368);
        for (float* end = rows + depth * 8; rows != end; rows += 8, columns += 48)
        {
            Vector512<float> y0 = At(columns, 0), y1 = At(columns, 16), y2 = At(columns, 32), x;
            x = Vector512.Create(rows[0]);
            a00 = TStep.Next(a00, x, y0);
            a01 = TStep.Next(a01, x, y1);
            a02 = TStep.Next(a02, x, y2);
            x = Vector512.Create(rows[1]);
            a10 = TStep.Next(a10, x, y0);
            a11 = TStep.Next(a11, x, y1);
            a12 = TStep.Next(a12, x, y2);
            x = Vector512.Create(rows[2]);
            a20 = TStep.Next(a20, x, y0);
            a21 = TStep.Next(a21, x, y1);
            a22 = TStep.Next(a22, x, y2);
            x = Vector512.Create(rows[3]);
            a30 = TStep.Next(a30, x, y0);
            a31 = TStep.Next(a31, x, y1);
            a32 = TStep.Next(a32, x, y2);
            x = Vector512.Create(rows[4]);
            a40 = TStep.Next(a40, x, y0);
            a41 = TStep.Next(a41, x, y1);
            a42 = TStep.Next(a42, x, y2);
            x = Vector512.Create(rows[5]);
            a50 = TStep.Next(a50, x, y0);
            a51 = TStep.Next(a51, x, y1);
            a52 = TStep.Next(a52, x, y2);
            x = Vector512.Create(rows[6]);
            a60 = TStep.Next(a60, x, y0);
            a61 = TStep.Next(a61, x, y1);
            a62 = TStep.Next(a62, x, y2);
            x = Vector512.Create(rows[7]);
            a70 = TStep.Next(a70, x, y0);
            a71 = TStep.Next(a71, x, y1);
            a72 = TStep.Next(a72, x, y2);
        }

        Put(to + 0, a00, a01, a02);
        Put(to + 48, a10, a11, a12);
        Put(to + 96, a20, a21, a22);
        Put(to + 144, a30, a31, a32);
        Put(to + 192, a40, a41, a42);
        Put(to + 240, a50, a51, a52);
        Put(to + 288, a60, a61, a62);
        Put(to + 336, a70, a71, a72);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AccumulateRow<TStep>(float* row, float* columns, nint depth, float* to)
        where TStep : struct, IStep
    {
        Vector512<float> a0 = Vector512<float>.Zero, a1 = Vector512<float>.Zero, a2 = Vector512<float>.Zero;
        for (float* end = row + depth; row != end; row++, columns += 48)
        {
            Vector512<float> x = Vector512.Create(*row);
            a0 = TStep.Next(a0, x, At(columns, 0));
            a1 = TStep.Next(a1, x, At(columns, 16));
            a2 = TStep.Next(a2, x, At(columns, 32));
        }

        Put(to, a0, a1, a2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> At(float* from, int offset) => Vector512.Load(from + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Put(float* to, Vector512<float> a, Vector512<float> b, Vector512<float> c)
    {
        a.Store(to);
        b.Store(to + 16);
        c.Store(to + 32);
    }
}
