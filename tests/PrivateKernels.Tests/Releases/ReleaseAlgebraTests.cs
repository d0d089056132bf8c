using System.Security.Cryptography;

namespace PrivateKernels.Tests;

public sealed class ReleaseAlgebraTests : IDisposable
{
    const int Dimension = 3, Split = 100;

    static readonly float[] All = SamplePoints.Points(Dimension);

    static readonly float[] Left = All[..(Split * Dimension)], Right = All[(Split * Dimension)..];

    static readonly Points Queries = new(SamplePoints.QueryPoints(Dimension), Dimension);

    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    static Measurement Plan(
        string name, ReleaseRequest? request = null, CostUnit unit = CostUnit.MuSquared, params string[] classes) => Planner.Plan(
            (request ?? SketchCases.Request(name, Dimension, unit)) with { PerClass = classes.Length > 0 },
            SketchCases.Facts(Dimension, unit: unit, classes: classes), new()).Measurement;

    static ReleaseRequest Gaussian => SketchCases.Request("gaussian", Dimension) with { Method = SketchMethod.Fourier, Features = 64 };

    Release Exact(Measurement measurement, float[] points, uint[]? labels = null) =>
        SketchCases.WithoutNoise(measurement, points, labels, _engine);

    Release Noisy(Measurement measurement, float[] points, CostUnit unit = CostUnit.MuSquared) => measurement.Invoke(
        SketchCases.Receipt(measurement, unit), [new Records((float[])points.Clone(), default)], _engine, static () => { });

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Cells_of_a_sum_are_those_of_the_union_and_a_difference_takes_them_apart_again(string name)
    {
        Measurement measurement = Plan(name);
        Release left = Exact(measurement, Left), right = Exact(measurement, Right), whole = Exact(measurement, All);
        Assert.Equal(whole.Cells, ReleaseAlgebra.Add(left, right).Cells);
        Assert.Equal(left.Cells, ReleaseAlgebra.Subtract(whole, right).Cells);
    }

