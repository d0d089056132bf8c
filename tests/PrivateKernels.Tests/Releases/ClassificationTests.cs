namespace PrivateKernels.Tests;

public sealed class ClassificationTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    /// <summary>Three blobs in the plane and a fourth class without a record.</summary>
    static (float[] Points, uint[] Labels) Blobs(int perClass, ulong seed)
    {
        double[][] centers = [[0, 0], [3, 0], [0, 3]];
        var random = new PublicRandom(seed);
        var points = new List<float>();
        var labels = new List<uint>();
        for (int i = 0; i < 3 * perClass; i++)
        {
            labels.Add((uint)(i % 3));
            foreach (double x in centers[i % 3]) points.Add((float)(x + 0.3 * random.NextNormal()));
        }
        return ([.. points], [.. labels]);
    }

    Release Build(string function, double epsilon, Adjacency adjacency = Adjacency.AddOrRemoveOne)
    {
        var facts = new DatasetFacts(
            new Domain(2, -2, 5, 8), adjacency, 1, 10_000, ["red", "green", "blue", "none"], CostUnit.MuSquared);
        ReleaseRequest request = new()
        {
            Function = function,
            Bandwidth = function == "gaussian" ? 1.5 : 0,
            PerClass = true,
            Seed = 5,
            Loss = new PrivacyLoss(epsilon, 1e-6),
        };
        Measurement measurement = Planner.Plan(request, facts, new()).Measurement;
        (float[] points, uint[] labels) = Blobs(500, 1);
        return measurement.Invoke(SketchCases.Receipt(measurement), [new Records(points, labels)], _engine, static () => { });
    }

    [Theory]
    [InlineData("gaussian", ClassScore.NearestKernelMean)]
    [InlineData("gaussian", ClassScore.Mean)]
    [InlineData("gaussian", ClassScore.Sum)]
    [InlineData("inner_product", ClassScore.NearestKernelMean)]
    [InlineData("l2_squared", ClassScore.Mean)]
    [InlineData("l1", ClassScore.Mean)]
    public void Points_go_to_the_class_that_is_most_alike(string function, ClassScore score)
    {
        Release release = Build(function, 2);
        (float[] points, uint[] labels) = Blobs(100, 2);
        Classification result = release.Classify(new(points, 2), score, _engine);
        Assert.True(labels.Zip(result.Labels).Count(static p => p.First == p.Second) >= 295);
        Assert.Equal(score, result.Score);
        Assert.Equal(score == ClassScore.Sum ? [] : new[] { 3 }, result.Excluded);
        Assert.Equal(score != ClassScore.Sum, double.IsNaN(result.Scores[3]));
    }

    [Fact]
    public void The_best_score_of_the_sketch_is_chosen_when_none_is_named()
    {
        Points points = new(Blobs(1, 2).Points, 2);
        Assert.Equal(ClassScore.NearestKernelMean, Build("gaussian", 2).Classify(points, null, _engine).Score);
        Release distance = Build("l2_squared", 2);
        Assert.Equal(ClassScore.Mean, distance.Classify(points, null, _engine).Score);
        Assert.Throws<InvalidFieldException>(() => distance.Classify(points, ClassScore.NearestKernelMean, _engine));
    }

    [Fact]
    public void With_more_noise_than_records_there_is_no_class_under_means_but_there_is_under_sums()
    {
        Release release = Build("gaussian", 0.005);
        Points points = new(Blobs(1, 2).Points, 2);
        Assert.Throws<NoClassLargeEnoughException>(() => release.Classify(points, ClassScore.Mean, _engine));
        Assert.Equal(3, release.Classify(points, ClassScore.Sum, _engine).Labels.Length);
    }

    [Fact]
    public void A_changed_label_is_within_the_sensitivity_of_replacing_one_record()
    {
        foreach (string function in (string[])["gaussian", "arc_cosine_0", "arc_cosine_1", "ntk_relu_1", "inner_product", "l1", "l2", "l2_squared"])
        {
            Measurement measurement = Build(function, 1, Adjacency.ReplaceOne).Measurement;
            float[] point = [0.5f, -1.5f], other = [4.9f, 3];
            long[] a = SketchCases.WithoutNoise(measurement, point, [0], _engine).Cells;
            foreach ((float[] p, uint label) in new[] { (point, 1u), (other, 0u), (other, 3u) })
            {
                long[] b = SketchCases.WithoutNoise(measurement, p, [label], _engine).Cells;
                var squared = a.Zip(b, static (x, y) => (System.Numerics.BigInteger)(x - y) * (x - y)).Aggregate(static (x, y) => x + y);
                Assert.True(squared <= measurement.Sensitivity.SquaredL2, $"{function}: {squared} > {measurement.Sensitivity.SquaredL2}");
            }
        }
    }

    [Fact]
    public void A_release_without_classes_cannot_classify()
    {
        Measurement measurement = SketchCases.Measurement("gaussian", 3);
        Release release = SketchCases.WithoutNoise(measurement, [0, 0, 0], null, _engine);
        Assert.Throws<NotPerClassException>(() => release.Classify(new(new float[3], 3), null, _engine));
        Assert.Throws<NotPerClassException>(() => release.EstimateByClass(new(new float[3], 3), _engine));
    }
}
