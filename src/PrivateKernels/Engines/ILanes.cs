namespace PrivateKernels;

/// <summary>
/// A register of fp32 lanes, so that one text of every recipe serves all register widths. Integers and masks live in
/// the same type as bits. Each operation (but Exchange) acts on every lane alone and is IEEE fp32 where it rounds:
/// the width cannot show.
/// </summary>
unsafe interface ILanes<V>
    where V : unmanaged, ILanes<V>
{
    /// <summary>Lanes per register: 8 or 16.</summary>
    static abstract int Count { get; }

    static abstract V Load(float* from);

    static abstract void Store(V value, float* to);

    static abstract V Broadcast(float value);

    static abstract V BroadcastBits(uint bits);

    static abstract V operator +(V a, V b);

    static abstract V operator -(V a, V b);

    static abstract V operator *(V a, V b);

    static abstract V operator /(V a, V b);

    /// <summary>Exclusive or of the bits.</summary>
    static abstract V operator ^(V a, V b);

    /// <summary>And of the bits.</summary>
    static abstract V operator &(V a, V b);

    /// <summary>a b + c, rounded once.</summary>
    static abstract V Fma(V a, V b, V c);

    /// <summary>Correctly rounded square root.</summary>
    static abstract V Sqrt(V a);

    /// <summary>The smaller; neither operand is NaN.</summary>
    static abstract V Min(V a, V b);

    /// <summary>The larger; neither operand is NaN.</summary>
    static abstract V Max(V a, V b);

    /// <summary>All bits set where a is at most b, none otherwise (NaN included).</summary>
    static abstract V AtMost(V a, V b);

    /// <summary>Lanes of a where the mask is set, else of b.</summary>
    static abstract V Select(V mask, V a, V b);

    /// <summary>The value, negated where the top bit of <paramref name="bits"/> is set.</summary>
    static abstract V FlipSign(V value, V bits);

    /// <summary>a b where the mask is set, else 0.</summary>
    static abstract V ProductWhere(V mask, V a, V b);

    /// <summary>Sum as int32.</summary>
    static abstract V AddIntegers(V a, V b);

    /// <summary>Bits shifted left.</summary>
    static abstract V ShiftLeft(V a, int count);

    /// <summary>Bits shifted right, the sign copied in.</summary>
    static abstract V ShiftRight(V a, int count);

    /// <summary>To int32, toward zero. The value is finite and within int32: outside, processors disagree.</summary>
    static abstract V Truncate(V a);

    /// <summary>From int32 of size below 2^24: exact.</summary>
    static abstract V ToSingle(V integers);

    /// <summary>Lane l takes the value of lane l xor stride; stride is a constant 1, 2, 4, ..., below Count.</summary>
    static abstract V Exchange(V a, int stride);

    /// <summary>The sign bit in the lanes l with l and stride not 0, no bits in the others; stride as above.</summary>
    static abstract V SignsOf(int stride);
}
