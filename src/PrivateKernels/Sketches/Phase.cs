namespace PrivateKernels;

/// <summary>The shared recipe of cosine and sine; the SIMD engine's vector form and the device form repeat it.</summary>
static class Phase
{
}
