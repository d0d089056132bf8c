namespace PrivateKernels.Tests;

public sealed class PlannerTests
{
    static readonly PlannerLimits Limits = new();

    static ReleaseRequest Gaussian => new() { Function = "gaussian", Bandwidth = 5, Loss = new PrivacyLoss(1, 1e-6) };

    static DatasetFacts Facts(int d, long records = 60_000, CostUnit unit = CostUnit.MuSquared) =>
        new(new Domain(d, 0, 1, 28), Adjacency.AddOrRemoveOne, 1, records, ["a", "b"], unit);

    /// <summary>Under pure epsilon features cost noise: neither half of them nor twice as many is better.</summary>
    [Theory]
    [InlineData("gaussian", 7, 60_000)]
    [InlineData("gaussian", 7, 2_000)]
    [InlineData("laplacian", 100, 60_000)]
    [InlineData("ntk_relu_1", 0, 20_000)]
    public void Pure_sizes_balance_noise_and_approximation(string function, double bandwidth, long records)
    {
        var facts = new DatasetFacts(new Domain(784, 0, 1, 28), Adjacency.AddOrRemoveOne, 1, records, [], CostUnit.Epsilon);
        var request = new ReleaseRequest { Function = function, Bandwidth = bandwidth, Seed = 3, Loss = new PrivacyLoss(1, 0) };
        ReleasePlan plan = Planner.Plan(request, facts, new());
        foreach (double factor in (double[])[0.5, 2])
        {
            ReleasePlan other = Planner.Plan(request with { Features = (int)(plan.Request.Features * factor) }, facts, new());
            Assert.True(other.Accuracy.TotalStdAtMaxRecords > 0.99 * plan.Accuracy.TotalStdAtMaxRecords);
        }
    }

    [Fact]
    public void High_dimension_gets_structured_blocks_and_low_dimension_dense_rows()
    {
        var high = (FourierSketch)Planner.Plan(Gaussian, Facts(784, 20_000), Limits).Measurement.Sketch;
        Assert.True(high.IsStructured);
        Assert.Equal((4096, 4), (high.Features, high.Groups));
        var low = (FourierSketch)Planner.Plan(Gaussian, Facts(16), Limits).Measurement.Sketch;
        Assert.False(low.IsStructured);
        var laplacian = (FourierSketch)Planner.Plan(Gaussian with { Function = "laplacian" }, Facts(784), Limits).Measurement.Sketch;
        Assert.False(laplacian.IsStructured);
    }

    /// <summary>Noise does not grow with n, the approximation does: at 60,000 rows 4,096 frequencies err by twenty sigma.</summary>
    [Fact]
    public void Many_records_get_more_frequencies_unless_they_cost_noise_or_time_or_a_size_is_named()
    {
        Assert.Equal(16384, Features(Facts(784)));
        Assert.InRange(Features(Facts(784, 40_000)), 5000, 12_000);
        Assert.Equal(4096, Features(Facts(784) with { MaxRecordsDeclared = false }));
        Assert.Equal(4096, Features(Facts(16)));
        Assert.Equal(4096, Planner.Plan(Gaussian with { Features = 4096 }, Facts(784), Limits).Request.Features);
        ReleasePlan small = Planner.Plan(Gaussian, Facts(784), Limits, new PlannerGoal(MaxFileBytes: 100_000));
        Assert.Equal(4096, small.Request.Features);

        static int Features(DatasetFacts facts) => Planner.Plan(Gaussian, facts, Limits).Request.Features;
    }

    [Theory]
    [InlineData("gaussian", 16384)]
    [InlineData("laplacian", 5000)]
    [InlineData("arc_cosine_0", 16384)]
    public void Dense_rows_are_4096_in_any_dimension_and_more_than_a_file_can_describe_are_refused(string name, int d)
    {
        ReleaseRequest request = Gaussian with { Function = name, Bandwidth = name == "arc_cosine_0" ? 0 : 5 };
        Assert.Equal(4096, Planner.Plan(request, Facts(d), Limits).Request.Features);
        Assert.Equal("features", Assert.Throws<InvalidFieldException>(
            () => Planner.Plan(request with { Features = 250_000 }, Facts(d), new(1 << 20))).Field);
        Assert.Equal(131072, Planner.Plan(Gaussian with { Features = 131072 }, Facts(8192), Limits).Request.Features);
    }

    [Fact]
    public void Noise_of_a_kernel_sum_is_sigma_whatever_the_features()
    {
        foreach (int features in (int[])[4096, 16384])
            Assert.Equal(4.2247, Planner.Plan(Gaussian with { Features = features }, Facts(784), Limits).Accuracy.NoiseStd, 0.01);
        Assert.Equal(4.2247 * 784, Planner.Plan(Gaussian with { Function = "l1", Bandwidth = 0 }, Facts(784), Limits).Accuracy.NoiseStd, 4.0);
        double l2 = Planner.Plan(Gaussian with { Function = "l2_squared", Bandwidth = 0 }, Facts(784), Limits).Accuracy.NoiseStd;
        Assert.Equal(4.2247 * 4 * 28 * 28, l2, 10.0);
    }

