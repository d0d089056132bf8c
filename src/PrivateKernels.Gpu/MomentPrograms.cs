using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the moment programs.</summary>
public struct MomentArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[d] public center.</summary>
    public ArrayView<float> Center;

    /// <summary>[record] the last cell before the norm clamp.</summary>
    public ArrayView<int> Squares;

    /// <summary>
    /// [record] factor of 2^-30 that the norm clamp asks for; <see cref="MomentPrograms.Untouched"/> for none.
    /// </summary>
    public ArrayView<long> Factors;

    /// <summary>[slice][d + 2] sums.</summary>
    public ArrayView<long> Cells;

    public int Records;

    public int Stride;

    /// <summary>d.</summary>
    public int Dimension;

    public int Slices;

    public int Constant;

    public float Linear;

    public float Square;

    public long SquaredBound;

    /// <summary>floor of the square root of SquaredBound.</summary>
    public long Bound;
}

/// <summary>
/// Integer moments with the norm clamp of <see cref="NormClamp"/>, in 64-bit integers throughout; see
/// <see cref="MomentMap"/> for the recipe.
/// </summary>
public static class MomentPrograms
{
    public const int Threads = 256;

    /// <summary>Factor of a record that is within the bound.</summary>
    public const long Untouched = -1;

    const float Limit = 4194304f;

    /// <summary>Squares and Factors of all records, one thread each.</summary>
    public static void FindMomentFactors(MomentArguments arguments)
    {
        for (int from = Grid.IdxX * Threads; from < arguments.Records; from += Grid.DimX * Threads)
        {
            int record = from + Group.IdxX;
            if (record >= arguments.Records) continue;
            float q = 0f;
            for (int k = 0; k < arguments.Dimension; k++)
            {
                float z = Centered(arguments, record, k);
                q = Fused.Fma(z, z, q);
            }
            arguments.Squares[record] = Truncate(q * arguments.Square);
            long norm = SquaredNorm(arguments, record, Untouched), factor = Untouched;
            if (norm > arguments.SquaredBound)
            {
                long root = IntegerSquareRoot(norm);
                factor = (arguments.Bound << 30) / (root * root == norm ? root : root + 1);
                // The bound holds by construction; a record that broke it would count as zero.
                if (SquaredNorm(arguments, record, factor) > arguments.SquaredBound) factor = 0;
            }
            arguments.Factors[record] = factor;
        }
    }

    /// <summary>Adds all records to Cells, one thread per cell and slice.</summary>
    public static void AddMoments(MomentArguments arguments)
    {
        int slice = Grid.IdxX % arguments.Slices, cell = Grid.IdxX / arguments.Slices * Threads + Group.IdxX;
        if (cell >= arguments.Dimension + 2) return;
        long sum = 0;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
            sum += Cell(arguments, record, cell, arguments.Factors[record]);
        arguments.Cells[(long)slice * (arguments.Dimension + 2) + cell] += sum;
    }

    static float Centered(MomentArguments arguments, int record, int k) =>
        arguments.Points[(long)record * arguments.Stride + k] - arguments.Center[k];

    static int Truncate(float value) => (int)(value < -Limit ? -Limit : value > Limit ? Limit : value);

    static int Cell(MomentArguments arguments, int record, int cell, long factor)
    {
        int value = cell == 0 ? arguments.Constant
            : cell <= arguments.Dimension ? Truncate(Centered(arguments, record, cell - 1) * arguments.Linear)
            : arguments.Squares[record];
        if (factor == Untouched) return value;
        long size = value < 0 ? -(long)value : value;
        int shortened = (int)((size * factor) >> 30);
        return value < 0 ? -shortened : shortened;
    }

    static long SquaredNorm(MomentArguments arguments, int record, long factor)
    {
        long sum = 0;
        for (int cell = 0; cell < arguments.Dimension + 2; cell++)
        {
            long value = Cell(arguments, record, cell, factor);
            sum += value * value;
        }
        return sum;
    }

    /// <summary>floor(sqrt n) for n below 2^62.</summary>
    static long IntegerSquareRoot(long n)
    {
        long root = 0;
        for (long bit = 1L << 30; bit > 0; bit >>= 1)
            if ((root + bit) * (root + bit) <= n) root += bit;
        return root;
    }
}
