using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the programs of second moments.</summary>
public struct SecondMomentArguments
{
    /// <summary>[record][F] features in fp32, before truncation.</summary>
    public ArrayView<float> Features;

    /// <summary>[feature][Width] truncated features, whole tiles of features; zeros behind the last record.</summary>
    public ArrayView<float> Columns;

    /// <summary>[F (F + 1) / 2] sums.</summary>
    public ArrayView<long> Cells;

    public int Records;

    /// <summary>Records rounded up to a multiple of eight.</summary>
    public int Width;

    /// <summary>F = 2 m.</summary>
    public int Count;
}

/// <summary>Products of Fourier features; see <see cref="IEngine.AddSecondMoments"/> for the recipe.</summary>
public static class SecondMomentPrograms
{
    /// <summary>Features of a tile of the product.</summary>
    public const int Side = 64;

    public const int Threads = 256;

    // Records whose products an int32 can sum: 1016 2^20 is below 2^30.
    const int LargestDepth = 1016, RecordsTogether = 8;

    // The words between lines keep stores free of conflicts.
    const int LineF4 = (Side + 4) / 4;

    /// <summary>Truncates features and turns them over: a feature's records lie side by side. One thread per number.</summary>
    public static void TurnFeatures(SecondMomentArguments arguments)
    {
        int rows = (arguments.Count + Side - 1) / Side * Side;
        long size = (long)rows * arguments.Width;
        for (long from = (long)Grid.IdxX * Threads; from < size; from += (long)Grid.DimX * Threads)
        {
            long at = from + Group.IdxX;
            if (at >= size) continue;
            int feature = (int)(at / arguments.Width), record = (int)(at % arguments.Width);
            arguments.Columns[at] = feature < arguments.Count && record < arguments.Records
                ? (int)arguments.Features[(long)record * arguments.Count + feature] : 0f;
        }
    }

    /// <summary>
    /// Adds the products of all records. One group per pair of tiles of 64 features, those below the diagonal with nothing to
    /// do; eight records at a time through shared memory, 4 x 4 cells per thread, which owns them.
    /// </summary>
    public static void AddSecondMoments(SecondMomentArguments arguments)
    {
        var left = SharedMemory.Allocate<F4>(RecordsTogether * LineF4);
        var right = SharedMemory.Allocate<F4>(RecordsTogether * LineF4);
        int tiles = (arguments.Count + Side - 1) / Side;
        int row = Grid.IdxX / tiles * Side, column = Grid.IdxX % tiles * Side;
        if (column < row) return;
        int i = Group.IdxX / 16, j = Group.IdxX % 16;
        for (int first = 0; first < arguments.Width; first += LargestDepth)
        {
            int end = IntrinsicMath.Min(arguments.Width, first + LargestDepth);
            Quad q0 = default, q1 = default, q2 = default, q3 = default;
            for (int from = first; from < end; from += RecordsTogether)
            {
                Group.Barrier();
                Load(arguments, left.Cast<float>(), row, from, 1f / (1 << 20));
                Load(arguments, right.Cast<float>(), column, from, 1f);
                Group.Barrier();
                for (int k = 0; k < RecordsTogether; k++)
                {
                    F4 x = left[k * LineF4 + i], y = right[k * LineF4 + j];
                    q0 = q0.Add(x.X, y);
                    q1 = q1.Add(x.Y, y);
                    q2 = q2.Add(x.Z, y);
                    q3 = q3.Add(x.W, y);
                }
            }
            AddRow(arguments, q0, row + 4 * i, column + 4 * j);
            AddRow(arguments, q1, row + 4 * i + 1, column + 4 * j);
            AddRow(arguments, q2, row + 4 * i + 2, column + 4 * j);
            AddRow(arguments, q3, row + 4 * i + 3, column + 4 * j);
        }
    }

    /// <summary>lines[record][feature] of eight records and 64 features, times a power of two.</summary>
    static void Load(SecondMomentArguments arguments, ArrayView<float> lines, int feature, int record, float factor)
    {
        for (int from = 0; from < Side * RecordsTogether; from += Threads)
        {
            int at = from + Group.IdxX, line = at % RecordsTogether, place = at / RecordsTogether;
            lines[line * 4 * LineF4 + place] =
                arguments.Columns[(long)(feature + place) * arguments.Width + record + line] * factor;
        }
    }

    static void AddRow(SecondMomentArguments arguments, Quad sums, int i, int j)
    {
        Add(arguments, sums.A, i, j);
        Add(arguments, sums.B, i, j + 1);
        Add(arguments, sums.C, i, j + 2);
        Add(arguments, sums.D, i, j + 3);
    }

    static void Add(SecondMomentArguments arguments, int sum, int i, int j)
    {
        if (j < i || j >= arguments.Count) return;
        arguments.Cells[(long)arguments.Count * i - i * (i - 1L) / 2 + j - i] += sum;
    }
}

/// <summary>Four int32 sums of truncated products.</summary>
public struct Quad
{
    public int A;
    public int B;
    public int C;
    public int D;

    /// <summary>Adds trunc(x y).</summary>
    public readonly Quad Add(float x, F4 y) => new()
    {
        A = A + (int)(x * y.X),
        B = B + (int)(x * y.Y),
        C = C + (int)(x * y.Z),
        D = D + (int)(x * y.W),
    };
}