    [Theory]
    [MemberData(nameof(SketchCases.Names), MemberType = typeof(SketchCases))]
    public void Bars_of_a_difference_speak_of_the_records_of_both_sides(string name)
    {
        Measurement measurement = Plan(name);
        CombinedRelease combined = ReleaseAlgebra.Subtract(Exact(measurement, Right), Exact(measurement, Left));
        Answers difference = combined.Estimate(Queries, _engine);
        if (combined.Count() is not null) Assert.InRange(combined.TotalRecords, SamplePoints.Count - 0.5, SamplePoints.Count + 0.5);
        PairFunction f = measurement.Sketch.Function;
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            double truth = SamplePoints.Sum(f, Right, Queries.Row(q)) - SamplePoints.Sum(f, Left, Queries.Row(q));
            double error = Math.Abs(difference.Values[q] - truth);
            // Where groups give the bar it holds 95 % of the time; a bound holds always (NaN: no landmark is near).
            if (difference.DegreesOfFreedom == 0 && !double.IsNaN(difference.HalfWidth95[q]))
                Assert.True(error <= difference.HalfWidth95[q], $"{error} and {difference.HalfWidth95[q]}");
        }
    }

    [Fact]
    public void Noise_of_a_combination_is_that_of_its_parents_whatever_their_mechanisms()
    {
        Measurement normal = Plan("gaussian", Gaussian);
        Measurement laplace = Plan("gaussian", Gaussian with { Mechanism = MechanismKind.DiscreteLaplace, Loss = new(2, 0), Features = 64 });
        Release a = Noisy(normal, Left), b = Noisy(laplace, Right);
        double Variance(ReleasedSums release) => Math.Pow(release.Estimate(Queries, _engine).NoiseStd[0], 2);
        double stated = Variance(ReleaseAlgebra.Subtract(a, b)), squares = 0;
        Assert.Equal(Variance(a) + Variance(b), stated, 1e-9 * stated);
        const int draws = 2000;
        Release emptyA = Exact(normal, []), emptyB = Exact(laplace, []);
        for (int draw = 0; draw < draws; draw++)
        {
            long[] x = [.. emptyA.Cells], y = [.. emptyB.Cells];
            normal.Noise.AddTo(x);
            laplace.Noise.AddTo(y);
            ReleasedSums difference = ReleaseAlgebra.Subtract(
                new Release(normal, SketchCases.Provenance, x), new Release(laplace, SketchCases.Provenance, y));
            squares += Math.Pow(difference.Estimate(Queries.Slice(0, 1), _engine).Values[0], 2);
        }
        // Standard error of the ratio: 3.2 %.
        Assert.InRange(squares / draws / stated, 0.85, 1.15);
    }

    [Fact]
    public void A_combination_read_back_answers_with_the_same_bits_and_names_its_parents()
    {
        Measurement measurement = Plan("l1");
        Release a = Noisy(measurement, Left), b = Noisy(measurement, Right), c = Noisy(measurement, All);
        CombinedRelease combined = ReleaseAlgebra.Subtract(ReleaseAlgebra.Add(a, b), c);
        byte[] file = CombinedFile.Write(combined);
        CombinedRelease read = CombinedFile.Read(file);
        Assert.Equal(file, CombinedFile.Write(read));
        Assert.Equal(combined.Estimate(Queries, _engine).Values, read.Estimate(Queries, _engine).Values);
        Assert.Equal(combined.Estimate(Queries, _engine).HalfWidth95, read.Estimate(Queries, _engine).HalfWidth95);
        Assert.Equal(combined.Count(), read.Count());
        Assert.Equal([1, 1, -1], read.Parents.Select(static p => p.Sign));
        Assert.Equal(
            new[] { a, b, c }.Select(static r => Convert.ToHexString(SHA256.HashData(ReleaseFile.Write(r)))),
            read.Parents.Select(static p => Convert.ToHexString(p.Sha256.Span)));
        Assert.Equal(SketchCases.Provenance.ReservedAt.Sequence, read.Parents[0].ReservedAt.Sequence);
    }

    [Fact]
    public void A_damaged_combination_and_one_taken_for_a_release_are_refused()
    {
        Measurement measurement = Plan("gaussian", Gaussian);
        byte[] file = CombinedFile.Write(ReleaseAlgebra.Add(Noisy(measurement, Left), Noisy(measurement, Right)));
        for (int bit = 0; bit < 8 * file.Length; bit += 31)
        {
            byte[] flipped = (byte[])file.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => CombinedFile.Read(flipped));
        }
        Assert.Throws<InvalidDataException>(() => ReleaseFile.Read(file));
        Assert.Throws<InvalidDataException>(() => ReleaseFile.ReadProvenance(file));
        var numbers = new PublicRandom(5);
        int refused = 0;
        for (int trial = 0; trial < 500; trial++)
        {
            byte[] changed = (byte[])file.Clone();
            changed[12 + numbers.NextBelow(file.Length - 44)] = (byte)numbers.NextBelow(256);
            SHA256.HashData(changed.AsSpan(0, changed.Length - 32), changed.AsSpan(changed.Length - 32));
            try
            {
                CombinedFile.Read(changed).Estimate(Queries, _engine);
            }
            catch (Exception e) when (e is InvalidDataException or DimensionMismatchException or OutOfDomainException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 20, 500);
    }

    [Fact]
    public void Maps_that_differ_are_refused_field_by_field()
    {
        Release one = Noisy(Plan("gaussian", Gaussian), Left);
        Release two = Noisy(Plan("gaussian", Gaussian with { Bandwidth = 3, Seed = 8, Features = 128 }), Right);
        MapMismatchException refusal = Assert.Throws<MapMismatchException>(() => ReleaseAlgebra.Add(one, two));
        Assert.Equal(
            [$"function.bandwidth is {FormattableString.Invariant($"{Gaussian.Bandwidth}")} and 3", "features is 64 and 128",
                "seed is 7 and 8", "cells is 128 and 256"],
            refusal.Differences);
        string[] Differences(Measurement a, Measurement b) =>
            [.. Assert.Throws<MapMismatchException>(() => ReleaseAlgebra.Subtract(Exact(a, []), Noisy(b, []))).Differences];
        Assert.StartsWith("classes", Assert.Single(Differences(
            Plan("gaussian", Gaussian, classes: ["a", "b"]), Plan("gaussian", Gaussian, classes: ["b", "a"]))));
        ReleaseRequest landmarks = SketchCases.Request("exponential by landmarks", Dimension) with { Features = 20 };
        Assert.StartsWith("what was drawn", Assert.Single(Differences(
            Plan("", landmarks), Plan("", landmarks with { Landmarks = SketchCases.PublicPoints(Dimension).Slice(1, 59) }))));
        Measurement weighted = Planner.Plan(
            Gaussian with { Weighted = true }, SketchCases.Facts(Dimension) with { MaxAbsValue = 2.5 }, new()).Measurement;
        Assert.Contains("weighting is one and values up to 2.5", Differences(Plan("gaussian", Gaussian), weighted));
        Assert.Equal("weighting", Assert.Throws<InvalidFieldException>(
            () => KernelMean.Of(weighted.Sketch, new(Left, Dimension), _engine)).Field);
        Assert.Contains("function.name is l1 and l2_squared", Differences(Plan("l1"), Plan("l2_squared")));
    }

    [Fact]
    public void Bounds_matter_only_to_maps_that_are_made_for_them()
    {
        Measurement Within(ReleaseRequest request, double upper) => Planner.Plan(
            request, SketchCases.Facts(Dimension) with { Domain = new Domain(Dimension, -0.5, upper, 2) }, new()).Measurement;
        ReleaseRequest l1 = SketchCases.Request("l1", Dimension);
        Assert.NotNull(ReleaseAlgebra.Add(Noisy(Within(Gaussian, 0.5), Left), Noisy(Within(Gaussian, 1), Right)));
        MapMismatchException refusal = Assert.Throws<MapMismatchException>(
            () => ReleaseAlgebra.Add(Noisy(Within(l1, 0.5), Left), Noisy(Within(l1, 1), Right)));
        Assert.Equal(["domain.upper is 0.5 and 1"], refusal.Differences);
    }

    [Fact]
    public void A_release_is_used_once_in_a_combination_however_deep()
    {
        Measurement measurement = Plan("gaussian", Gaussian);
        Release a = Noisy(measurement, Left), b = Noisy(measurement, Right), c = Noisy(measurement, All);
        Assert.Throws<SharedParentException>(() => ReleaseAlgebra.Add(a, a));
        Assert.Throws<SharedParentException>(() => ReleaseAlgebra.Subtract(ReleaseAlgebra.Add(a, b), b));
        Assert.Equal(3, ReleaseAlgebra.Add(ReleaseAlgebra.Add(a, b), c).Parents.Count);
        Assert.Throws<InvalidFieldException>(() => ReleaseAlgebra.Add(a));
    }

    [Fact]
    public void Merged_classes_are_those_of_all_and_a_class_of_several_is_added_up()
    {
        uint[] Labels(float[] points) => [.. Enumerable.Range(0, points.Length / Dimension).Select(static i => (uint)(i % 2))];
        Measurement ab = Plan("gaussian", Gaussian, classes: ["a", "b"]), bc = Plan("gaussian", Gaussian, classes: ["b", "c"]);
        Release left = Exact(ab, Left, Labels(Left)), right = Exact(bc, Right, Labels(Right));
        CombinedRelease merged = CombinedFile.Read(CombinedFile.Write(ReleaseAlgebra.Merge(left, right)));
        Assert.Equal(["a", "b", "c"], merged.Classes);
        Assert.Equal(left.Block(0), merged.Block(0));
        Assert.Equal(right.Block(1), merged.Block(2));
        IReadOnlyList<ClassAnswers> l = left.EstimateByClass(Queries, _engine), r = right.EstimateByClass(Queries, _engine);
        IReadOnlyList<ClassAnswers> m = merged.EstimateByClass(Queries, _engine);
        Assert.Equal(l[1].Count + r[0].Count, m[1].Count, 1e-6);
        for (int q = 0; q < SamplePoints.Queries; q++)
        {
            Assert.Equal(l[1].Answers.Values[q] + r[0].Answers.Values[q], m[1].Answers.Values[q], 1e-6);
            Assert.Equal(Math.Sqrt(2) * m[0].Answers.NoiseStd[q], m[1].Answers.NoiseStd[q], 1e-9);
        }
        // The data is cells 50 + 50 + 79 + 78 of noise std about 20 in a count: all but the first are large enough.
        Assert.Equal(3, merged.Classify(Queries, ClassScore.Sum, _engine).Scores.Length / SamplePoints.Queries);
        Assert.Throws<NotPerClassException>(() => ReleaseAlgebra.Merge(left, Noisy(Plan("gaussian", Gaussian), Left)));
    }
}
