using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>How the numbers of a tile become those that a profile takes.</summary>
public interface ISumForm
{
    /// <summary>What belongs to the thread's eight points, <paramref name="row"/> .. <paramref name="row"/> + 3 and 64 higher.</summary>
    Row8 Rows(ExactSumArguments arguments, int row);

    /// <summary>What belongs to four queries, from a multiple of four on.</summary>
    F4 Columns(ExactSumArguments arguments, int query);

    /// <summary>The number of a pair from what the tile has of it.</summary>
    float Of(float sum, float row, float column);
}

/// <summary>Distances, which are what profiles take.</summary>
public struct SumsThemselves : ISumForm
{
    public readonly Row8 Rows(ExactSumArguments arguments, int row) => default;

    public readonly F4 Columns(ExactSumArguments arguments, int query) => default;

    public readonly float Of(float sum, float row, float column) => sum;
}

/// <summary>|x|^2 + |y|^2 - 2 x . y, from inner products; rounding can take it just below 0.</summary>
public struct SquaresOfProducts : ISumForm
{
    public readonly Row8 Rows(ExactSumArguments arguments, int row)
    {
        F4 low = arguments.PointNorms[row / 4], high = arguments.PointNorms[row / 4 + 16];
        return new() { A = low.X, B = low.Y, C = low.Z, D = low.W, E = high.X, F = high.Y, G = high.Z, H = high.W };
    }

    public readonly F4 Columns(ExactSumArguments arguments, int query) => arguments.QueryNorms[query / 4];

    public readonly float Of(float sum, float row, float column) => Fused.Fma(sum, -2f, row + column);
}

/// <summary>Arguments of <see cref="CenterPrograms"/>.</summary>
public struct CenterArguments
{
    /// <summary>[point][Stride] coordinates, padded with zeros; centred in place.</summary>
    public ArrayView<F4> Points;

    /// <summary>[Stride] what is taken from each point, padded with zeros.</summary>
    public ArrayView<F4> Center;

    /// <summary>[point] squared lengths; overwritten.</summary>
    public ArrayView<float> Norms;

    public int PointCount;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>0, which no compiler knows.</summary>
    public float Zero;
}

/// <summary>Points relative to a centre, with their squared lengths.</summary>
public static class CenterPrograms
{
    public const int Threads = 256;

    /// <summary>One thread per point. Squares and their sum keep their rounding errors: the norm is rounded about once.</summary>
    public static void CenterPoints(CenterArguments arguments)
    {
        int point = Grid.IdxX * Threads + Group.IdxX;
        if (point >= arguments.PointCount) return;
        SplitSum sum = default;
        for (int k = 0; k < arguments.Stride; k++)
        {
            F4 x = arguments.Points[point * arguments.Stride + k], c = arguments.Center[k];
            x = new() { X = x.X - c.X, Y = x.Y - c.Y, Z = x.Z - c.Z, W = x.W - c.W };
            arguments.Points[point * arguments.Stride + k] = x;
            sum = sum.AddSquare(x.X, arguments.Zero).AddSquare(x.Y, arguments.Zero)
                .AddSquare(x.Z, arguments.Zero).AddSquare(x.W, arguments.Zero);
        }
        arguments.Norms[point] = sum.High + sum.Low;
    }
}

/// <summary>A sum in two numbers: what fp32 holds of it, and what was rounded away.</summary>
public struct SplitSum
{
    public float High;
    public float Low;

    /// <summary>Adds x^2 (Dekker's product and Knuth's sum).</summary>
    public readonly SplitSum AddSquare(float x, float zero)
    {
        // The product as a fused operation: what follows are sums, which no compiler may contract with it.
        float square = Fused.Fma(x, x, zero), lost = Fused.Fma(x, x, zero - square);
        float sum = High + square, part = sum - High;
        return new() { High = sum, Low = Low + (High - (sum - part) + (square - part) + lost) };
    }
}
