namespace PrivateKernels;

/// <summary>
/// The public linear part of a landmark sketch: D landmarks z_j and the lower triangle M of L^-1, where LL' = k(Z, Z) +
/// lambda I.
/// </summary>
/// <remarks>
/// Recipe in fp32. 1. Distance to landmark j: t = x[k] - z_j[k]; s = fma(t, t, s), or s = s + |t| for kernels of
/// |x - y|_1, k rising, s from +0. 2. k_j = <see cref="PairFunction.ApplyProfile"/> of s: the recipes of
/// <see cref="Profiles"/>, with correctly rounded roots and quotients. 3. phi_i: a = fma(M[i, j], k_j, a), j = 0..i rising, a from +0, limited to
/// [-2, 2] by comparison. 4. Cells: v_i = trunc(phi_i (2^20 - 1)), then <see cref="NormClamp"/> at 2^40.
/// </remarks>
public sealed class LandmarkMap
{
    /// <summary>A^2 of the norm clamp: the declared bound on a record's cells.</summary>
    internal const long SquaredBound = 1L << 40;

    /// <summary>A - 1: what features are multiplied with before truncation.</summary>
    internal const float Scale = (1 << 20) - 1;

    /// <summary>Features are limited to this size: the conversion to integers is defined whatever M holds.</summary>
    internal const float Limit = 2;

    /// <summary>Largest size of an entry of M: the landmarks are too close to each other where it is passed.</summary>
    internal const float LargestEntry = 1000;

    /// <param name="function">A kernel that landmarks serve.</param>
    /// <param name="dimension">Coordinates per landmark.</param>
    /// <param name="points">[D][dimension] landmarks, canonical.</param>
    /// <param name="triangle">[i (i + 1) / 2 + j] = M[i, j], j at most i.</param>
    public LandmarkMap(PairFunction function, int dimension, float[] points, float[] triangle)
    {
        (Function, Dimension, Count) = (function, dimension, points.Length / dimension);
        (Points, Triangle) = (points, triangle);
        if (points.Length != (long)Count * dimension || triangle.Length != Count * (Count + 1L) / 2)
            throw new ArgumentException("the lengths of landmarks and triangle do not fit each other", nameof(triangle));
    }

    public PairFunction Function { get; }

    public int Dimension { get; }

    /// <summary>D, the number of landmarks and of features.</summary>
    public int Count { get; }

    public float[] Points { get; }

    public float[] Triangle { get; }
}
