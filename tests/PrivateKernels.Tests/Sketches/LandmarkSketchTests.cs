namespace PrivateKernels.Tests;

public sealed class LandmarkSketchTests : IDisposable
{
    const int D = 3;

    readonly SimdEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    static ReleaseRequest Request => SketchCases.Request("gaussian by landmarks", D);

    static ReleasePlan Plan(ReleaseRequest request, DatasetFacts? facts = null) =>
        Planner.Plan(request, facts ?? SketchCases.Facts(D), new());

    [Fact]
    public void Answers_at_the_landmarks_are_exact_and_their_noise_is_that_of_the_price()
    {
        Points landmarks = SketchCases.PublicPoints(D);
        Measurement measurement = Plan(Request).Measurement;
        float[] points = SamplePoints.Points(D);
        Answers answers = SketchCases.WithoutNoise(measurement, points, null, _engine).Estimate(landmarks, _engine);
        for (int q = 0; q < landmarks.Count; q++)
        {
            double exact = SamplePoints.Sum(measurement.Sketch.Function, points, landmarks.Row(q));
            Assert.Equal(exact, answers.Values[q], 2e-4 * SamplePoints.Count);
            // A landmark has a feature vector of length 1 but for lambda.
            Assert.Equal(1, answers.NoiseStd[q] * LandmarkMap.Scale / Math.Sqrt(measurement.Noise.Variance), 1e-4);
        }
    }

    [Fact]
    public void The_count_costs_two_percent_of_the_noise()
    {
        double noise = Plan(Request).Accuracy.NoiseStd, sigma = Plan(Request with { Landmarks = null }).Accuracy.NoiseStd;
        Assert.InRange(noise / sigma, 1.019, 1.021);
    }

    [Fact]
    public void A_query_far_from_every_landmark_is_marked_by_a_bound_that_is_not_a_number()
    {
        Measurement measurement = Plan(Request with { Bandwidth = 0.1 }).Measurement;
        Release release = SketchCases.WithoutNoise(measurement, SamplePoints.Points(D), null, _engine);
        float[] near = SketchCases.PublicPoints(D).Row(0).ToArray(), far = [9, 9, 9];
        Answers answers = release.Estimate(new Points((float[])[.. near, .. far], D), _engine);
        Assert.True(double.IsFinite(answers.ApproximationStd[0]) && double.IsFinite(answers.HalfWidth95[0]));
        Assert.True(double.IsNaN(answers.ApproximationStd[1]) && double.IsNaN(answers.HalfWidth95[1]));
    }

    [Fact]
    public void The_predicted_error_is_that_of_fresh_points_within_a_factor_of_two()
    {
        Measurement measurement = Plan(Request with { Landmarks = Random(80, 1), Features = 80 }).Measurement;
        Points points = Random(2000, 2), queries = Random(200, 3);
        Answers answers = SketchCases.WithoutNoise(measurement, points.Values.ToArray(), null, _engine).Estimate(queries, _engine);
        double squares = 0;
        for (int q = 0; q < queries.Count; q++)
        {
            double error = answers.Values[q] - SamplePoints.Sum(measurement.Sketch.Function, points.Values.Span, queries.Row(q));
            squares += error * error / queries.Count;
        }
        double predicted = measurement.Sketch.Predict(0).ApproximationStdPerRecord * points.Count;
        Assert.InRange(predicted / Math.Sqrt(squares), 0.5, 2);
    }

    [Fact]
    public void Fewer_landmarks_are_the_first_of_more_and_the_same_set_gives_the_same_recipe()
    {
        var writer = new RecipeWriter();
        Plan(Request with { Features = 20 }).Measurement.Sketch.Write(writer);
        Assert.Equal(Plan(Request with { Features = 20 }).Measurement.Sketch.RecipeBytes, writer.Written.Length);
        float[] few = Points(20), many = Points(40);
        Assert.Equal(many[..few.Length], few);
        Assert.Equal(
            Plan(Request).Measurement.Fingerprint.ToArray(), Plan(Request with { Features = 60 }).Measurement.Fingerprint.ToArray());

        static float[] Points(int features)
        {
            var written = new RecipeWriter();
            Plan(Request with { Features = features }).Measurement.Sketch.Write(written);
            var reader = new RecipeReader(written.Written.ToArray());
            reader.ReadInt32();
            return reader.ReadSingles();
        }
    }

    [Fact]
    public void Per_class_releases_classify_by_the_nearest_kernel_mean()
    {
        var facts = SketchCases.Facts(D, classes: ["low", "high"]);
        Measurement measurement = Plan(Request with { PerClass = true, Loss = new PrivacyLoss(8, 1e-6) }, facts).Measurement;
        float[] points = Random(4000, 5).Values.ToArray();
        uint[] labels = [.. Enumerable.Range(0, 4000).Select(i => points[i * D] > 0 ? 1u : 0u)];
        Release release = measurement.Invoke(SketchCases.Receipt(measurement), [new(points, labels)], _engine, static () => { });
        Release read = ReleaseFile.Read(ReleaseFile.Write(release));
        Classification classes = read.Classify(new Points((float[])[-0.4f, 0, 0, 0.4f, 0, 0], D), null, _engine);
        Assert.Equal(ClassScore.NearestKernelMean, classes.Score);
        Assert.Equal([0, 1], classes.Labels);
    }

    [Fact]
    public void What_landmarks_cannot_serve_is_refused_by_field()
    {
        void Refused(string field, ReleaseRequest request) =>
            Assert.Equal(field, Assert.Throws<InvalidFieldException>(() => Plan(request)).Field);
        Refused("public_dataset", Request with { Landmarks = null, Method = SketchMethod.Landmark });
        Refused("public_dataset", Request with { Method = SketchMethod.Fourier });
        Refused("public_dataset", Request with { Function = "rational_quadratic" });
        Refused("public_dataset", Request with { Landmarks = SketchCases.PublicPoints(D + 1) });
        Assert.Throws<LimitExceededException>(() => Plan(Request with { Features = 61 }));
        Assert.Equal(SketchMethod.Landmark, Plan(Request).Request.Method);
        Assert.NotEqual(SketchMethod.Landmark, Plan(Request with { Landmarks = null }).Request.Method);
    }

    static Points Random(int count, ulong seed)
    {
        var numbers = new PublicRandom(seed);
        return new((float[])[.. Enumerable.Range(0, count * D).Select(_ => (float)(numbers.NextUnit() - 0.5))], D);
    }
}
