using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the exact-sum programs; buffers of points and queries hold whole tiles of 128.</summary>
public struct ExactSumArguments
{
    /// <summary>[point][Stride] coordinates, padded with zeros to a multiple of eight.</summary>
    public ArrayView<F4> Points;

    /// <summary>[query][Stride] likewise.</summary>
    public ArrayView<F4> Queries;

    /// <summary>[point] squared lengths, for the programs that need them, whole tiles too.</summary>
    public ArrayView<F4> PointNorms;

    /// <summary>[query] likewise.</summary>
    public ArrayView<F4> QueryNorms;

    /// <summary>[chunk of 2048 points][query] sums; overwritten.</summary>
    public ArrayView<float> Sums;

    public int PointCount;

    public int QueryCount;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>Constant of the profile.</summary>
    public float Scale;

    /// <summary>0, which no compiler knows.</summary>
    public float Zero;
}

/// <summary>
/// Exact sums of f(x, y) over points, for every query: distances in register tiles, the profile on top of them. One
/// group per (chunk of 2048 points, tile of 128 queries); no fp32 sum has more than 16 + 8 + 16 terms in a row. The programs
/// named Expanded take points and queries that are centred, with their norms.
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

    public static void SumGaussianExpanded(ExactSumArguments arguments) => SumExpanded<ExpProfile>(arguments);

    public static void SumMatern32Expanded(ExactSumArguments arguments) => SumExpanded<Matern32Profile>(arguments);

    public static void SumMatern52Expanded(ExactSumArguments arguments) => SumExpanded<Matern52Profile>(arguments);

    public static void SumCauchyExpanded(ExactSumArguments arguments) => SumExpanded<InverseProfile>(arguments);

    public static void SumInverseMultiquadricExpanded(ExactSumArguments arguments) =>
        SumExpanded<RootInverseProfile>(arguments);

    static void Sum<TStep, TProfile>(ExactSumArguments arguments)
        where TStep : struct, ITileStep
        where TProfile : struct, IDeviceProfile => Sum<TStep, SumsThemselves, TProfile>(arguments);

    static void SumExpanded<TProfile>(ExactSumArguments arguments)
        where TProfile : struct, IDeviceProfile => Sum<ProductStep, SquaresOfProducts, TProfile>(arguments);

    static void Sum<TStep, TForm, TProfile>(ExactSumArguments arguments)
        where TStep : struct, ITileStep
        where TForm : struct, ISumForm
        where TProfile : struct, IDeviceProfile
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        var sums = SharedMemory.Allocate<float>(ThreadRows * Size);
        int chunks = (arguments.PointCount + PointsPerChunk - 1) / PointsPerChunk;
        int chunk = Grid.IdxX % chunks, column = Grid.IdxX / chunks * Size;
        int end = IntrinsicMath.Min(arguments.PointCount, (chunk + 1) * PointsPerChunk);
        int place = Group.IdxX / 16 * Size + Group.IdxX % 16 * 4;
        // The thread's sums wait in shared memory: the tile needs the registers.
        for (int i = 0; i < 4; i++)
        {
            sums[place + i] = 0f;
            sums[place + i + 64] = 0f;
        }
        for (int row = chunk * PointsPerChunk; row < end; row += Size)
        {
            Tile tile = TileProduct.Of<TStep>(
                arguments.Points, arguments.Queries, arguments.Stride, panels, row, column);
            AddColumns<TForm, TProfile>(
                arguments, sums, place, tile, row + Group.IdxX / 16 * 4, column + Group.IdxX % 16 * 4, end);
        }
        Group.Barrier();
        int query = column + Group.IdxX;
        if (Group.IdxX < Size && query < arguments.QueryCount)
        {
            float sum = 0f;
            for (int row = 0; row < ThreadRows; row++) sum += sums[row * Size + Group.IdxX];
            arguments.Sums[chunk * arguments.QueryCount + query] = sum;
        }
    }

    /// <summary>Adds the thread's eight columns over its eight rows; rows past the last point add nothing.</summary>
    static void AddColumns<TForm, TProfile>(
        ExactSumArguments arguments, ArrayView<float> sums, int place, Tile t, int row, int column, int end)
        where TForm : struct, ISumForm
        where TProfile : struct, IDeviceProfile
    {
        TForm form = default;
        Row8 n = form.Rows(arguments, row);
        int left = end - row;
        float last = arguments.Zero;
        F4 near = form.Columns(arguments, column);
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, near.X, t.R0.A, t.R1.A, t.R2.A, t.R3.A, t.R4.A, t.R5.A, t.R6.A, t.R7.A);
        sums[place] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, near.Y, t.R0.B, t.R1.B, t.R2.B, t.R3.B, t.R4.B, t.R5.B, t.R6.B, t.R7.B);
        sums[place + 1] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, near.Z, t.R0.C, t.R1.C, t.R2.C, t.R3.C, t.R4.C, t.R5.C, t.R6.C, t.R7.C);
        sums[place + 2] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, near.W, t.R0.D, t.R1.D, t.R2.D, t.R3.D, t.R4.D, t.R5.D, t.R6.D, t.R7.D);
        sums[place + 3] += last;
        F4 far = form.Columns(arguments, column + 64);
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, far.X, t.R0.E, t.R1.E, t.R2.E, t.R3.E, t.R4.E, t.R5.E, t.R6.E, t.R7.E);
        sums[place + 64] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, far.Y, t.R0.F, t.R1.F, t.R2.F, t.R3.F, t.R4.F, t.R5.F, t.R6.F, t.R7.F);
        sums[place + 65] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, far.Z, t.R0.G, t.R1.G, t.R2.G, t.R3.G, t.R4.G, t.R5.G, t.R6.G, t.R7.G);
        sums[place + 66] += last;
        last = Sum<TForm, TProfile>(
            arguments, last, left, n, far.W, t.R0.H, t.R1.H, t.R2.H, t.R3.H, t.R4.H, t.R5.H, t.R6.H, t.R7.H);
        sums[place + 67] += last;
    }

    /// <summary>Sum of one column over the thread's rows.</summary>
    static float Sum<TForm, TProfile>(
        ExactSumArguments arguments, float last, int left, Row8 norms, float norm,
        float t0, float t1, float t2, float t3, float t4, float t5, float t6, float t7)
        where TForm : struct, ISumForm
        where TProfile : struct, IDeviceProfile
    {
        TForm form = default;
        float sum = Value<TProfile>(arguments, form.Of(t0, norms.A, norm), left > 0, last);
        sum += Value<TProfile>(arguments, form.Of(t1, norms.B, norm), left > 1, sum);
        sum += Value<TProfile>(arguments, form.Of(t2, norms.C, norm), left > 2, sum);
        sum += Value<TProfile>(arguments, form.Of(t3, norms.D, norm), left > 3, sum);
        sum += Value<TProfile>(arguments, form.Of(t4, norms.E, norm), left > 64, sum);
        sum += Value<TProfile>(arguments, form.Of(t5, norms.F, norm), left > 65, sum);
        sum += Value<TProfile>(arguments, form.Of(t6, norms.G, norm), left > 66, sum);
        return sum + Value<TProfile>(arguments, form.Of(t7, norms.H, norm), left > 67, sum);
    }

    static float Value<TProfile>(ExactSumArguments arguments, float s, bool isPoint, float before)
        where TProfile : struct, IDeviceProfile
    {
        TProfile profile = default;
        // Adds zero times a finite number: an assembler that took several long profiles at once would spill registers.
        if (profile.IsLong) s = Fused.Fma(before, arguments.Zero, s);
        float value = profile.Of(s, arguments.Scale);
        return isPoint ? value : 0f;
    }
}
