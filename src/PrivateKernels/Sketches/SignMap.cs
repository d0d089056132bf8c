namespace PrivateKernels;

/// <summary>
/// Sign features on a grid of m cells per coordinate over the box [Lower, Upper]; weight W in cell units.
/// </summary>
/// <remarks>
/// Recipe in fp32 for coordinate x: p = clamp(x, Lower, Upper) - Lower; cell c = min(trunc(p * Scale), m - 1), at least 0;
/// u = fma(p, Scale, -c); v = fma(u, 2, -1) limited to [-1, 1]; fraction term = trunc(v * W).
/// </remarks>
public sealed record SignMap(int Dimension, float Lower, float Upper, int CellsPerCoordinate, int Weight)
{
    /// <summary>m / (Upper - Lower), rounded to fp32 once.</summary>
    public float Scale { get; } = (float)(CellsPerCoordinate / ((double)Upper - Lower));
}
