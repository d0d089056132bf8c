using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PrivateKernels;

/// <summary>Matrix transposition by blocks of eight by eight, in registers where the processor can.</summary>
static unsafe class Transposition
{
    /// <summary>to[c toStride + r] = from[r fromStride + c] for r below rows and c below columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* from, nint fromStride, int rows, int columns, float* to, nint toStride)
    {
        int wholeRows = Avx.IsSupported ? rows / 8 * 8 : 0, wholeColumns = Avx.IsSupported ? columns / 8 * 8 : 0;
        for (int r = 0; r < wholeRows; r += 8)
            for (int c = 0; c < wholeColumns; c += 8)
                Block8(from + r * fromStride + c, fromStride, to + c * toStride + r, toStride);
        for (int r = 0; r < rows; r++)
            for (int c = r < wholeRows ? wholeColumns : 0; c < columns; c++)
                to[c * toStride + r] = from[r * fromStride + c];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Block8(float* from, nint stride, float* to, nint toStride)
    {
        Vector256<float> a = Avx.LoadVector256(from), b = Avx.LoadVector256(from + stride);
        Vector256<float> c = Avx.LoadVector256(from + 2 * stride), d = Avx.LoadVector256(from + 3 * stride);
        Vector256<float> e = Avx.LoadVector256(from + 4 * stride), f = Avx.LoadVector256(from + 5 * stride);
        Vector256<float> g = Avx.LoadVector256(from + 6 * stride), h = Avx.LoadVector256(from + 7 * stride);
        (a, b, c, d) = (Avx.UnpackLow(a, b), Avx.UnpackHigh(a, b), Avx.UnpackLow(c, d), Avx.UnpackHigh(c, d));
        (e, f, g, h) = (Avx.UnpackLow(e, f), Avx.UnpackHigh(e, f), Avx.UnpackLow(g, h), Avx.UnpackHigh(g, h));
        // 0x44 takes the low pairs of both operands, 0xEE the high pairs; 0x20 and 0x31 join low and high halves.
        (a, c) = (Avx.Shuffle(a, c, 0x44), Avx.Shuffle(a, c, 0xEE));
        (b, d) = (Avx.Shuffle(b, d, 0x44), Avx.Shuffle(b, d, 0xEE));
        (e, g) = (Avx.Shuffle(e, g, 0x44), Avx.Shuffle(e, g, 0xEE));
        (f, h) = (Avx.Shuffle(f, h, 0x44), Avx.Shuffle(f, h, 0xEE));
        Avx.Permute2x128(a, e, 0x20).Store(to);
        Avx.Permute2x128(c, g, 0x20).Store(to + toStride);
        Avx.Permute2x128(b, f, 0x20).Store(to + 2 * toStride);
        Avx.Permute2x128(d, h, 0x20).Store(to + 3 * toStride);
        Avx.Permute2x128(a, e, 0x31).Store(to + 4 * toStride);
        Avx.Permute2x128(c, g, 0x31).Store(to + 5 * toStride);
        Avx.Permute2x128(b, f, 0x31).Store(to + 6 * toStride);
        Avx.Permute2x128(d, h, 0x31).Store(to + 7 * toStride);
    }
}
