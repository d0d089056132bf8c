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

    /// <summary>Cauchy rows have no structure that is more accurate: they get more, until the build takes a minute or so.</summary>
    [Theory]
    [InlineData(5_000, 4096, 4096)]
    [InlineData(60_000, 65_536, 65_536)]
    [InlineData(600_000, 9_000, 9_400)]
    [InlineData(6_000_000, 4096, 4096)]
    public void Dense_rows_of_kernels_of_the_l1_distance_grow_with_the_records(long records, int least, int most)
    {
        ReleaseRequest request = Gaussian with { Function = "laplacian", Bandwidth = 100 };
        Assert.InRange(Planner.Plan(request, Facts(784, records), Limits).Request.Features, least, most);
    }

    [Theory]
    [InlineData("gaussian", 16384)]
    [InlineData("laplacian", 5000)]
    [InlineData("arc_cosine_0", 16384)]
    public void Dense_rows_are_4096_in_any_dimension_and_more_than_a_file_can_describe_are_refused(string name, int d)
    {
        ReleaseRequest request = Gaussian with { Function = name, Bandwidth = name == "arc_cosine_0" ? 0 : 5 };
        Assert.Equal(4096, Planner.Plan(request, Facts(d, 5_000), Limits).Request.Features);
        Assert.Equal("features", Assert.Throws<InvalidFieldException>(
            () => Planner.Plan(request with { Features = 250_000 }, Facts(d), new(1 << 20))).Field);
        Assert.Equal(131072, Planner.Plan(Gaussian with { Features = 131072 }, Facts(8192), Limits).Request.Features);
        // What the planner chooses by itself can be had.
        ReleaseRequest strong = request with { Loss = null, Mu = 10 };
        Assert.InRange(Planner.Plan(strong, Facts(16384, 16_000), Limits).Request.Features, 4096, 16384);
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
    public void The_count_of_a_class_has_room_however_many_features_there_are()
    {
        // 5 % of the L1 norm of 65,536 pairs is beyond int32.
        ReleaseRequest request = Gaussian with { PerClass = true, Features = 65_536, Loss = new PrivacyLoss(1, 0) };
        ISketch sketch = Planner.Plan(request, Facts(8, unit: CostUnit.Epsilon), Limits).Measurement.Sketch;
        Assert.Equal(2 * 65_536 + 1, sketch.CellCount);
        Assert.Equal(int.MaxValue, sketch.LargestCell);
    }

    [Fact]
    public void Records_are_refused_from_the_number_on_that_cells_do_not_hold()
    {
        ReleaseRequest request = Gaussian with { Features = 256, Seed = 1 };
        long most = Planner.Plan(request, Facts(8), Limits).Measurement.LargestRecordCount;
        Assert.Equal(1L << 42, most);
        Planner.Plan(request, Facts(8, records: most - 1), Limits);
        var refused = Assert.Throws<LimitExceededException>(() => Planner.Plan(request, Facts(8, records: most), Limits));
        Assert.Equal("Records", refused.Limit);
    }

    [Fact]
    public void A_box_too_narrow_for_the_arithmetic_of_engines_is_refused()
    {
        // Cells per unit of length would be infinite in fp32, and infinity times the 0 of a coordinate no number.
        Assert.Equal("domain.upper", Assert.Throws<InvalidFieldException>(() => new Domain(2, 0, 1e-36)).Field);
        Assert.Equal("domain.upper", Assert.Throws<InvalidFieldException>(() => new Domain(2, 1, 1 + 1e-10)).Field);
        Assert.Equal(1e-8f, new Domain(2, 0, 1e-8).Upper);
    }

    [Fact]
    public void A_goal_that_is_missed_names_what_limits_it()
    {
        string Reason(PlannerGoal goal, ReleaseRequest? request = null, int d = 16) =>
            Planner.Plan(request ?? Gaussian, Facts(d), Limits, goal).Reason;
        Assert.Contains("privacy noise alone", Reason(new(TargetStd: 1)), StringComparison.Ordinal);
        Assert.Contains("at most 65536 features", Reason(new(TargetStd: 5)), StringComparison.Ordinal);
        Assert.Contains("would pass the bytes", Reason(new(TargetStd: 50, MaxFileBytes: 100_000)), StringComparison.Ordinal);
        double operations = 1.5 * Planner.Plan(Gaussian, Facts(16), Limits).Measurement.Sketch.OperationsPerRecord;
        Assert.Contains("would pass the time", Reason(new(50, operations)), StringComparison.Ordinal);
        Assert.Contains("smallest size", Reason(new(MaxFileBytes: 100)), StringComparison.Ordinal);
        ReleaseRequest moments = Gaussian with { Function = "l2_squared", Bandwidth = 0 };
        Assert.Contains("smallest size", Reason(new(MaxFileBytes: 100), moments), StringComparison.Ordinal);
        Assert.Contains("privacy noise alone", Reason(new(TargetStd: 1), moments), StringComparison.Ordinal);
        // The frequency grid is a choice of the planner like any other.
        Assert.Contains("privacy noise alone", Reason(new(TargetStd: 1), d: 2), StringComparison.Ordinal);
    }

    [Fact]
    public void Pure_epsilon_whose_answers_would_drown_is_refused_with_figures()
    {
        ReleaseRequest Pure(string name, double epsilon) => new()
        {
            Function = name,
            Bandwidth = name == "gaussian" ? 5 : 0,
            Loss = new PrivacyLoss(epsilon, 0),
        };
        foreach (string name in (string[])["gaussian", "l1", "l2", "l2_squared", "inner_product", "lp_p"])
        {
            DatasetFacts facts = Facts(16, 1000, CostUnit.Epsilon);
            Assert.NotNull(Planner.Plan(Pure(name, 2), facts, Limits));
            InvalidFieldException refusal =
                Assert.Throws<InvalidFieldException>(() => Planner.Plan(Pure(name, 0.0001), facts, Limits));
            Assert.Equal("privacy.loss.epsilon", refusal.Field);
            Assert.Contains("would err by about", refusal.Message, StringComparison.Ordinal);
            // Nothing is known to be too large where no bound on the records is declared.
            Assert.NotNull(Planner.Plan(Pure(name, 0.0001), facts with { MaxRecordsDeclared = false }, Limits));
        }
        Assert.NotNull(Planner.Plan(
            Pure("gaussian", 0.0001) with { Method = SketchMethod.Paper }, Facts(16, 1000, CostUnit.Epsilon), Limits));
    }

    [Fact]
    public void Alternatives_cross_methods_best_first_and_the_papers_last()
    {
        DatasetFacts facts = Facts(2, unit: CostUnit.Epsilon);
        ReleasePlan plan = Planner.Plan(Gaussian with { Loss = new PrivacyLoss(1, 0) }, facts, Limits);
        IReadOnlyList<ReleasePlan> found = Planner.Alternatives(plan, facts, Limits);
        Assert.InRange(found.Count, 3, 8);
        var methods = found.Select(static p => p.Request.Method!.Value).Append(plan.Request.Method!.Value).ToHashSet();
        foreach (SketchMethod method in (SketchMethod[])
            [SketchMethod.Fourier, SketchMethod.FrequencyGrid, SketchMethod.HermiteGrid, SketchMethod.Paper])
            Assert.Contains(method, methods);
        double[] errors = [.. found.Where(static p => p.Request.Method is not (SketchMethod.Paper or SketchMethod.PaperPlus))
            .Select(static p => p.Accuracy.TotalStdAtMaxRecords)];
        Assert.Equal(errors.Order(), errors);
        Assert.All(found, p => Assert.Equal(p.Request.Features, Planner.Plan(p.Request, facts, Limits).Request.Features));
        Assert.Contains("For comparison", found[^1].Reason, StringComparison.Ordinal);

        var landmarks = new Points(new float[300].Select(static (_, i) => i % 97 / 97f).ToArray(), 2);
        plan = Planner.Plan(Gaussian with { Landmarks = landmarks.Slice(0, 90) }, Facts(2), Limits);
        found = Planner.Alternatives(plan, Facts(2), Limits);
        Assert.Contains(found, static p => p.Request is { Method: SketchMethod.FrequencyGrid, Landmarks: null });
        Assert.Contains(found, static p => p.Request is { Method: SketchMethod.Landmark, Landmarks: not null });
    }

    [Fact]
    public void A_bandwidth_at_which_noise_dominates_is_warned_about_and_a_good_one_is_not()
    {
        DatasetFacts facts = Facts(784);
        string? Warning(double h, DatasetFacts f, string name = "gaussian") => Planner.Warn(
            Planner.Plan(Gaussian with { Bandwidth = h, Function = name }, f, Limits), f);
        Assert.Contains("noise will dominate", Warning(1, facts), StringComparison.Ordinal);
        Assert.Contains("evenly", Warning(1, facts), StringComparison.Ordinal);
        Assert.Null(Warning(8, facts));
        Assert.Null(Warning(1, facts with { MaxRecordsDeclared = false }));
        Assert.Null(Warning(1, facts with { Domain = new Domain(784) }));
        Assert.Null(Planner.Warn(Planner.Plan(Gaussian with { Function = "l1", Bandwidth = 0 }, facts, Limits), facts));
        // Public points say more than the box: these lie close to each other.
        var close = new Points(Enumerable.Range(0, 100 * 784).Select(static i => i * 7919L % 2003 / 200300f).ToArray(), 784);
        ReleasePlan near = Planner.Plan(Gaussian with { Bandwidth = 1, Landmarks = close, Features = 10 }, facts, Limits);
        Assert.DoesNotContain("noise will dominate", Planner.Warn(near, facts) ?? "", StringComparison.Ordinal);
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
