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

    public int Columns;

    public int Groups;

    /// <summary>m.</summary>
    public int Frequencies;
}

/// <summary>Inner products of features and weights in fp64.</summary>
public static class ProjectPrograms
{
    public const int Threads = 128;

    /// <summary>
    /// One group of threads per (query, column, group of frequencies). Thread t adds frequencies t, t + 128, ..., cosine
    /// before sine; then a tree: the order depends on the map alone.
    /// </summary>
    public static void Project(ProjectArguments arguments)
    {
        var partial = SharedMemory.Allocate<double>(Threads);
        int m = arguments.Frequencies, width = m / arguments.Groups;
        int group = Grid.IdxX % arguments.Groups, rest = Grid.IdxX / arguments.Groups;
        int column = rest % arguments.Columns, query = rest / arguments.Columns;
        long features = (long)query * 2 * m + group * width, weights = (long)column * 2 * m + group * width;
        double sum = 0;
        for (int from = 0; from < width; from += Threads)
        {
            int j = from + Group.IdxX;
            if (j >= width) continue;
            sum += arguments.Features[features + j] * arguments.Weights[weights + j];
            sum += arguments.Features[features + m + j] * arguments.Weights[weights + m + j];
        }
        partial[Group.IdxX] = sum;
        Group.Barrier();
        for (int half = Threads / 2; half > 0; half /= 2)
        {
            if (Group.IdxX < half) partial[Group.IdxX] += partial[Group.IdxX + half];
            Group.Barrier();
        }
        if (Group.IdxX == 0) arguments.Sums[Grid.IdxX] = partial[0];
    }
}
