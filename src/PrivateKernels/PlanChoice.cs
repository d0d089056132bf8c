using System.Globalization;
using System.Numerics;

namespace PrivateKernels;

/// <summary>The choices that a request leaves to the planner, and what follows from each.</summary>
sealed record PlanChoice(
    ReleaseRequest Request, PairFunction Function, DatasetFacts Facts, PrivacyStrength Strength, PlannerLimits Limits,
    PlannerGoal Goal)
{
    /// <summary>Features the planner never goes beyond by itself; a request may.</summary>
    const int MostPlannedFeatures = 65536;

    /// <summary>Frequencies for least squares: by default, and at most, for they cost two cells times their square.</summary>
    internal const int DefaultLeastSquares = 512, MostLeastSquares = 1024;

    /// <summary>Pairs of a frequency grid that the planner chooses by itself: four times the work of random features.</summary>
    const int MostGridPairs = 16384;

    /// <summary>The smallest size that reaches the goal, or the best within the limits, with what limits it.</summary>
    public ReleasePlan Best()
    {
        ReleasePlan plan = Request.ClassLeastSquares ? Build(DefaultLeastSquares) : Grid() ?? BestSize();
        return Missed(plan) is { } missed ? plan with { Reason = $"{plan.Reason} {missed}" } : plan;
    }

    ReleasePlan BestSize()
    {
        ReleasePlan plan = PureBalance() ?? Build(DefaultFeatures());
        if (plan.Measurement.Sketch.Features == 0) return plan;
        while (Exceeds(plan) && plan.Request.Features > 16 && TryBuild(plan.Request.Features / 2) is { } smaller
            && smaller.Request.Features < plan.Request.Features)
            plan = smaller;
        while (Goal.TargetStd > 0 && Total(plan) > Goal.TargetStd && plan.Request.Features * 2 <= MostFeatures
            && TryBuild(plan.Request.Features * 2) is { } larger && !Exceeds(larger) && Total(larger) < Total(plan))
            plan = larger;
        return plan;
    }

    int MostFeatures => Math.Min(MostPlannedFeatures, Limits.Features);

    /// <summary>Which part of the goal a plan misses, and what stands in the way; null if none.</summary>
    string? Missed(ReleasePlan plan)
    {
        if (ExceedsBytes(plan)) return Text($"The file cannot be kept within {Goal.MaxFileBytes} bytes: this is the smallest size.");
        if (ExceedsWork(plan)) return "The build cannot be kept within the time wanted: this is the smallest size.";
        if (Goal.TargetStd <= 0 || Total(plan) <= Goal.TargetStd) return null;
        string target = Text($"The target of {Goal.TargetStd:G4} cannot be reached: ");
        if (plan.Accuracy.NoiseStd > Goal.TargetStd) return target + "privacy noise alone is above it, and only more budget lowers that.";
        int features = plan.Request.Features * 2;
        if (features == 0) return target + "the method errs by more.";
        if (features > MostFeatures) return target + Text($"the planner uses at most {MostFeatures} features.");
        return TryBuild(features) is not { } larger ? target + "more features are more cells than a release may have."
            : ExceedsBytes(larger) ? target + "more features would pass the bytes wanted."
            : ExceedsWork(larger) ? target + "more features would pass the time wanted."
            : target + "more features would not lower the error.";
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// A grid where there is one and its size is tolerable: no features beat the frequency grid there. Under pure epsilon, where
    /// every pair costs noise, the best of splines, frequencies and random features.
    /// </summary>
    ReleasePlan? Grid()
    {
        if (Request.Method is not null || Request.Landmarks is not null || Function is not Gaussian
            || Facts.Domain is not { Lower: not null, Dimension: <= 3 })
            return null;
        ReleasePlan? frequencies = CreateGrid(MostGridPairs) is null ? null : By(SketchMethod.FrequencyGrid).TryBuild(0);
        ReleasePlan?[] plans = IsPure
            ? [By(SketchMethod.SplineGrid).TryBuild(0), frequencies, By(SketchMethod.Fourier).BestSize()]
            : [frequencies];
        return plans.OfType<ReleasePlan>().Where(plan => !Exceeds(plan)).MinBy(LikelyError);
    }

    PlanChoice By(SketchMethod method) => this with { Request = Request with { Method = method } };

    FrequencyGridSketch? CreateGrid(long mostPairs) => FrequencyGridSketch.TryCreate(
        Function, Facts.Domain, Facts.MaxRecords, NoiseRatio, IsPure, (int)Math.Min(mostPairs, Limits.Cells / 2));

    /// <summary>0 = the sketch's own default.</summary>
    int DefaultFeatures() => Method switch
    {
        SketchMethod.Landmark => (int)Math.Min(
            LandmarkSketch.DefaultCount(Request.Landmarks!.Value, Strength.Mechanism),
            Math.Min(Limits.Features, Limits.Cells - 1)),
        SketchMethod.Fourier when !IsPure && Facts.MaxRecordsDeclared => LargeSumFeatures(),
        _ => 0,
    };

    /// <summary>
    /// Approximation grows with n and noise does not: from some n on, as many frequencies as keep n sqrt(v / 2m) within twelve
    /// noise deviations. At most 16,384 structured ones, before a build takes much longer than reading its rows; dense Cauchy
    /// rows are far less accurate and have no other way, so they get up to 65,536 while the build stays within about a
    /// minute on two cores (2^42 products). 0 = the sketch's own default is enough.
    /// </summary>
    int LargeSumFeatures()
    {
        if (CreateSketch(0) is not FourierSketch own || !(own.IsStructured || Function is ICauchySpectrum)) return 0;
        double variance = own.IsStructured ? FourierSketch.StructuredVariance : FourierSketch.DenseVariance;
        int d = Facts.Domain.Dimension;
        double most = own.IsStructured ? 16384
            : Math.Min(Math.Min(MostPlannedFeatures, FourierShape.MostDense(d)), Math.ScaleB(1, 42) / Facts.MaxRecords / d);
        double wanted = variance / 2 * Math.Pow(Facts.MaxRecords / (12 * NoiseRatio), 2);
        int m = (int)Math.Clamp(wanted, 0, Math.Min(most, Limits.Features));
        return m > own.Features ? m : 0;
    }

    /// <summary>
    /// Under pure epsilon more features cost noise, 4m / eps^2 in variance, 2m / eps^2 for features of the angle: m* = n eps
    /// sqrt(v / 8), or sqrt(v / 4), balances that with n^2 v / 2m (7.1). v depends on the map and the map on m, so the sizes of
    /// every map are compared, four structured blocks among them.
    /// </summary>
    ReleasePlan? PureBalance()
    {
        if (!IsPure || Method is not (SketchMethod.Fourier or SketchMethod.Spherical)) return null;
        bool angle = Method == SketchMethod.Spherical;
        double[] variances = [angle ? SphericalSketch.StructuredVariance : FourierSketch.StructuredVariance,
            FourierSketch.OrthogonalVariance, FourierSketch.DenseVariance];
        var sizes = variances.Select(v => LikelyRecords * Epsilon * Math.Sqrt(v / (angle ? 4 : 8))).ToList();
        sizes.Add(4.0 * BitOperations.RoundUpToPowerOf2((uint)Facts.Domain.Dimension));
        int most = Math.Min(16384, Limits.Features);
        return sizes.Select(m => (int)Math.Clamp(m, Math.Min(64, most), most)).Distinct().Select(TryBuild)
            .OfType<ReleasePlan>().MinBy(LikelyError);
    }

    double LikelyError(ReleasePlan plan) =>
        double.Hypot(plan.Accuracy.NoiseStd, plan.Accuracy.ApproximationStdPerRecord * LikelyRecords);

    /// <summary>What sizes that grow with n are chosen for.</summary>
    long LikelyRecords => Facts.MaxRecordsDeclared ? Facts.MaxRecords : UndeclaredRecords;

    /// <summary>Taken where no bound on the records is declared.</summary>
    internal const long UndeclaredRecords = 100_000;

    /// <summary>Of a pure release, at the level of a record.</summary>
    double Epsilon => Math.ScaleB((double)Strength.Strength, -40) / Facts.MaxRecordsPerUnit;

    /// <summary>Noise of one cell over the sensitivity, at the level of a record.</summary>
    double NoiseRatio => Facts.MaxRecordsPerUnit / Math.Sqrt(Math.ScaleB((double)Strength.Strength, -40));

    ReleasePlan? TryBuild(int features)
    {
        try
        {
            return Build(features);
        }
        catch (Exception e) when (e is LimitExceededException or InvalidFieldException)
        {
            return null;
        }
    }

    public ReleasePlan Build(int features) => Of(CreateSketch(features));

    /// <summary>The plan around a sketch, without its values, that is there already.</summary>
    public ReleasePlan Of(ISketch inner)
    {
        IReadOnlyList<string> classes = Request.PerClass ? Facts.Classes : [];
        ISketch whole = Request.Weighted ? WeightedSketch.Create(inner, Facts.MaxAbsValue, Strength.Mechanism) : inner;
        var measurement = new Measurement(whole, classes, Facts.Adjacency, Facts.MaxRecordsPerUnit, Strength);
        if (measurement.CellCount > Limits.Cells)
            throw new LimitExceededException("Cells", $"the release would have {measurement.CellCount} cells: the limit is {Limits.Cells}.");
        if (Facts.MaxRecords >= measurement.LargestRecordCount)
            throw new LimitExceededException("Records",
                $"max_records is {Facts.MaxRecords}: cells of this sketch hold at most {measurement.LargestRecordCount - 1} records.");
        ReleaseRequest complete = Request with
        {
            Method = measurement.Sketch.Method,
            Features = measurement.Sketch.Features,
            ProjectedDimension = measurement.Sketch switch
            {
                PaperFeatureSketch sketch => sketch.Projected,
                IntervalTreeSketch sketch => sketch.Directions,
                _ => 0,
            },
            Mechanism = Strength.Mechanism,
        };
        AccuracyEstimate accuracy = Accuracy(measurement);
        return new(complete, measurement, measurement.Cost(Facts.AccountUnit), accuracy, Reason(inner, accuracy));
    }

    /// <summary>Laplace noise grows with the L1 norm, which a tree keeps small; normal noise never needs one.</summary>
    SketchMethod Method => Request.ClassLeastSquares ? SketchMethod.Fourier : Request.Method
        ?? (Request.Landmarks is not null ? SketchMethod.Landmark
        : IsPure && Function.Methods.Contains(SketchMethod.Tree) ? SketchMethod.Tree
        : Function.Methods[0]);

    bool IsPure => Strength.Mechanism == MechanismKind.DiscreteLaplace;

    ISketch CreateSketch(int features) => Method switch
    {
        SketchMethod.Landmark =>
            LandmarkSketch.Create(Function, Facts.Domain, Request.Landmarks!.Value, features, Strength.Mechanism),
        SketchMethod.Sign => SignSketch.Create(Function, Facts.Domain, features, Facts.MaxRecords),
        SketchMethod.Spherical => SphericalSketch.Create(
            Function, Facts.Domain, features, Request.Seed ?? 0, Strength.Mechanism, Request.PerClass),
        SketchMethod.Sliced => SlicedSketch.Create(Function, Facts.Domain, features, Request.Seed ?? 0),
        SketchMethod.Moment when Function is InnerProduct =>
            InnerProductSketch.Create(Function, Facts.Domain, Strength.Mechanism, Request.PerClass),
        SketchMethod.Moment when Function is LpP => PowerMomentSketch.Create(Function, Facts.Domain),
        SketchMethod.Moment => MomentSketch.Create(Function, Facts.Domain),
        SketchMethod.FrequencyGrid => CreateGrid(FrequencyGridSketch.MostPairs) ?? throw new InvalidFieldException(
            "method", SketchMethod.FrequencyGrid,
            "needs lower and upper, at most three dimensions and a bandwidth that is not too small for the box"),
        SketchMethod.HermiteGrid => HermiteGridSketch.Create(Function, Facts.Domain, features),
        SketchMethod.SplineGrid => SplineGridSketch.Create(
            Function, Facts.Domain, features, LikelyRecords, Epsilon, Request.PerClass ? Limits.Cells / Facts.Classes.Count : Limits.Cells),
        SketchMethod.Tree when Function is L2 => ProjectedTreeSketch.Create(
            Function, Facts.Domain, features, Request.Seed ?? 0, LikelyRecords, Epsilon),
        SketchMethod.Tree => TreeSketch.Create(Function, Facts.Domain, features, LikelyRecords, Epsilon),
        SketchMethod.CoordinateGrid => CoordinateGridSketch.Create(
            Function, Facts.Domain, features, Facts.MaxRecords, NoiseRatio),
        SketchMethod.Paper or SketchMethod.PaperPlus when PaperKernel.Of(Function) is not null => PaperFeatureSketch.Create(
            Function, Facts.Domain, Method, features, Request.ProjectedDimension, Request.Seed ?? 0, LikelyRecords, Epsilon),
        SketchMethod.Paper => IntervalTreeSketch.Create(
            Function, Facts.Domain, features, Request.ProjectedDimension, Request.Seed ?? 0, LikelyRecords, Epsilon),
        _ => FourierSketch.Create(
            Function, Facts.Domain, features, Request.Seed ?? 0, Strength.Mechanism, Request.PerClass, Request.ClassLeastSquares),
    };

    AccuracyEstimate Accuracy(Measurement measurement)
    {
        (double noise, double approximation) = measurement.Sketch.Predict(measurement.Noise.Variance);
        double total = Facts.MaxRecordsDeclared ? double.Hypot(noise, approximation * Facts.MaxRecords) : 0;
        return new(noise, approximation, measurement.CellCount, ReleaseFile.SizeOf(measurement), total);
    }

    double Total(ReleasePlan plan) => Facts.MaxRecordsDeclared
        ? plan.Accuracy.TotalStdAtMaxRecords
        : double.Hypot(plan.Accuracy.NoiseStd, plan.Accuracy.ApproximationStdPerRecord);

    bool Exceeds(ReleasePlan plan) => ExceedsBytes(plan) || ExceedsWork(plan);

    bool ExceedsBytes(ReleasePlan plan) => Goal.MaxFileBytes > 0 && plan.Accuracy.FileBytes > Goal.MaxFileBytes;

    bool ExceedsWork(ReleasePlan plan) =>
        Goal.MaxOperationsPerRecord > 0 && plan.Measurement.Sketch.OperationsPerRecord > Goal.MaxOperationsPerRecord;

    string Reason(ISketch sketch, AccuracyEstimate accuracy)
    {
        string what = sketch switch
        {
            FourierSketch { Moments: not null } => $"{sketch.Features} frequencies, and the products of their features.",
            FourierSketch { IsStructured: true } => $"Structured Fourier features, {sketch.Features} frequencies.",
            FourierSketch => $"Dense Fourier features, {sketch.Features} frequencies.",
            SlicedSketch => $"Projections onto {sketch.Features} directions.",
            SphericalSketch => $"Features of the angle, {sketch.Features} directions.",
            LandmarkSketch => $"{sketch.Features} landmarks of the public data set: accurate where it resembles the data.",
            FrequencyGridSketch => $"Fixed frequencies on a grid, {sketch.Features} pairs.",
            HermiteGridSketch => $"Hermite expansions in cubes, {sketch.Features} terms per coordinate.",
            SplineGridSketch grid => $"Splines of degree {grid.Degree} on a grid of {sketch.Features} intervals per coordinate.",
            ProjectedTreeSketch => $"Trees of counts along {sketch.Features} directions.",
            PaperFeatureSketch => $"The paper's random features, {sketch.Features} pairs, for comparison.",
            IntervalTreeSketch => $"The paper's interval trees of {sketch.Features} leaves, for comparison.",
            TreeSketch => $"Trees of counts over {sketch.Features} cells per coordinate.",
            CoordinateGridSketch => $"Rows on {sketch.Features} grid cells per coordinate.",
            SignSketch => $"Sign features on {sketch.Features} grid cells per coordinate.",
            _ => "Exact moments.",
        };
        if (!Facts.MaxRecordsDeclared) return what;
        return accuracy.ApproximationStdPerRecord * Facts.MaxRecords > accuracy.NoiseStd
            ? what + " At max_records approximation, not privacy noise, limits the answer: more features lower it."
            : what + " At max_records privacy noise limits the answer.";
    }
}
