namespace PrivateKernels.Tests;

public sealed class ReleaseTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    static ReleasePlan Plan(string name, int features, string[] classes, double epsilon = 1) => Planner.Plan(
        SketchCases.Request(name, 3) with { Features = features, PerClass = classes.Length > 0, Loss = new PrivacyLoss(epsilon, 1e-6) },
        SketchCases.Facts(3, classes: classes), new());

    Release Build(Measurement measurement, uint[]? labels = null) => measurement.Invoke(
        SketchCases.Receipt(measurement), [new Records(SamplePoints.Points(3), labels ?? [])], _engine, static () => { });

    static uint[] Labels(int classes) => [.. Enumerable.Range(0, SamplePoints.Count).Select(i => (uint)(i % classes))];

    [Theory]
    [InlineData("gaussian", 4096)]
    [InlineData("laplacian", 256)]
    [InlineData("l1", 16)]
    [InlineData("l2_squared", 0)]
    [InlineData("inner_product", 0)]
    [InlineData("arc_cosine_0", 64)]
    [InlineData("ntk_relu_1", 256)]
    [InlineData("l2", 32)]
    public void A_release_read_back_answers_with_the_same_bits(string name, int features)
    {
        Release release = Build(Plan(name, features, ["a", "b", "c"]).Measurement, Labels(3));
        byte[] file = ReleaseFile.Write(release);
        Assert.Equal(ReleaseFile.SizeOf(release.Measurement), file.Length);
        Release read = ReleaseFile.Read(file);
        Points queries = new(SamplePoints.QueryPoints(3), 3);
        Assert.Equal(release.Estimate(queries, _engine).Values, read.Estimate(queries, _engine).Values);
        Assert.Equal(release.Estimate(queries, _engine).HalfWidth95, read.Estimate(queries, _engine).HalfWidth95);
        Assert.Equal(
            release.EstimateByClass(queries, _engine).SelectMany(static a => a.Answers.Values),
            read.EstimateByClass(queries, _engine).SelectMany(static a => a.Answers.Values));
        Assert.Equal(release.Measurement.Noise.Scale, read.Measurement.Noise.Scale);
        Assert.Equal(release.Provenance.ReservedAt.Sequence, read.Provenance.ReservedAt.Sequence);
    }

    [Theory]
    [MemberData(nameof(ReleaseCase.All), MemberType = typeof(ReleaseCase))]
    public void Every_structure_reads_back_and_answers_with_the_same_bits(string name)
    {
        var @case = new ReleaseCase(name);
        Measurement measurement = @case.Small(3);
        Release release = measurement.Invoke(
            SketchCases.Receipt(measurement, @case.Unit), [@case.Rows(SamplePoints.Points(@case.Dimension))], _engine, static () => { });
        byte[] file = ReleaseFile.Write(release);
        Assert.Equal(ReleaseFile.SizeOf(measurement), file.Length);
        var queries = new Points(SamplePoints.QueryPoints(@case.Dimension), @case.Dimension);
        Answers own = release.Estimate(queries, _engine), read = ReleaseFile.Read(file).Estimate(queries, _engine);
        Assert.Equal(own.Values, read.Values);
        Assert.Equal(own.HalfWidth95, read.HalfWidth95);
        Assert.Equal(release.Count(), ReleaseFile.Read(file).Count());
    }

    [Theory]
    [InlineData("gaussian", 4096)]
    [InlineData("l1", 16)]
    [InlineData("l2", 32)]
    [InlineData("ntk_relu_1", 256)]
    public void One_class_alone_has_the_bits_that_it_has_among_all(string name, int features)
    {
        Release release = Build(Plan(name, features, ["a", "b", "c"]).Measurement, Labels(3));
        Points queries = new(SamplePoints.QueryPoints(3), 3);
        IReadOnlyList<ClassAnswers> all = release.EstimateByClass(queries, _engine);
        for (int c = 0; c < 3; c++)
        {
            Answers alone = release.EstimateClass(queries, c, _engine);
            Assert.Equal(all[c].Answers.Values, alone.Values);
            Assert.Equal(all[c].Answers.HalfWidth95, alone.HalfWidth95);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => release.EstimateClass(queries, 3, _engine));
        Assert.Throws<NotPerClassException>(() => Build(Plan(name, features, []).Measurement).EstimateClass(queries, 0, _engine));
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_of_a_file_is_refused()
    {
        byte[] file = ReleaseFile.Write(Build(Plan("gaussian", 16, []).Measurement));
        for (int bit = 0; bit < 8 * file.Length; bit += 7)
        {
            byte[] flipped = (byte[])file.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => ReleaseFile.Read(flipped));
        }
        for (int length = 0; length < file.Length; length++)
            Assert.Throws<InvalidDataException>(() => ReleaseFile.Read(file.AsMemory(0, length)));
    }

    [Fact]
    public void A_file_made_up_with_a_right_checksum_is_refused_by_what_is_wrong_in_it()
    {
        byte[] file = ReleaseFile.Write(Build(Plan("gaussian", 16, []).Measurement));
        var numbers = new PublicRandom(3);
        int refused = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            byte[] changed = (byte[])file.Clone();
            changed[12 + numbers.NextBelow(file.Length - 44)] = (byte)numbers.NextBelow(256);
            System.Security.Cryptography.SHA256.HashData(changed.AsSpan(0, changed.Length - 32), changed.AsSpan(changed.Length - 32));
            try
            {
                ReleaseFile.Read(changed).Estimate(new(SamplePoints.QueryPoints(3), 3), _engine);
            }
            catch (Exception e) when (e is InvalidDataException or OutOfDomainException or DimensionMismatchException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 100, 2000);
    }

    [Fact]
    public void Classes_add_up_to_the_whole_and_counts_are_right_within_their_noise()
    {
        Release release = Build(Plan("gaussian", 256, ["a", "b", "c"], epsilon: 8).Measurement, Labels(3));
        Points queries = new(SamplePoints.QueryPoints(3), 3);
        IReadOnlyList<ClassAnswers> classes = release.EstimateByClass(queries, _engine);
        Answers whole = release.Estimate(queries, _engine);
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            Assert.Equal(whole.Values[q], classes.Sum(c => c.Answers.Values[q]), 1e-6);
            Assert.Equal(whole.NoiseStd[q], Math.Sqrt(3) * classes[0].Answers.NoiseStd[q], 1e-9);
        }
        foreach (ClassAnswers c in classes) Assert.InRange(Math.Abs(c.Count - SamplePoints.Count / 3.0), 0, 1 + 6 * c.CountNoiseStd);
    }

    [Fact]
    public void A_receipt_pays_for_one_measurement_once()
    {
        Measurement measurement = Plan("gaussian", 16, []).Measurement, other = Plan("gaussian", 32, []).Measurement;
        Receipt receipt = SketchCases.Receipt(measurement);
        Records[] records = [new(SamplePoints.Points(3), default)];
        Assert.Throws<InvalidOperationException>(() => other.Invoke(receipt, records, _engine, static () => { }));
        measurement.Invoke(receipt, records, _engine, static () => { });
        Assert.Throws<InvalidOperationException>(() => measurement.Invoke(receipt, records, _engine, static () => { }));
    }

    [Fact]
    public void A_build_given_up_before_releasing_leaves_its_receipt_unused()
    {
        Measurement measurement = Plan("gaussian", 16, []).Measurement;
        Receipt receipt = SketchCases.Receipt(measurement);
        Records[] records = [new(SamplePoints.Points(3), default)];
        Assert.Throws<OperationCanceledException>(() =>
            measurement.Invoke(receipt, records, _engine, static () => throw new OperationCanceledException()));
        Assert.NotNull(measurement.Invoke(receipt, records, _engine, static () => { }));
    }

    [Fact]
    public void Queries_that_are_not_finite_of_another_dimension_or_outside_the_box_are_named()
    {
        Release kernel = Build(Plan("gaussian", 16, []).Measurement), l1 = Build(Plan("l1", 16, []).Measurement);
        float[] queries = [0, 0, 0, 0, float.NaN, 0];
        DomainViolation bad = Assert.Throws<OutOfDomainException>(() => kernel.Estimate(new(queries, 3), _engine)).Violation;
        Assert.Equal((1, 1, DomainRule.Finite), (bad.Row, bad.Column, bad.Rule));
        Assert.Throws<DimensionMismatchException>(() => kernel.Estimate(new(queries, 2), _engine));
        Assert.Throws<DimensionMismatchException>(() => kernel.Estimate(new(default, 2), _engine));
        Assert.Empty(kernel.Estimate(new(default, 3), _engine).Values);
        float[] outside = [0, 0, 3];
        Assert.Equal(DomainRule.Upper, Assert.Throws<OutOfDomainException>(() => l1.Estimate(new(outside, 3), _engine)).Violation.Rule);
        Assert.Single(kernel.Estimate(new(outside, 3), _engine).Values);
    }
}
