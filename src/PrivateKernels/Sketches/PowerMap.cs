namespace PrivateKernels;

/// <summary>
/// Integer powers of coordinates about a public center: cells[i p + k - 1] = trunc(t_i^k Weights[k - 1]) for k = 1 .. p,
/// p the number of weights, t_i = (x_i - Center) Scale within [-1, 1].
/// </summary>
/// <param name="Dimension">d.</param>
/// <param name="Lower">Smallest coordinate.</param>
/// <param name="Upper">Largest coordinate.</param>
/// <param name="Center">Public, between them.</param>
/// <param name="Scale">1 over the half width of the box.</param>
/// <param name="Weights">Of the powers 1 to p, each from 1 to 2^20.</param>
/// <remarks>
/// Recipe in fp32 for coordinate x: t = (clamp(x, Lower, Upper) - Center) * Scale, limited to [-1, 1]; u = t;
/// for k = 1 .. p: cell = trunc(u * Weights[k - 1]), then u = u * t.
/// </remarks>
public sealed record PowerMap(int Dimension, float Lower, float Upper, float Center, float Scale, int[] Weights);
