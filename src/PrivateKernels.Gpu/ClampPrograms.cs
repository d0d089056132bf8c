using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the programs that shorten and add integer features.</summary>
public struct ClampArguments
{
    /// <summary>[record][Count] features, each of size at most 2^30.</summary>
    public ArrayView<int> Features;

    /// <summary>
    /// [record] factor of 2^-30; <see cref="ClampPrograms.Untouched"/> where the norm is within the bound.
    /// </summary>
    public ArrayView<long> Factors;

    /// <summary>[slice][Count] sums.</summary>
    public ArrayView<long> Cells;

    public int Records;

    public int Count;

    public int Slices;

    /// <summary>B^2.</summary>
    public long SquaredBound;

    /// <summary>floor(B).</summary>
    public long Bound;

    /// <summary>A record whose squares sum to more than this adds nothing; at most 2^61.</summary>
    public long LargestNorm;
}

/// <summary>
/// The norm clamp of <see cref="NormClamp"/> and the sum of what it leaves, in 64-bit integers throughout.
/// </summary>
public static class ClampPrograms
{
    public const int Threads = 256;

    /// <summary>Factor of a record that is within the bound.</summary>
    public const long Untouched = -1;

    // Sums of squares stop here: two of them still fit an int64, and it is above every LargestNorm.
    const long Ceiling = (1L << 62) - 1;

    /// <summary>Factors of all records, one group each.</summary>
    public static void FindFactors(ClampArguments arguments)
    {
        var sums = SharedMemory.Allocate<long>(Threads);
        for (int record = Grid.IdxX; record < arguments.Records; record += Grid.DimX)
        {
            long norm = SquaredNorm(arguments, sums, record, Untouched), factor = Untouched;
            if (norm > arguments.SquaredBound)
            {
                factor = (arguments.Bound << 30) / DeviceIntegers.CeilingSquareRoot(norm);
                if (norm > arguments.LargestNorm) factor = 0;
                // The bound holds by construction; a record that broke it would count as zero.
                if (SquaredNorm(arguments, sums, record, factor) > arguments.SquaredBound) factor = 0;
            }
            if (Group.IdxX == 0) arguments.Factors[record] = factor;
        }
    }

    /// <summary>Adds all records to Cells, one thread per cell and slice.</summary>
    public static void AddClamped(ClampArguments arguments)
    {
        int slice = Grid.IdxX % arguments.Slices, cell = Grid.IdxX / arguments.Slices * Threads + Group.IdxX;
        if (cell >= arguments.Count) return;
        long sum = 0;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
            sum += Cell(arguments, record, cell, arguments.Factors[record]);
        arguments.Cells[(long)slice * arguments.Count + cell] += sum;
    }

    static int Cell(ClampArguments arguments, int record, int cell, long factor)
    {
        int value = arguments.Features[(long)record * arguments.Count + cell];
        return factor == Untouched ? value : DeviceIntegers.Shorten(value, factor);
    }

    /// <summary>Sum of the squares of a record's cells; the group works on it together.</summary>
    static long SquaredNorm(ClampArguments arguments, ArrayView<long> sums, int record, long factor)
    {
        long sum = 0;
        for (int from = 0; from < arguments.Count; from += Threads)
        {
            int cell = from + Group.IdxX;
            if (cell >= arguments.Count) continue;
            long value = Cell(arguments, record, cell, factor);
            sum = Plus(sum, value * value);
        }
        Group.Barrier();                                        // the last sum has been read by everyone
        sums[Group.IdxX] = sum;
        Group.Barrier();
        for (int half = Threads / 2; half > 0; half /= 2)
        {
            if (Group.IdxX < half) sums[Group.IdxX] = Plus(sums[Group.IdxX], sums[Group.IdxX + half]);
            Group.Barrier();
        }
        return sums[0];
    }

    static long Plus(long a, long b) => a + b > Ceiling ? Ceiling : a + b;
}
