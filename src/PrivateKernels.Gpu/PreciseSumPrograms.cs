using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the fp64 programs of exact sums.</summary>
public struct PreciseSumArguments
{
    /// <summary>[point][Stride] coordinates, padded with zeros.</summary>
    public ArrayView<float> Points;

    /// <summary>[query][Stride] likewise.</summary>
    public ArrayView<float> Queries;

    /// <summary>[chunk][query] sums; overwritten.</summary>
    public ArrayView<double> Sums;

    public int PointCount;

    public int QueryCount;

    /// <summary>Coordinates per row, a multiple of eight.</summary>
    public int Stride;

    /// <summary>Bandwidth of the function.</summary>
    public double Bandwidth;

    /// <summary>Exponent of the function.</summary>
    public double Exponent;
}

/// <summary>What a pair of points has in common so far.</summary>
public struct PairSums
{
    /// <summary>Distance or inner product.</summary>
    public double S;

    /// <summary>|x|^2.</summary>
    public double X;

    /// <summary>|y|^2.</summary>
    public double Y;
}

/// <summary>A pair function in fp64: what a coordinate adds, and the value at the end.</summary>
public interface IPreciseFunction
{
    PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments);

    double Of(PairSums sums, PreciseSumArguments arguments);
}

/// <summary>(1 + |x - y|^2 / h^2)^(-b).</summary>
public struct RationalQuadraticFunction : IPreciseFunction
{
    public readonly PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments)
    {
        double z = x - y;
        return new() { S = Fused.Fma(z, z, sums.S) };
    }

    public readonly double Of(PairSums sums, PreciseSumArguments arguments)
    {
        double s = sums.S / (arguments.Bandwidth * arguments.Bandwidth);
        return PreciseMath.Exp2(-arguments.Exponent * PreciseMath.Log2(1 + s));
    }
}

/// <summary>Sum over coordinates of |x - y|^p.</summary>
public struct PowerFunction : IPreciseFunction
{
    public readonly PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments)
    {
        double z = x - y, size = z < 0 ? -z : z, square = z * z, power;
        if (arguments.Exponent == 4) power = square * square;
        else if (arguments.Exponent == 6) power = square * square * square;
        else power = size > 0 ? PreciseMath.Exp2(arguments.Exponent * PreciseMath.Log2(size > 0 ? size : 1)) : 0;
        return new() { S = sums.S + power };
    }

    public readonly double Of(PairSums sums, PreciseSumArguments arguments) => sums.S;
}

/// <summary>1 - theta / pi.</summary>
public struct ArcCosine0Function : IPreciseFunction
{
    public readonly PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments) =>
        Angles.Add(sums, x, y);

    public readonly double Of(PairSums sums, PreciseSumArguments arguments) =>
        Angles.AreBoth(sums) * Angles.Rest(Angles.Cosine(sums)) / Angles.Pi;
}

/// <summary>(sin theta + (pi - theta) cos theta) / pi.</summary>
public struct ArcCosine1Function : IPreciseFunction
{
    public readonly PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments) =>
        Angles.Add(sums, x, y);

    public readonly double Of(PairSums sums, PreciseSumArguments arguments)
    {
        double cosine = Angles.Cosine(sums);
        return Angles.AreBoth(sums) * Angles.ArcCosine1(cosine, Angles.Rest(cosine));
    }
}

/// <summary>(arc_cosine_1 + cos theta arc_cosine_0) / 2.</summary>
public struct NtkRelu1Function : IPreciseFunction
{
    public readonly PairSums Add(PairSums sums, double x, double y, PreciseSumArguments arguments) =>
        Angles.Add(sums, x, y);

    public readonly double Of(PairSums sums, PreciseSumArguments arguments)
    {
        double cosine = Angles.Cosine(sums);
        double rest = Angles.Rest(cosine);
        return Angles.AreBoth(sums) * 0.5 * Fused.Fma(cosine, rest / Angles.Pi, Angles.ArcCosine1(cosine, rest));
    }
}

/// <summary>Functions of the angle between two vectors, from their inner product and lengths.</summary>
public static class Angles
{
    public const double Pi = 3.14159265358979323846;

    // Far below the square of any coordinate but 0.
    const double Least = 1e-60;

