using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="SignPrograms.AddSigns"/>.</summary>
public struct SignArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

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
    public const int Threads = 256;

    /// <summary>Cells of a coordinate that a group of threads has in shared memory.</summary>
    public const int CellsPerPart = 2048;

    /// <summary>Records per launch and largest weight for which the int32 sums below cannot overflow.</summary>
    public const int LargestBatch = 1 << 20, LargestWeight = 1 << 20;

    // Sums are kept in two parts, 1024 high + low, because shared 64-bit atomics are no common good.
    const int LowBits = 10;

    /// <summary>
    /// One group per (coordinate, part of its cells, slice): a histogram in shared memory, then added to the group's own
    /// cells.
    /// </summary>
    public static void AddSigns(SignArguments arguments)
    {
        var counts = SharedMemory.Allocate<int>(2 * CellsPerPart);
        var fractions = SharedMemory.Allocate<int>(2 * CellsPerPart);
        int m = arguments.CellsPerCoordinate, parts = (m + CellsPerPart - 1) / CellsPerPart;
        int slice = Grid.IdxX % arguments.Slices, group = Grid.IdxX / arguments.Slices;
        int coordinate = group / parts, first = group % parts * CellsPerPart;
        for (int from = 0; from < 2 * CellsPerPart; from += Threads)
        {
            counts[from + Group.IdxX] = 0;
            fractions[from + Group.IdxX] = 0;
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
            float size = (v < -1f ? -1f : v > 1f ? 1f : v) * arguments.Weight;
            cell -= first;
            if (cell < 0 || cell >= CellsPerPart) continue;
            int unit = 1, term = (int)size;
            if (arguments.Weights.Length > 0)
            {
                float weight = arguments.Weights[record];
                unit = DeviceIntegers.Nearest(arguments.Weight * weight);
                term = DeviceIntegers.Nearest(size * weight);
            }
            Add(counts, cell, unit);
            Add(fractions, cell, term);
        }
        Group.Barrier();
        long half = (long)arguments.Dimension * m, origin = slice * 2 * half + coordinate * m + first;
        int own = IntrinsicMath.Min(CellsPerPart, m - first);
        for (int from = 0; from < own; from += Threads)
        {
            int cell = from + Group.IdxX;
            if (cell >= own) continue;
            arguments.Cells[origin + cell] += Sum(counts, cell);
            arguments.Cells[origin + half + cell] += Sum(fractions, cell);
        }
    }

    static void Add(ArrayView<int> sums, int cell, int term)
    {
        Atomic.Add(ref sums[cell], term & ((1 << LowBits) - 1));
        if (term >> LowBits != 0) Atomic.Add(ref sums[CellsPerPart + cell], term >> LowBits);
    }

    static long Sum(ArrayView<int> sums, int cell) => ((long)sums[CellsPerPart + cell] << LowBits) + sums[cell];
}
