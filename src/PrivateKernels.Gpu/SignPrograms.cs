using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="SignPrograms.AddSigns"/>.</summary>
public struct SignArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[slice][2 d m] sums: counts, then fractions.</summary>
    public ArrayView<long> Cells;

    public int Records;

    public int Stride;

    /// <summary>d.</summary>
    public int Dimension;

    /// <summary>m.</summary>
    public int CellsPerCoordinate;

    public int Slices;

    public float Lower;

    public float Upper;

    public float Scale;

    public float Weight;
}

/// <summary>Grid histograms of sign features; see <see cref="SignMap"/> for the recipe.</summary>
public static class SignPrograms
{
    public const int Threads = 256, LargestCells = 4096;

    /// <summary>Records per launch and largest weight for which the int32 sums below cannot overflow.</summary>
    public const int LargestBatch = 1 << 20, LargestWeight = 1 << 21;

    // Fraction terms are summed in two parts, term = 1024 high + low, because shared 64-bit atomics are no common good.
    const int LowBits = 10;

    /// <summary>
    /// One group per (coordinate, slice): a histogram in shared memory, then added to the group's own cells.
    /// </summary>
    public static void AddSigns(SignArguments arguments)
    {
        var counts = SharedMemory.Allocate<int>(LargestCells);
        var low = SharedMemory.Allocate<int>(LargestCells);
        var high = SharedMemory.Allocate<int>(LargestCells);
        int slice = Grid.IdxX % arguments.Slices, coordinate = Grid.IdxX / arguments.Slices;
        int m = arguments.CellsPerCoordinate;
        for (int from = 0; from < m; from += Threads)
        {
            int cell = from + Group.IdxX;
            if (cell >= m) continue;
            counts[cell] = 0;
            low[cell] = 0;
            high[cell] = 0;
        }
        Group.Barrier();
        for (int from = slice * Threads; from < arguments.Records; from += arguments.Slices * Threads)
        {
            int record = from + Group.IdxX;
            if (record >= arguments.Records) continue;
            float x = arguments.Points[(long)record * arguments.Stride + coordinate];
            x = x < arguments.Lower ? arguments.Lower : x > arguments.Upper ? arguments.Upper : x;
            float p = x - arguments.Lower, place = p * arguments.Scale, last = m - 1;
            int cell = (int)(place > last ? last : place > 0f ? place : 0f);
            float u = Fused.Fma(p, arguments.Scale, -(float)cell), v = Fused.Fma(u, 2f, -1f);
            int term = (int)((v < -1f ? -1f : v > 1f ? 1f : v) * arguments.Weight);
            Atomic.Add(ref counts[cell], 1);
            Atomic.Add(ref low[cell], term & ((1 << LowBits) - 1));
            Atomic.Add(ref high[cell], term >> LowBits);
        }
        Group.Barrier();
        long half = (long)arguments.Dimension * m, origin = slice * 2 * half + coordinate * m;
        for (int from = 0; from < m; from += Threads)
        {
            int cell = from + Group.IdxX;
            if (cell >= m) continue;
            arguments.Cells[origin + cell] += counts[cell];
            arguments.Cells[origin + half + cell] += ((long)high[cell] << LowBits) + low[cell];
        }
    }
}