    public static PairSums Add(PairSums sums, double x, double y) =>
        new() { S = Fused.Fma(x, y, sums.S), X = Fused.Fma(x, x, sums.X), Y = Fused.Fma(y, y, sums.Y) };

    /// <summary>1 if neither vector is 0, otherwise 0: a factor, because LLVM 18 stumbles over a branch round the roots.</summary>
    public static double AreBoth(PairSums sums) => (sums.X > 0 ? 1.0 : 0.0) * (sums.Y > 0 ? 1.0 : 0.0);

    /// <summary>The cosine, perhaps a digit beyond 1; 0 if a vector is 0.</summary>
    public static double Cosine(PairSums sums)
    {
        return sums.S / (Math.Sqrt(sums.X + Least) * Math.Sqrt(sums.Y + Least));
    }

    public static double ArcCosine1(double cosine, double rest) =>
        Fused.Fma(rest, cosine, Math.Sqrt(Positive(1 - cosine) * Positive(1 + cosine))) / Pi;

    /// <summary>pi - theta, exact to the last digits where it is small.</summary>
    public static double Rest(double cosine) =>
        2 * PreciseMath.Angle(Math.Sqrt(Positive(1 + cosine)), Math.Sqrt(Positive(1 - cosine)));

    static double Positive(double x) => x > 0 ? x : 0;
}

/// <summary>
/// Exact sums in fp64 for functions that fp32 cannot carry: powers and angles. One group per (chunk of 512 points, sixteen
/// queries), a pair per thread, sixteen coordinates at a time through shared memory.
/// </summary>
public static class PreciseSumPrograms
{
    public const int Side = 16, Threads = Side * Side, PointsPerChunk = 512;

    public static void SumRationalQuadratic(PreciseSumArguments arguments) => Sum<RationalQuadraticFunction>(arguments);

    public static void SumPowers(PreciseSumArguments arguments) => Sum<PowerFunction>(arguments);

    public static void SumArcCosine0(PreciseSumArguments arguments) => Sum<ArcCosine0Function>(arguments);

    public static void SumArcCosine1(PreciseSumArguments arguments) => Sum<ArcCosine1Function>(arguments);

    public static void SumNtkRelu1(PreciseSumArguments arguments) => Sum<NtkRelu1Function>(arguments);

    static void Sum<TFunction>(PreciseSumArguments arguments)
        where TFunction : struct, IPreciseFunction
    {
        // One word between lines keeps the threads of a warp in different banks.
        var points = SharedMemory.Allocate<float>(Side * (Side + 1));
        var queries = SharedMemory.Allocate<float>(Side * (Side + 1));
        var partial = SharedMemory.Allocate<double>(Threads);
        TFunction function = default;
        int chunks = (arguments.PointCount + PointsPerChunk - 1) / PointsPerChunk;
        int chunk = Grid.IdxX % chunks, firstQuery = Grid.IdxX / chunks * Side;
        int row = Group.IdxX / Side, column = Group.IdxX % Side, line = row * (Side + 1);
        int end = IntrinsicMath.Min(arguments.PointCount, (chunk + 1) * PointsPerChunk);
        double total = 0;
        for (int first = chunk * PointsPerChunk; first < end; first += Side)
        {
            PairSums sums = default;
            for (int from = 0; from < arguments.Stride; from += Side)
            {
                bool inside = from + column < arguments.Stride;
                points[line + column] = inside && first + row < end
                    ? arguments.Points[(long)(first + row) * arguments.Stride + from + column] : 0f;
                queries[line + column] = inside && firstQuery + row < arguments.QueryCount
                    ? arguments.Queries[(long)(firstQuery + row) * arguments.Stride + from + column] : 0f;
                Group.Barrier();
                for (int k = 0; k < Side; k++)
                    sums = function.Add(sums, points[line + k], queries[column * (Side + 1) + k], arguments);
                Group.Barrier();
            }
            double value = function.Of(sums, arguments);
            total += first + row < end ? value : 0;
        }
        partial[Group.IdxX] = total;
        Group.Barrier();
        if (row == 0 && firstQuery + column < arguments.QueryCount)
        {
            double sum = 0;
            for (int r = 0; r < Side; r++) sum += partial[r * Side + column];
            arguments.Sums[(long)chunk * arguments.QueryCount + firstQuery + column] = sum;
        }
    }
}
