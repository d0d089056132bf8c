namespace PrivateKernels;

/// <summary>
/// Integer moments of a point about a public center: cells = (Constant, Linear (x - c), Square |x - c|^2), d + 2 of them.
/// </summary>
/// <remarks>
/// Recipe in fp32: z_k = x_k - c_k; q = fma chain of z_k z_k over k = 0..d-1 from +0; cells 0: Constant, 1 + k:
/// trunc(z_k * Linear), d + 1: trunc(q * Square), each limited to [-2^22, 2^22] by comparison before truncation; then
/// <see cref="NormClamp"/> at <see cref="SquaredBound"/>.
/// </remarks>
public sealed record MomentMap(int Dimension, float[] Center, int Constant, float Linear, float Square, long SquaredBound);
