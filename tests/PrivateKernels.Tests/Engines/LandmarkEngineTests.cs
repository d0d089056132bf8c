namespace PrivateKernels.Tests;

public sealed class LandmarkEngineTests
{
    static readonly ReferenceEngine Reference = new();

    public static TheoryData<string, int, int> Cases()
    {
        var cases = new TheoryData<string, int, int>();
        foreach (PairFunctionEntry entry in Catalog.Functions.Where(static e => e.Methods.Contains(SketchMethod.Landmark)))
            foreach ((int d, int landmarks) in new[] { (1, 1), (3, 8), (17, 50), (70, 131) })
                cases.Add(entry.Name, d, landmarks);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Features_equal_the_plain_recipe(string name, int d, int landmarks)
    {
        LandmarkMap map = Map(Catalog.Create(name, Math.Sqrt(d), 0), d, landmarks, 1);
        foreach (Points points in new[] { EngineCases.Normal(51, d), EngineCases.Edges(d), EngineCases.Normal(1, d, seed: 3) })
        {
            var expected = new float[points.Count * landmarks];
            Reference.LandmarkFeatures(map, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var features = new float[expected.Length];
                engine.LandmarkFeatures(map, points, features);
                Assert.Equal(expected, features);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1.5f)]
    [InlineData(40)]
    public void Cells_equal_the_plain_recipe_also_where_the_norm_is_clamped(float factor)
    {
        const int d = 5, landmarks = 37;
        LandmarkMap map = Map(new Gaussian(2), d, landmarks, factor);
        foreach (Points points in new[] { EngineCases.Normal(203, d), EngineCases.Edges(d), new Points(map.Points, d) })
        {
            var expected = new long[landmarks];
            Reference.AddLandmarks(map, points, expected);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                var cells = new long[landmarks];
                engine.AddLandmarks(map, points, cells);
                Assert.Equal(expected, cells);
            }
        }
    }

    [Fact]
    public void The_triangle_inverts_the_regularised_kernel_matrix()
    {
        foreach (string name in (string[])["gaussian", "laplacian", "matern_5_2"])
            foreach (int n in (int[])[1, 2, 5, 30])
            {
                LandmarkMap map = Map(Catalog.Create(name, 3, 0), 4, n, 1);
                for (int i = 0; i < n; i++)
                    for (int j = 0; j <= i; j++)
                    {
                        // (M K M')_ij is the unit matrix.
                        double sum = 0;
                        for (int a = 0; a <= i; a++)
                            for (int b = 0; b <= j; b++) sum += M(map, i, a) * M(map, j, b) * Kernel(map, a, b);
                        Assert.Equal(i == j ? 1 : 0, sum, 1e-5);
                    }
            }
    }

    [Fact]
    public void Maps_that_do_not_fit_are_refused()
    {
        LandmarkMap map = Map(new Gaussian(1), 3, 4, 1);
        Points points = EngineCases.Normal(2, 3);
        SimdEngine engine = EngineCases.Engines[0];
        Assert.Throws<ArgumentException>("cells", () => engine.AddLandmarks(map, points, new long[5]));
        Assert.Throws<ArgumentException>("points", () => engine.AddLandmarks(map, EngineCases.Normal(2, 4), new long[4]));
        Assert.Throws<ArgumentException>("features", () => engine.LandmarkFeatures(map, points, new float[7]));
        Assert.Throws<ArgumentException>("triangle", () => new LandmarkMap(new Gaussian(1), 3, map.Points, new float[9]));
    }

    static LandmarkMap Map(PairFunction function, int d, int landmarks, float factor)
    {
        float[] points = EngineCases.Normal(landmarks, d, seed: 2).Values.ToArray();
        float[] triangle = LandmarkFactor.InverseTriangle(function, points, d)!;
        return new(function, d, points, [.. triangle.Select(x => x * factor)]);
    }

    static double M(LandmarkMap map, int i, int j) => map.Triangle[i * (i + 1) / 2 + j];

    static double Kernel(LandmarkMap map, int a, int b)
    {
        Points points = new(map.Points, map.Dimension);
        return map.Function.Evaluate(points.Row(a), points.Row(b)) + (a == b ? 1e-6 : 0);
    }
}
