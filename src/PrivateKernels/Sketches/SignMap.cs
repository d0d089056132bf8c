namespace PrivateKernels;

/// <summary>
/// Sign features on a grid of m cells per coordinate over the box [Lower, Upper]; weight W in cell units.
/// </summary>
/// <remarks>
/// Recipe in fp32 for coordinate x: p = clamp(x, Lower, Upper) - Lower; cell c = min(trunc(p * Scale), m - 1), at least 0;
/// u = fma(p, Scale, -c); v = fma(u, 2, -1) limited to [-1, 1]; fraction term = trunc(v * W).
/// A record of weight w counts round(W * w) in place of 1, and its fraction term is round((v * W) * w): fp32 products,
/// rounded to the nearest integer, ties to even. Neither is larger than W.
/// </remarks>
/// <param name="Dimension">d.</param>
/// <param name="Lower">Smallest coordinate.</param>
/// <param name="Upper">Largest coordinate.</param>
/// <param name="CellsPerCoordinate">m.</param>
/// <param name="Weight">W, at most 2^20.</param>
public sealed record SignMap(int Dimension, float Lower, float Upper, int CellsPerCoordinate, int Weight)
{
    /// <summary>m / (Upper - Lower), rounded to fp32 once.</summary>
    public float Scale { get; } = (float)(CellsPerCoordinate / ((double)Upper - Lower));

    /// <summary>The nearest integer of a number of at most 2^21 in size, ties to even, in fp32.</summary>
    internal static float Nearest(float value) => value + Phase.Magic - Phase.Magic;
}
