using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="PowerPrograms.AddPowers"/>.</summary>
public struct PowerArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[p] factors of the powers 1 to p.</summary>
    public ArrayView<int> Factors;

    /// <summary>[slice][d p] sums.</summary>
    public ArrayView<long> Cells;

    public int Records;

    public int Stride;

    /// <summary>d p.</summary>
    public int Count;

    /// <summary>p.</summary>
    public int Powers;

    public int Slices;

    public float Lower;

    public float Upper;

    public float Center;

    public float Scale;
}

/// <summary>Integer powers of coordinates; see <see cref="PowerMap"/> for the recipe.</summary>
public static class PowerPrograms
{
    public const int Threads = 256;

    /// <summary>Adds all records to Cells, one thread per cell and slice.</summary>
    public static void AddPowers(PowerArguments arguments)
    {
        int slice = Grid.IdxX % arguments.Slices, cell = Grid.IdxX / arguments.Slices * Threads + Group.IdxX;
        if (cell >= arguments.Count) return;
        int coordinate = cell / arguments.Powers, power = cell % arguments.Powers;
        float factor = arguments.Factors[power];
        long sum = 0;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
        {
            float x = Limit(
                arguments.Points[(long)record * arguments.Stride + coordinate], arguments.Lower, arguments.Upper);
            float t = Limit((x - arguments.Center) * arguments.Scale, -1f, 1f), u = t;
            for (int k = 0; k < power; k++) u *= t;
            sum += (int)(u * factor * DeviceIntegers.WeightOf(arguments.Weights, record));
        }
        arguments.Cells[(long)slice * arguments.Count + cell] += sum;
    }

    static float Limit(float value, float lower, float upper) =>
        value < lower ? lower : value > upper ? upper : value;
}
