using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of <see cref="MomentPrograms.WriteMoments"/>.</summary>
public struct MomentArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[d] public center.</summary>
    public ArrayView<float> Center;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[record][d + 2] cells before the norm clamp; overwritten.</summary>
    public ArrayView<int> Features;

    public int Records;

    public int Stride;

    /// <summary>d.</summary>
    public int Dimension;

    public int Constant;

    public float Linear;

    public float Square;
}

/// <summary>Integer moments; see <see cref="MomentMap"/> for the recipe.</summary>
public static class MomentPrograms
{
    public const int Threads = 256;

    const float Limit = 4194304f;

    /// <summary>Moments of all records, one thread each: the squared norm is one chain.</summary>
    public static void WriteMoments(MomentArguments arguments)
    {
        for (int from = Grid.IdxX * Threads; from < arguments.Records; from += Grid.DimX * Threads)
        {
            int record = from + Group.IdxX, d = arguments.Dimension;
            if (record >= arguments.Records) continue;
            long at = (long)record * (d + 2), row = (long)record * arguments.Stride;
            float weight = DeviceIntegers.WeightOf(arguments.Weights, record);
            arguments.Features[at] = (int)(arguments.Constant * weight);
            float q = 0f;
            for (int k = 0; k < d; k++)
            {
                float z = arguments.Points[row + k] - arguments.Center[k];
                q = Fused.Fma(z, z, q);
                arguments.Features[at + 1 + k] = Truncate(z * arguments.Linear, weight);
            }
            arguments.Features[at + d + 1] = Truncate(q * arguments.Square, weight);
        }
    }

    static int Truncate(float value, float weight) =>
        (int)((value < -Limit ? -Limit : value > Limit ? Limit : value) * weight);
}
