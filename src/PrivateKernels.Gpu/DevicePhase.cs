using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>A cos and A sin of a phase in fp32, A = 2^20 - 1, before truncation.</summary>
public struct ScaledPair
{
    public float Cos;
    public float Sin;
}

/// <summary>The recipe of <see cref="Phase"/> in the form that devices run.</summary>
public static class DevicePhase
{
    /// <summary>A phase beyond every limit: its features are 0.</summary>
    public const float None = 2097152f;

    const float Magic = 12582912f, LargestTurns = 1048576f, Unit = 1048575f;
    const float S1 = 6.28318548f, S3 = -41.3417473f, S5 = 81.6024399f, S7 = -75.742485f;
    const float C2 = -19.7392082f, C4 = 64.9391403f, C6 = -85.4231186f, C8 = 58.5612144f;

    /// <summary>
    /// (A cos 2 pi t, A sin 2 pi t), both 0 beyond 2^20 turns. Guarantee: truncated toward zero the pair lies inside
    /// the circle of radius 2^20 for every t, which is what the sensitivity of Fourier sketches rests on.
    /// </summary>
    public static ScaledPair Scaled(float turns)
    {
        float size = Interop.IntAsFloat(Interop.FloatAsInt(turns) & 0x7FFFFFFFu);
        bool valid = size <= LargestTurns;                      // false for NaN too
        float unit = valid ? Unit : 0f;
        turns = valid ? turns : 0f;                             // keeps infinities out of the polynomials
        float shifted = Fused.Fma(turns, 4f, Magic);            // nearest quarter turn, ties to even, in the low bits
        uint quarter = Interop.FloatAsInt(shifted);
        float rest = Fused.Fma(shifted - Magic, -0.25f, turns); // exact, |rest| <= 1/8
        float z = rest * rest;
        float c = Fused.Fma(Fused.Fma(Fused.Fma(Fused.Fma(C8, z, C6), z, C4), z, C2), z, 1f);
        float p = Fused.Fma(Fused.Fma(S7, z, S5), z, S3);
        float s = Fused.Fma(rest, S1, rest * z * p);
        bool swap = (quarter & 1) != 0;
        return new ScaledPair
        {
            Cos = WithSign((swap ? s : c) * unit, quarter + 1),
            Sin = WithSign((swap ? c : s) * unit, quarter),
        };
    }

    /// <summary>Flips the sign if bit 1 of <paramref name="quarter"/> is set.</summary>
    static float WithSign(float value, uint quarter) =>
        Interop.IntAsFloat(Interop.FloatAsInt(value) ^ ((quarter & 2) << 30));
}

/// <summary>What is written of a phase.</summary>
public interface IPhaseForm
{
    /// <summary>Writes what belongs to frequency j of a record into its row of <paramref name="target"/>.</summary>
    void Write(ArrayView<float> target, int frequencies, int record, int frequency, float turns);
}

/// <summary>A cos and A sin: rows of 2 m.</summary>
public struct PairForm : IPhaseForm
{
    public readonly void Write(ArrayView<float> target, int frequencies, int record, int frequency, float turns)
    {
        ScaledPair pair = DevicePhase.Scaled(turns);
        long cell = (long)record * 2 * frequencies + frequency;
        target[cell] = pair.Cos;
        target[cell + frequencies] = pair.Sin;
    }
}

/// <summary>The phase itself: rows of m.</summary>
public struct TurnsForm : IPhaseForm
{
    public readonly void Write(ArrayView<float> target, int frequencies, int record, int frequency, float turns) =>
        target[(long)record * frequencies + frequency] = turns;
}
