using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>What one coordinate does to a row of accumulators.</summary>
public interface ITileStep
{
    Row8 Add(Row8 sums, float x, F4 near, F4 far);
}

/// <summary>x y: inner products; one fma chain per accumulator.</summary>
public struct ProductStep : ITileStep
{
    public readonly Row8 Add(Row8 sums, float x, F4 near, F4 far) => new()
    {
        A = Fused.Fma(x, near.X, sums.A),
        B = Fused.Fma(x, near.Y, sums.B),
        C = Fused.Fma(x, near.Z, sums.C),
        D = Fused.Fma(x, near.W, sums.D),
        E = Fused.Fma(x, far.X, sums.E),
        F = Fused.Fma(x, far.Y, sums.F),
        G = Fused.Fma(x, far.Z, sums.G),
        H = Fused.Fma(x, far.W, sums.H),
    };
}

/// <summary>(x - y)^2: squared distances without cancellation.</summary>
public struct SquareStep : ITileStep
{
    public readonly Row8 Add(Row8 sums, float x, F4 near, F4 far) => new()
    {
        A = Add(sums.A, x - near.X),
        B = Add(sums.B, x - near.Y),
        C = Add(sums.C, x - near.Z),
        D = Add(sums.D, x - near.W),
        E = Add(sums.E, x - far.X),
        F = Add(sums.F, x - far.Y),
        G = Add(sums.G, x - far.Z),
        H = Add(sums.H, x - far.W),
    };

    static float Add(float sum, float z) => Fused.Fma(z, z, sum);
}

/// <summary>|x - y|: l1 distances.</summary>
public struct AbsoluteStep : ITileStep
{
    public readonly Row8 Add(Row8 sums, float x, F4 near, F4 far) => new()
    {
        A = Add(sums.A, x - near.X),
        B = Add(sums.B, x - near.Y),
        C = Add(sums.C, x - near.Z),
        D = Add(sums.D, x - near.W),
        E = Add(sums.E, x - far.X),
        F = Add(sums.F, x - far.Y),
        G = Add(sums.G, x - far.Z),
        H = Add(sums.H, x - far.W),
    };

    static float Add(float sum, float z) => sum + Interop.IntAsFloat(Interop.FloatAsInt(z) & 0x7FFFFFFFu);
}

/// <summary>
/// Tiles of 128 x 128 pairs, eight coordinates at a time through double-buffered shared memory: 256 threads with 8 x 8
/// accumulators each, which never leave the registers.
/// </summary>
public static class TileProduct
{
    public const int Size = 128, Threads = 256;

    // Eight coordinates of 128 rows, one coordinate per line; the four words between lines keep stores free of
    // conflicts.
    const int LineF4 = (Size + 4) / 4, PanelF4 = 8 * LineF4;

    // Two panels of the left side, then two of the right.
    const int Right = 2 * PanelF4, RightWords = 4 * Right;

    /// <summary>Shared memory that a tile needs.</summary>
    public const int SharedF4 = 4 * PanelF4;

    /// <summary>
    /// Combines 128 rows of <paramref name="left"/> from <paramref name="row"/> on with 128 of <paramref name="right"/>
    /// from <paramref name="column"/> on, coordinates in rising order. All threads of the group call it together.
    /// </summary>
    /// <param name="left">[row][stride] coordinates, padded with zeros to a multiple of eight.</param>
    /// <param name="right">[column][stride] likewise.</param>
    /// <param name="stride">Groups of four coordinates per row.</param>
    /// <param name="depth">Groups of four coordinates to combine, an even number.</param>
    /// <param name="panels">Shared memory, <see cref="SharedF4"/>.</param>
    /// <param name="row">First row of the tile.</param>
    /// <param name="column">First column of the tile.</param>
    public static Tile Of<TStep>(
        ArrayView<F4> left, ArrayView<F4> right, int stride, int depth, ArrayView<F4> panels, int row, int column)
        where TStep : struct, ITileStep
    {
        int thread = Group.IdxX, ty = thread / 16, tx = thread % 16, half = thread % 2;
        int source = (row + thread / 2) * stride + half, target = (column + thread / 2) * stride + half;
        int steps = depth / 2, place = half * 4 * LineF4 * 4 + thread / 2;
        TStep step = default;
        ArrayView<float> words = panels.Cast<float>();
        F4 x = left[source], w = right[target];
        Transpose(words, place, x);
        Transpose(words, place + RightWords, w);
        Group.Barrier();
        Row8 r0 = default, r1 = default, r2 = default, r3 = default;
        Row8 r4 = default, r5 = default, r6 = default, r7 = default;
        for (int done = 1; done <= steps; done++)
        {
            if (done < steps)
            {
                x = left[source + 2 * done];
                w = right[target + 2 * done];
            }
            int panel = (done & 1) == 0 ? PanelF4 : 0;
            for (int k = 0; k < 8; k++)
            {
                int line = panel + k * LineF4;
                F4 high = panels[line + ty], low = panels[line + 16 + ty];
                F4 near = panels[line + Right + tx], far = panels[line + Right + 16 + tx];
                r0 = step.Add(r0, high.X, near, far);
                r1 = step.Add(r1, high.Y, near, far);
                r2 = step.Add(r2, high.Z, near, far);
                r3 = step.Add(r3, high.W, near, far);
                r4 = step.Add(r4, low.X, near, far);
                r5 = step.Add(r5, low.Y, near, far);
                r6 = step.Add(r6, low.Z, near, far);
                r7 = step.Add(r7, low.W, near, far);
            }
            if (done < steps)
            {
                int other = place + (PanelF4 - panel) * 4;
                Transpose(words, other, x);
                Transpose(words, other + RightWords, w);
            }
            Group.Barrier();
        }
        return new Tile { R0 = r0, R1 = r1, R2 = r2, R3 = r3, R4 = r4, R5 = r5, R6 = r6, R7 = r7 };
    }

    /// <inheritdoc cref="Of{TStep}(ArrayView{F4}, ArrayView{F4}, int, int, ArrayView{F4}, int, int)"/>
    public static Tile Of<TStep>(
        ArrayView<F4> left, ArrayView<F4> right, int stride, ArrayView<F4> panels, int row, int column)
        where TStep : struct, ITileStep => Of<TStep>(left, right, stride, stride, panels, row, column);

    static void Transpose(ArrayView<float> panel, int place, F4 value)
    {
        panel[place] = value.X;
        panel[place + LineF4 * 4] = value.Y;
        panel[place + LineF4 * 8] = value.Z;
        panel[place + LineF4 * 12] = value.W;
    }
}
