using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="ProjectPrograms.Project"/>.</summary>
public struct ProjectArguments
{
    /// <summary>[query][2 m] features.</summary>
    public ArrayView<float> Features;

    /// <summary>[column][2 m] weights.</summary>
    public ArrayView<double> Weights;

    /// <summary>[query][column][group] sums; overwritten.</summary>
    public ArrayView<double> Sums;

    /// <summary>Sums: queries x columns x groups.</summary>
    public int Count;

    public int Columns;

    public int Groups;

    /// <summary>m.</summary>
    public int Frequencies;
}

/// <summary>
/// Inner products of features and weights in fp64, added in the order that <see cref="IEngine"/> prescribes.
/// </summary>
public static class ProjectPrograms
{
    public const int Threads = 128;

    /// <summary>Threads per sum, one for each of its sixteen partial sums.</summary>
    public const int Lanes = 16;

    /// <summary>Sums per group of threads.</summary>
    public const int SumsPerGroup = Threads / Lanes;

    public static void Project(ProjectArguments arguments)
    {
        var partial = SharedMemory.Allocate<double>(Threads);
        int m = arguments.Frequencies, width = m / arguments.Groups, lane = Group.IdxX % Lanes;
        int at = Grid.IdxX * SumsPerGroup + Group.IdxX / Lanes;
        double sum = 0;
        if (at < arguments.Count)
        {
            int group = at % arguments.Groups, column = at / arguments.Groups % arguments.Columns;
            int query = at / arguments.Groups / arguments.Columns;
            long features = (long)query * 2 * m + group * width, weights = (long)column * 2 * m + group * width;
            for (int from = 0; from < width; from += Lanes)
            {
                int j = from + lane;
                if (j >= width) continue;
                sum = Fused.Fma(arguments.Features[features + j], arguments.Weights[weights + j], sum);
                sum = Fused.Fma(arguments.Features[features + m + j], arguments.Weights[weights + m + j], sum);
            }
        }
        partial[Group.IdxX] = sum;
        Group.Barrier();
        for (int half = Lanes / 2; half > 0; half /= 2)
        {
            if (lane < half) partial[Group.IdxX] += partial[Group.IdxX + half];
            Group.Barrier();
        }
        if (lane == 0 && at < arguments.Count) arguments.Sums[at] = partial[Group.IdxX];
    }
}
