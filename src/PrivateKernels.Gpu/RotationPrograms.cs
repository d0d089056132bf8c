using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the rotation programs.</summary>
public struct RotationArguments
{
    /// <summary>[record][Stride] coordinates.</summary>
    public ArrayView<float> Points;

    /// <summary>[block][round][P] sign bits.</summary>
    public ArrayView<uint> Flips;

    /// <summary>[frequency] radii in turns.</summary>
    public ArrayView<float> Radii;

    /// <summary>[record][block][P] values on their way.</summary>
    public ArrayView<float> Values;

    /// <summary>[record][2 m] features, or [record][m] phases; overwritten.</summary>
    public ArrayView<float> Features;

    public int Records;

    /// <summary>Coordinates per row.</summary>
    public int Stride;

    /// <summary>log2 P.</summary>
    public int LogPadded;

    public int Blocks;

    /// <summary>m; the last block may have frequencies that are not used.</summary>
    public int Frequencies;

    /// <summary>Round of signs, 0 to 2.</summary>
    public int Round;

    /// <summary>log2 of the distance between the values of a butterfly.</summary>
    public int LogStep;
}

/// <summary>
/// Structured Fourier features for any P, step by step through global memory: the shapes that
/// <see cref="StructuredPrograms"/> and <see cref="LargeStructuredPrograms"/> do not serve. Every program is launched with at
/// least one thread per item.
/// </summary>
public static class RotationPrograms
{
    public const int Threads = 256;

    /// <summary>Values = records, padded with zeros, once for every block.</summary>
    public static void SpreadRecords(RotationArguments arguments)
    {
        int item = Grid.IdxX * Threads + Group.IdxX, place = item & ((1 << arguments.LogPadded) - 1);
        int record = (item >> arguments.LogPadded) / arguments.Blocks;
        if (record >= arguments.Records) return;
        arguments.Values[item] = place < arguments.Stride ? arguments.Points[record * arguments.Stride + place] : 0f;
    }

    /// <summary>Signs of a round.</summary>
    public static void FlipValues(RotationArguments arguments)
    {
        int log = arguments.LogPadded, item = Grid.IdxX * Threads + Group.IdxX, place = item & ((1 << log) - 1);
        if (item >= arguments.Records * arguments.Blocks << log) return;
        int block = (item >> log) % arguments.Blocks;
        uint sign = arguments.Flips[((block * 3 + arguments.Round) << log) + place];
        arguments.Values[item] = Interop.IntAsFloat(Interop.FloatAsInt(arguments.Values[item]) ^ sign);
    }

    /// <summary>Butterflies (a, b) -> (a + b, a - b) at one distance.</summary>
    public static void CombineValues(RotationArguments arguments)
    {
        int item = Grid.IdxX * Threads + Group.IdxX, log = arguments.LogStep, step = 1 << log;
        if (item >= arguments.Records * arguments.Blocks << (arguments.LogPadded - 1)) return;
        int at = ((item >> log) << (log + 1)) + (item & (step - 1));
        float a = arguments.Values[at], b = arguments.Values[at + step];
        arguments.Values[at] = a + b;
        arguments.Values[at + step] = a - b;
    }

    /// <summary>Writes A cos and A sin of the phases.</summary>
    public static void WriteRotated(RotationArguments arguments) => Write<PairForm>(arguments);

    /// <summary>Writes the phases.</summary>
    public static void MultiplyRotated(RotationArguments arguments) => Write<TurnsForm>(arguments);

    static void Write<TForm>(RotationArguments arguments)
        where TForm : struct, IPhaseForm
    {
        int item = Grid.IdxX * Threads + Group.IdxX, m = arguments.Frequencies, record = item / m, frequency = item % m;
        if (record >= arguments.Records) return;
        float value = arguments.Values[(record * arguments.Blocks << arguments.LogPadded) + frequency];
        TForm form = default;
        form.Write(arguments.Features, m, record, frequency, arguments.Radii[frequency] * value);
    }
}
