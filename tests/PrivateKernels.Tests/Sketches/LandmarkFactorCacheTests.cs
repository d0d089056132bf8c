namespace PrivateKernels.Tests;

public sealed class LandmarkFactorCacheTests
{
    static float[] Points(int count, int first = 0) => SketchCases.PublicPoints(3, first + count).Slice(first, count).Values.ToArray();

    [Fact]
    public void The_same_landmarks_of_the_same_function_are_factored_once()
    {
        var cache = new LandmarkFactorCache(1 << 20);
        float[] factor = cache.InverseTriangle(new Gaussian(1), Points(20), 3)!;
        Assert.Equal(LandmarkFactor.InverseTriangle(new Gaussian(1), Points(20), 3), factor);
        Assert.Same(factor, cache.InverseTriangle(new Gaussian(1), Points(20), 3));
        Assert.NotSame(factor, cache.InverseTriangle(new Gaussian(2), Points(20), 3));
        Assert.NotSame(factor, cache.InverseTriangle(new Exponential(1), Points(20), 3));
        Assert.NotSame(factor, cache.InverseTriangle(new Gaussian(1), Points(20, first: 1), 3));
        Assert.NotSame(factor, cache.InverseTriangle(new Gaussian(1), Points(19), 3));
    }

    [Fact]
    public void The_least_recently_used_factor_makes_room()
    {
        // A factor of 20 landmarks has 210 entries.
        var cache = new LandmarkFactorCache(2 * 4 * 210);
        float[] a = cache.InverseTriangle(new Gaussian(1), Points(20), 3)!, b = cache.InverseTriangle(new Gaussian(2), Points(20), 3)!;
        Assert.Same(a, cache.InverseTriangle(new Gaussian(1), Points(20), 3));
        cache.InverseTriangle(new Gaussian(3), Points(20), 3);
        Assert.Same(a, cache.InverseTriangle(new Gaussian(1), Points(20), 3));
        Assert.NotSame(b, cache.InverseTriangle(new Gaussian(2), Points(20), 3));
    }

    [Fact]
    public async Task Many_who_ask_at_once_get_one_factor()
    {
        var cache = new LandmarkFactorCache(1 << 20);
        float[]?[] all = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            _ => Task.Run(() => cache.InverseTriangle(new Gaussian(1), Points(60), 3))));
        Assert.All(all, factor => Assert.Same(all[0], factor));
    }
}
