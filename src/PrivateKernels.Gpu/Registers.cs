using ILGPU;

namespace PrivateKernels.Gpu;

// ILGPU does not unroll loops, and an array would live in local memory. These structures dissolve into scalar
// registers.

/// <summary>Four floats that move in one 128-bit load or store.</summary>
public struct F4
{
    public float X;
    public float Y;
    public float Z;
    public float W;
}

/// <summary>Eight values of a record on their way through the Walsh-Hadamard transform.</summary>
public struct Octet
{
    public float A;
    public float B;
    public float C;
    public float D;
    public float E;
    public float F;
    public float G;
    public float H;

    /// <summary>Butterflies (a, b) -> (a + b, a - b) between neighbours.</summary>
    public readonly Octet Stage1() => new()
    {
        A = A + B,
        B = A - B,
        C = C + D,
        D = C - D,
        E = E + F,
        F = E - F,
        G = G + H,
        H = G - H,
    };

    /// <summary>Butterflies at distance two.</summary>
    public readonly Octet Stage2() => new()
    {
        A = A + C,
        B = B + D,
        C = A - C,
        D = B - D,
        E = E + G,
        F = F + H,
        G = E - G,
        H = F - H,
    };

    /// <summary>Butterflies at distance four.</summary>
    public readonly Octet Stage4() => new()
    {
        A = A + E,
        B = B + F,
        C = C + G,
        D = D + H,
        E = A - E,
        F = B - F,
        G = C - G,
        H = D - H,
    };

    /// <summary>Flips the signs whose bit (0 for A, 7 for H) is set.</summary>
    public readonly Octet Flip(uint bits) => new()
    {
        A = Flip(A, bits << 31),
        B = Flip(B, bits << 30),
        C = Flip(C, bits << 29),
        D = Flip(D, bits << 28),
        E = Flip(E, bits << 27),
        F = Flip(F, bits << 26),
        G = Flip(G, bits << 25),
        H = Flip(H, bits << 24),
    };

    static float Flip(float value, uint bits) => Interop.IntAsFloat(Interop.FloatAsInt(value) ^ (bits & 0x80000000u));
}

/// <summary>One row of a thread's 8 x 8 tile of accumulators.</summary>
public struct Row8
{
    public float A;
    public float B;
    public float C;
    public float D;
    public float E;
    public float F;
    public float G;
    public float H;

    public readonly Row8 Plus(Row8 other) => new()
    {
        A = A + other.A,
        B = B + other.B,
        C = C + other.C,
        D = D + other.D,
        E = E + other.E,
        F = F + other.F,
        G = G + other.G,
        H = H + other.H,
    };

    /// <summary>
    /// The row if it is one of a record; padding gets phases without features, its cosine would not be zero.
    /// </summary>
    public readonly Row8 If(bool isRecord) => new()
    {
        A = isRecord ? A : DevicePhase.None,
        B = isRecord ? B : DevicePhase.None,
        C = isRecord ? C : DevicePhase.None,
        D = isRecord ? D : DevicePhase.None,
        E = isRecord ? E : DevicePhase.None,
        F = isRecord ? F : DevicePhase.None,
        G = isRecord ? G : DevicePhase.None,
        H = isRecord ? H : DevicePhase.None,
    };
}

/// <summary>A thread's 8 x 8 accumulators: rows 4 ty .. 4 ty + 3 and 64 higher, columns likewise with tx.</summary>
public struct Tile
{
    public Row8 R0;
    public Row8 R1;
    public Row8 R2;
    public Row8 R3;
    public Row8 R4;
    public Row8 R5;
    public Row8 R6;
    public Row8 R7;
}

/// <summary>Integer sums of cosines and sines.</summary>
public struct PairSum
{
    public int Cos;
    public int Sin;

    /// <summary>Adds the truncated features of a phase.</summary>
    public readonly PairSum Add(float turns)
    {
        ScaledPair pair = DevicePhase.Scaled(turns);
        return new() { Cos = Cos + (int)pair.Cos, Sin = Sin + (int)pair.Sin };
    }
}
