using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the spherical programs.</summary>
public struct SphericalArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[record][m] phases t.</summary>
    public ArrayView<float> Phases;

    /// <summary>[record][m] phases u; for gated features only.</summary>
    public ArrayView<float> Gates;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[record][Count] cells before the norm clamp; overwritten.</summary>
    public ArrayView<int> Features;

    public int Records;

    public int Stride;

    /// <summary>Cells before the m features.</summary>
    public int Common;

    /// <summary>m.</summary>
    public int Frequencies;

    /// <summary>Cells per record.</summary>
    public int Count;

    public int Constant;

    public float Linear;

    public float Scale;
}

/// <summary>Integer features of unit vectors; see <see cref="SphericalMap"/> for the recipe.</summary>
public static class SphericalPrograms
{
    public const int Threads = 256;

    const uint SignBit = 0x80000000u;

    /// <summary>A constant and signs, one thread per cell.</summary>
    public static void WriteSigns(SphericalArguments arguments)
    {
        long cells = (long)arguments.Records * arguments.Count;
        for (long from = (long)Grid.IdxX * Threads; from < cells; from += (long)Grid.DimX * Threads)
        {
            long at = from + Group.IdxX;
            if (at >= cells) continue;
            int record = (int)(at / arguments.Count), cell = (int)(at % arguments.Count) - 1;
            float value = cell < 0
                ? arguments.Constant
                : Flip(arguments.Scale, arguments.Phases[(long)record * arguments.Frequencies + cell]);
            arguments.Features[at] = (int)((int)value * DeviceIntegers.WeightOf(arguments.Weights, record));
        }
    }

    /// <summary>The vector itself, sizes, and gated phases where there is room for them, one thread per cell.</summary>
    public static void WriteSizes(SphericalArguments arguments)
    {
        long cells = (long)arguments.Records * arguments.Count;
        int m = arguments.Frequencies;
        for (long from = (long)Grid.IdxX * Threads; from < cells; from += (long)Grid.DimX * Threads)
        {
            long at = from + Group.IdxX;
            if (at >= cells) continue;
            int record = (int)(at / arguments.Count), cell = (int)(at % arguments.Count), j = cell - arguments.Common;
            float value;
            if (j < 0)
            {
                value = arguments.Points[(long)record * arguments.Stride + cell] * arguments.Linear;
            }
            else
            {
                long phase = (long)record * m + (j < m ? j : j - m);
                float t = arguments.Phases[phase];
                float size = j < m
                    ? Interop.IntAsFloat(Interop.FloatAsInt(t) & ~SignBit)
                    : Flip(arguments.Gates[phase], t);
                value = size * arguments.Scale;
            }
            int cut = (int)(
                value < -SphericalMap.Limit ? -SphericalMap.Limit
                : value > SphericalMap.Limit ? SphericalMap.Limit : value);
            arguments.Features[at] = (int)(cut * DeviceIntegers.WeightOf(arguments.Weights, record));
        }
    }

    /// <summary>The value with its sign flipped if t is below zero; -0 is not.</summary>
    static float Flip(float value, float t) =>
        Interop.IntAsFloat(Interop.FloatAsInt(value) ^ (Interop.FloatAsInt(t + 0f) & SignBit));
}
