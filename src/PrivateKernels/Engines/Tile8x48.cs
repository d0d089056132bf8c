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
        Vector512<float> a00 = Vector512.Load(from + 0);
        Vector512<float> a01 = Vector512.Load(from + 16);
        Vector512<float> a02 = Vector512.Load(from + 32);
        Vector512<float> a10 = Vector512.Load(from + 48);
        Vector512<float> a11 = Vector512.Load(from + 64);
        Vector512<float> a12 = Vector512.Load(from + 80);
        Vector512<float> a20 = Vector512.Load(from + 96);
        Vector512<float> a21 = Vector512.Load(from + 112);
        Vector512<float> a22 = Vector512.Load(from + 128);
        Vector512<float> a30 = Vector512.Load(from + 144);
        Vector512<float> a31 = Vector512.Load(from + 160);
        Vector512<float> a32 = Vector512.Load(from + 176);
        Vector512<float> a40 = Vector512.Load(from + 192);
        Vector512<float> a41 = Vector512.Load(from + 208);
        Vector512<float> a42 = Vector512.Load(from + 224);
        Vector512<float> a50 = Vector512.Load(from + 240);
        Vector512<float> a51 = Vector512.Load(from + 256);
        Vector512<float> a52 = Vector512.Load(from + 272);
        Vector512<float> a60 = Vector512.Load(from + 288);
        Vector512<float> a61 = Vector512.Load(from + 304);
        Vector512<float> a62 = Vector512.Load(from + 320);
        Vector512<float> a70 = Vector512.Load(from + 336);
        Vector512<float> a71 = Vector512.Load(from + 352);
        Vector512<float> a72 = Vector512.Load(from + 368);
        for (float* end = rows + depth * 8; rows != end; rows += 8, columns += 48)
        {
            Vector512<float> y0 = Vector512.Load(columns); Vector512<float> y1 = Vector512.Load(columns + 16);
            Vector512<float> y2 = Vector512.Load(columns + 32);
            Vector512<float> x = Vector512.Create(rows[0]);
            (a00, a01, a02) = (TStep.Next(a00, x, y0), TStep.Next(a01, x, y1), TStep.Next(a02, x, y2));
            x = Vector512.Create(rows[1]);
            (a10, a11, a12) = (TStep.Next(a10, x, y0), TStep.Next(a11, x, y1), TStep.Next(a12, x, y2));
            x = Vector512.Create(rows[2]);
            (a20, a21, a22) = (TStep.Next(a20, x, y0), TStep.Next(a21, x, y1), TStep.Next(a22, x, y2));
            x = Vector512.Create(rows[3]);
            (a30, a31, a32) = (TStep.Next(a30, x, y0), TStep.Next(a31, x, y1), TStep.Next(a32, x, y2));
            x = Vector512.Create(rows[4]);
            (a40, a41, a42) = (TStep.Next(a40, x, y0), TStep.Next(a41, x, y1), TStep.Next(a42, x, y2));
            x = Vector512.Create(rows[5]);
            (a50, a51, a52) = (TStep.Next(a50, x, y0), TStep.Next(a51, x, y1), TStep.Next(a52, x, y2));
            x = Vector512.Create(rows[6]);
            (a60, a61, a62) = (TStep.Next(a60, x, y0), TStep.Next(a61, x, y1), TStep.Next(a62, x, y2));
            x = Vector512.Create(rows[7]);
            (a70, a71, a72) = (TStep.Next(a70, x, y0), TStep.Next(a71, x, y1), TStep.Next(a72, x, y2));
        }

        a00.Store(to + 0);
        a01.Store(to + 16);
        a02.Store(to + 32);
        a10.Store(to + 48);
        a11.Store(to + 64);
        a12.Store(to + 80);
        a20.Store(to + 96);
        a21.Store(to + 112);
        a22.Store(to + 128);
        a30.Store(to + 144);
        a31.Store(to + 160);
        a32.Store(to + 176);
        a40.Store(to + 192);
        a41.Store(to + 208);
        a42.Store(to + 224);
        a50.Store(to + 240);
        a51.Store(to + 256);
        a52.Store(to + 272);
        a60.Store(to + 288);
        a61.Store(to + 304);
        a62.Store(to + 320);
        a70.Store(to + 336);
        a71.Store(to + 352);
        a72.Store(to + 368);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AccumulateRow<TStep>(float* row, float* columns, nint depth, float* to)
        where TStep : struct, IStep
    {
        Vector512<float> a0 = Vector512<float>.Zero, a1 = Vector512<float>.Zero, a2 = Vector512<float>.Zero;
        for (float* end = row + depth; row != end; row++, columns += 48)
        {
            Vector512<float> x = Vector512.Create(*row);
            a0 = TStep.Next(a0, x, Vector512.Load(columns));
            a1 = TStep.Next(a1, x, Vector512.Load(columns + 16));
            a2 = TStep.Next(a2, x, Vector512.Load(columns + 32));
        }

        a0.Store(to);
        a1.Store(to + 16);
        a2.Store(to + 32);
    }
}
