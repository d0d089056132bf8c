namespace PrivateKernels.Tests;

/// <summary>The integer clamp that moments, spherical features and landmarks rest on.</summary>
public sealed class NormClampTests
{
    public static TheoryData<long> Bounds => [1, 1000, 1L << 40, (1L << 50) + 12345, 1L << 59];

    [Theory]
    [MemberData(nameof(Bounds))]
    public void What_is_too_long_comes_out_within_the_bound_and_hardly_shorter(long bound)
    {
        var random = new PublicRandom(61);
        double radius = Math.Sqrt(bound);
        for (int trial = 0; trial < 20_000; trial++)
        {
            // Just beyond the bound, a little beyond and far beyond; few entries, so that flooring hides no error.
            double excess = 1 + Math.Pow(2, -(random.NextUnit() * 40)) * (trial % 2 == 0 ? 1 : 0.4);
            int[] v = Vector(random, 1 + random.NextBelow(3), Math.Min(radius * excess, 1 << 30));
            long before = NormClamp.SquaredNorm(v);
            int[] clamped = [.. v];
            NormClamp.Apply(clamped, bound);
            long after = NormClamp.SquaredNorm(clamped);
            Assert.True(after <= bound, $"{after} > {bound}");
            if (before <= bound)
            {
                Assert.Equal(v, clamped);
                continue;
            }
            // Flooring takes less than a unit from each of at most three entries, 2^-30 and the root's ceiling the rest.
            Assert.True(Math.Sqrt(after) >= radius * (1 - 1e-8) - 3, $"{after} of {bound}");
            for (int j = 0; j < v.Length; j++) Assert.True(Math.Sign(clamped[j]) * Math.Sign(v[j]) >= 0);
        }
    }

    [Fact]
    public void Roots_are_floors()
    {
        foreach (long root in new[] { 0, 1, 2, 3, 46_341, (1L << 30) - 1, 1L << 30, 3_000_000_000 })
        {
            Assert.Equal(root, NormClamp.IntegerSquareRoot(root * root));
            Assert.Equal(root, NormClamp.IntegerSquareRoot((root * root) + (2 * root)));
            if (root > 0) Assert.Equal(root - 1, NormClamp.IntegerSquareRoot((root * root) - 1));
        }
    }

    /// <summary>A random direction of about this length.</summary>
    static int[] Vector(PublicRandom random, int size, double length)
    {
        double[] direction = [.. Enumerable.Range(0, size).Select(_ => random.NextNormal())];
        double norm = Math.Sqrt(direction.Sum(static x => x * x));
        return [.. direction.Select(x => (int)Math.Round(x * length / norm))];
    }
}
