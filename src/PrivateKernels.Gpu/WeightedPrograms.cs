using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="WeightedPrograms.AddWeightedPairs"/>.</summary>
public struct WeightedArguments
{
    /// <summary>[record][m] phases in turns.</summary>
    public ArrayView<float> Phases;

    /// <summary>[record] weights, or empty: 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[slice][2 m] sums.</summary>
    public ArrayView<long> Cells;

    public int Records;

    /// <summary>m.</summary>
    public int Frequencies;

    public int Slices;
}

/// <summary>Fourier features of records, weighted or not, from phases in memory: one program for all maps.</summary>
public static class WeightedPrograms
{
    public const int Threads = 256;

    /// <summary>Adds the integer features of all records to Cells, one thread per frequency and slice.</summary>
    public static void AddWeightedPairs(WeightedArguments arguments)
    {
        int m = arguments.Frequencies, slice = Grid.IdxX % arguments.Slices;
        int frequency = Grid.IdxX / arguments.Slices * Threads + Group.IdxX;
        if (frequency >= m) return;
        long cos = 0, sin = 0;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
        {
            ScaledPair pair = DevicePhase.Scaled(arguments.Phases[(long)record * m + frequency]);
            float weight = arguments.Weights.Length > 0 ? arguments.Weights[record] : 1f;
            cos += (int)(pair.Cos * weight);
            sin += (int)(pair.Sin * weight);
        }
        long cell = (long)slice * 2 * m + frequency;
        arguments.Cells[cell] += cos;
        arguments.Cells[cell + m] += sin;
    }
}
