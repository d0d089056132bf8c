using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="SumPrograms.SumSlices"/>.</summary>
public struct SumArguments
{
    /// <summary>[slice][Count] partial sums; cleared when read.</summary>
    public ArrayView<long> Partial;

    /// <summary>[Count] totals; overwritten.</summary>
    public ArrayView<long> Totals;

    public int Count;

    public int Slices;
}

/// <summary>Adds up what slices have summed on their own.</summary>
public static class SumPrograms
{
    public const int Threads = 256;

    /// <summary>Totals[i] = sum over slices of Partial[slice][i], and clears Partial for the next batch.</summary>
    public static void SumSlices(SumArguments arguments)
    {
        for (int from = Grid.IdxX * Threads; from < arguments.Count; from += Grid.DimX * Threads)
        {
            int i = from + Group.IdxX;
            if (i >= arguments.Count) continue;
            long sum = 0;
            for (int slice = 0; slice < arguments.Slices; slice++)
            {
                long at = (long)slice * arguments.Count + i;
                sum += arguments.Partial[at];
                arguments.Partial[at] = 0;
            }
            arguments.Totals[i] = sum;
        }
    }
}