    [Fact]
    public void A_target_raises_the_features_until_it_is_met_or_says_that_it_cannot_be()
    {
        ReleasePlan first = Planner.Plan(Gaussian, Facts(784), Limits);
        double target = first.Accuracy.TotalStdAtMaxRecords / 1.9;
        ReleasePlan better = Planner.Plan(Gaussian, Facts(784), Limits, new PlannerGoal(target));
        Assert.True(better.Accuracy.TotalStdAtMaxRecords <= target);
        Assert.True(better.Request.Features > first.Request.Features);
        ReleasePlan impossible = Planner.Plan(Gaussian, Facts(784), Limits, new PlannerGoal(1));
        Assert.Contains("cannot be reached", impossible.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_limit_lowers_the_features()
    {
        DatasetFacts facts = Facts(16);
        ReleasePlan plan = Planner.Plan(Gaussian, facts, Limits, new PlannerGoal(MaxFileBytes: 40_000));
        Assert.InRange(plan.Accuracy.FileBytes, 1000, 40_000);
        Assert.Equal(ReleaseFile.SizeOf(plan.Measurement), plan.Accuracy.FileBytes);
    }

    [Fact]
    public void Under_pure_epsilon_the_number_of_features_grows_with_the_records()
    {
        ReleaseRequest pure = Gaussian with { Loss = new PrivacyLoss(1, 0) };
        int few = Planner.Plan(pure, Facts(64, 3_000, CostUnit.Epsilon), Limits).Request.Features;
        int many = Planner.Plan(pure, Facts(64, 60_000, CostUnit.Epsilon), Limits).Request.Features;
        Assert.InRange(few, 150, 260);
        Assert.InRange(many, 3500, 4200);
    }

    [Theory]
    [InlineData(null, 1, 0.0, "privacy.loss.delta")]
    [InlineData(MechanismKind.DiscreteLaplace, 1, 1e-6, "privacy.loss.delta")]
    public void Strength_that_does_not_fit_the_mechanism_is_refused_by_field(MechanismKind? mechanism, double epsilon, double delta, string field)
    {
        ReleaseRequest request = Gaussian with { Mechanism = mechanism, Loss = new PrivacyLoss(epsilon, delta) };
        Assert.Equal(field, Assert.Throws<InvalidFieldException>(() => Planner.Plan(request, Facts(8), Limits)).Field);
    }

    [Fact]
    public void What_cannot_be_planned_is_refused_by_name()
    {
        DatasetFacts facts = Facts(8);
        Assert.Throws<MechanismMismatchException>(() => Planner.Plan(
            Gaussian with { Mechanism = MechanismKind.RoundedNormal }, facts with { AccountUnit = CostUnit.Epsilon }, Limits));
        Assert.Throws<InvalidFieldException>(() => Planner.Plan(Gaussian with { Mu = 1 }, facts, Limits));
        Assert.Throws<InvalidFieldException>(() => Planner.Plan(Gaussian with { Method = SketchMethod.Sign }, facts, Limits));
        Assert.Throws<NotLabelledException>(() => Planner.Plan(Gaussian with { PerClass = true }, facts with { Classes = [] }, Limits));
        Assert.Throws<LimitExceededException>(() => Planner.Plan(Gaussian with { Features = 1 << 20 }, facts, Limits));
        Assert.Throws<LimitExceededException>(() => Planner.Plan(Gaussian, facts with { MaxRecords = 1L << 43 }, Limits));
        var unbounded = facts with { Domain = new Domain(8) };
        foreach (string name in (string[])["l1", "l2_squared"])
            Assert.Throws<DomainNotDeclaredException>(() => Planner.Plan(Gaussian with { Function = name, Bandwidth = 0 }, unbounded, Limits));
    }

    [Fact]
    public void Alternatives_are_complete_and_say_what_they_trade()
    {
        DatasetFacts facts = Facts(784);
        ReleasePlan plan = Planner.Plan(Gaussian, facts, Limits);
        IReadOnlyList<ReleasePlan> alternatives = Planner.Alternatives(plan, facts, Limits);
        Assert.NotEmpty(alternatives);
        foreach (ReleasePlan other in alternatives)
        {
            Assert.Equal(other.Request.Features, Planner.Plan(other.Request, facts, Limits).Request.Features);
            Assert.Contains("features", other.Reason, StringComparison.Ordinal);
            Assert.Equal(plan.Cost, other.Cost);
        }
    }
}
