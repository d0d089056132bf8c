using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the exact-sum programs; buffers of points and queries hold whole tiles of 128.</summary>
public struct ExactSumArguments
{
    /// <summary>[point][Stride] coordinates, padded with zeros to a multiple of eight.</summary>
    public ArrayView<F4> Points;

    /// <summary>[query][Stride] likewise.</summary>
    public ArrayView<F4> Queries;

    /// <summary>[chunk of 2048 points][query] sums; overwritten.</summary>
    public ArrayView<float> Sums;

    public int PointCount;

    public int QueryCount;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>Constant of the profile.</summary>
    public float Scale;
}

/// <summary>
/// Exact sums of f(x, y) over points, for every query: distances in register tiles, the profile on top of them. One
/// group per (chunk of 2048 points, tile of 128 queries); no fp32 sum has more than 16 + 8 + 16 terms in a row.
/// </summary>
public static class ExactSumPrograms
{
    public const int PointsPerChunk = 2048;

    const int Size = TileProduct.Size, ThreadRows = 16;

    public static void SumL1(ExactSumArguments arguments) => Sum<AbsoluteStep, IdentityProfile>(arguments);

    public static void SumSquaredL2(ExactSumArguments arguments) => Sum<SquareStep, IdentityProfile>(arguments);

    public static void SumProducts(ExactSumArguments arguments) => Sum<ProductStep, IdentityProfile>(arguments);

    public static void SumL2(ExactSumArguments arguments) => Sum<SquareStep, RootProfile>(arguments);

    public static void SumGaussian(ExactSumArguments arguments) => Sum<SquareStep, ExpProfile>(arguments);

    public static void SumLaplacian(ExactSumArguments arguments) => Sum<AbsoluteStep, ExpProfile>(arguments);

    public static void SumExponential(ExactSumArguments arguments) => Sum<SquareStep, ExpRootProfile>(arguments);

    public static void SumMatern32(ExactSumArguments arguments) => Sum<SquareStep, Matern32Profile>(arguments);

    public static void SumMatern52(ExactSumArguments arguments) => Sum<SquareStep, Matern52Profile>(arguments);

    public static void SumCauchy(ExactSumArguments arguments) => Sum<SquareStep, InverseProfile>(arguments);

    public static void SumInverseL1(ExactSumArguments arguments) => Sum<AbsoluteStep, InverseProfile>(arguments);

    public static void SumInverseL2(ExactSumArguments arguments) => Sum<SquareStep, InverseRootProfile>(arguments);

    public static void SumInverseMultiquadric(ExactSumArguments arguments) =>
        Sum<SquareStep, RootInverseProfile>(arguments);

    static void Sum<TStep, TProfile>(ExactSumArguments arguments)
        where TStep : struct, ITileStep
        where TProfile : struct, IDeviceProfile
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        var sums = SharedMemory.Allocate<float>(ThreadRows * Size);
        int chunks = (arguments.PointCount + PointsPerChunk - 1) / PointsPerChunk;
        int chunk = Grid.IdxX % chunks, column = Grid.IdxX / chunks * Size;
        int end = IntrinsicMath.Min(arguments.PointCount, (chunk + 1) * PointsPerChunk);
        Row8 total = default;
        for (int row = chunk * PointsPerChunk; row < end; row += Size)
        {
            Tile tile = TileProduct.Of<TStep>(
                arguments.Points, arguments.Queries, arguments.Stride, panels, row, column);
            total = total.Plus(Columns<TProfile>(tile, arguments.Scale, end - row - Group.IdxX / 16 * 4));
        }
        int place = Group.IdxX / 16 * Size + Group.IdxX % 16 * 4;
        Store(sums, place, total.A, total.B, total.C, total.D);
        Store(sums, place + 64, total.E, total.F, total.G, total.H);
        Group.Barrier();
        int query = column + Group.IdxX;
        if (Group.IdxX < Size && query < arguments.QueryCount)
        {
            float sum = 0f;
            for (int row = 0; row < ThreadRows; row++) sum += sums[row * Size + Group.IdxX];
            arguments.Sums[chunk * arguments.QueryCount + query] = sum;
        }
    }

    /// <summary>Sums of the thread's eight columns over its eight rows; rows past the last point add nothing.</summary>
    static Row8 Columns<TProfile>(Tile t, float scale, int left)
        where TProfile : struct, IDeviceProfile =>
        Values<TProfile>(t.R0, scale, left > 0).Plus(Values<TProfile>(t.R1, scale, left > 1))
            .Plus(Values<TProfile>(t.R2, scale, left > 2)).Plus(Values<TProfile>(t.R3, scale, left > 3))
            .Plus(Values<TProfile>(t.R4, scale, left > 64)).Plus(Values<TProfile>(t.R5, scale, left > 65))
            .Plus(Values<TProfile>(t.R6, scale, left > 66)).Plus(Values<TProfile>(t.R7, scale, left > 67));

    static Row8 Values<TProfile>(Row8 s, float scale, bool isPoint)
        where TProfile : struct, IDeviceProfile => new()
        {
            A = Value<TProfile>(s.A, scale, isPoint),
            B = Value<TProfile>(s.B, scale, isPoint),
            C = Value<TProfile>(s.C, scale, isPoint),
            D = Value<TProfile>(s.D, scale, isPoint),
            E = Value<TProfile>(s.E, scale, isPoint),
            F = Value<TProfile>(s.F, scale, isPoint),
            G = Value<TProfile>(s.G, scale, isPoint),
            H = Value<TProfile>(s.H, scale, isPoint),
        };

    static float Value<TProfile>(float s, float scale, bool isPoint)
        where TProfile : struct, IDeviceProfile
    {
        TProfile profile = default;
        float value = profile.Of(s, scale);
        return isPoint ? value : 0f;
    }

    static void Store(ArrayView<float> sums, int place, float a, float b, float c, float d)
    {
        sums[place] = a;
        sums[place + 1] = b;
        sums[place + 2] = c;
        sums[place + 3] = d;
    }
}
