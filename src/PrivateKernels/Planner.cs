using System.Globalization;

namespace PrivateKernels;

/// <summary>
/// Chooses sketch and size from public facts alone and predicts price and accuracy (structures.md, section 12). Reads no
/// data and costs no budget.
/// </summary>
public static class Planner
{
    /// <summary>The plan of a request.</summary>
    /// <exception cref="InvalidFieldException">A field breaks a rule.</exception>
    /// <exception cref="UnknownPairFunctionException">The function is not in the catalog.</exception>
    /// <exception cref="DomainNotDeclaredException">The function needs a bound that the data set lacks.</exception>
    /// <exception cref="MechanismMismatchException">The account cannot pay for the mechanism.</exception>
    /// <exception cref="LimitExceededException">Too many features, cells or records.</exception>
    public static ReleasePlan Plan(ReleaseRequest request, DatasetFacts facts, PlannerLimits limits, PlannerGoal? goal = null) =>
        Plan(request, facts, limits, goal ?? new(), null);

    /// <param name="known">What mechanism and loss of the request come to, if that is known; deltas near 0 take long.</param>
    internal static ReleasePlan Plan(
        ReleaseRequest request, DatasetFacts facts, PlannerLimits limits, PlannerGoal goal, PrivacyStrength? known)
    {
        PairFunction function = Catalog.Create(request.Function, request.Bandwidth, request.Exponent);
        PrivacyStrength strength = known ?? StrengthOf(request, facts.AccountUnit);
        if (request.Method is { } method && !function.Methods.Contains(method))
            throw new InvalidFieldException("method", method, $"{request.Function} is served by {string.Join(", ", function.Methods)}");
        if (request.Method is SketchMethod.Tree or SketchMethod.SplineGrid && strength.Mechanism != MechanismKind.DiscreteLaplace)
            throw new InvalidFieldException("method", request.Method, "takes discrete Laplace noise: other noise has better sketches");
        CheckPaper(request, function, facts, strength);
        CheckLandmarks(request, function, facts.Domain);
        if (!function.Entry.Mechanisms.Contains(strength.Mechanism))
            throw new InvalidFieldException("privacy.mechanism", strength.Mechanism,
                $"{request.Function} is released with {string.Join(", ", function.Entry.Mechanisms)} noise");
        if (request.PerClass && facts.Classes.Count == 0)
            throw new NotLabelledException();
        if (request.Weighted && facts.MaxAbsValue == 0)
            throw new InvalidFieldException(
                "weighting", "value", "the data set has no values: create one with max_abs_value, and send a value with each row");
        if (request.ClassLeastSquares) CheckLeastSquares(request, function, strength);
        if (request.Features < 0 || request.Features > limits.Features)
            throw new LimitExceededException("Features", $"features is {request.Features}: it must be between 0 and {limits.Features}.");

        var choice = new PlanChoice(request, function, facts, strength, limits, goal);
        return Checked(request.Features != 0 ? choice.Build(request.Features) : choice.Best(), function, facts);
    }

    /// <summary>
    /// The plan of a release of sums that were accumulated for <paramref name="planned"/>: its sketch, at the strength of
    /// <paramref name="request"/>.
    /// </summary>
    /// <exception cref="InvalidFieldException">The strength breaks a rule, or asks for other noise than the sketch is made for.</exception>
    /// <exception cref="MechanismMismatchException">The account cannot pay for the mechanism.</exception>
    public static ReleasePlan PlanAccumulated(ReleaseRequest request, ReleasePlan planned, DatasetFacts facts)
    {
        MechanismKind mechanism = planned.Measurement.Strength.Mechanism;
        if ((request.Mechanism ?? mechanism) != mechanism)
            throw new InvalidFieldException("privacy.mechanism", request.Mechanism, $"the accumulator is made for {mechanism} noise");
        ReleaseRequest asked = planned.Request with
        {
            Accumulator = request.Accumulator,
            Mechanism = mechanism,
            Loss = request.Loss,
            Mu = request.Mu,
        };
        PrivacyStrength strength = StrengthOf(asked, facts.AccountUnit);
        ISketch sketch = planned.Measurement.Sketch is WeightedSketch weighted ? weighted.Inner : planned.Measurement.Sketch;
        var limits = new PlannerLimits(int.MaxValue, long.MaxValue);
        return new PlanChoice(asked, sketch.Function, facts, strength, limits, new()).Of(sketch);
    }

    /// <summary>
    /// Other methods and sizes that serve the same request at the same price, best first, at most
    /// <see cref="PlanAlternatives.Most"/>, each with the reason why it was not chosen.
    /// </summary>
    public static IReadOnlyList<ReleasePlan> Alternatives(
        ReleasePlan plan, DatasetFacts facts, PlannerLimits limits, PlannerGoal? goal = null) =>
        new PlanAlternatives(plan, facts, limits, goal ?? new()).List();

    /// <summary>
    /// What public facts say against a plan's bandwidth: that few records carry a sum, so that noise dominates, or that all
    /// points look alike. Null where nothing does, or where neither max_records nor box nor public points tell.
    /// </summary>
    public static string? Warn(ReleasePlan plan, DatasetFacts facts)
    {
        PairFunction function = plan.Measurement.Sketch.Function;
        bool known = function.Entry is { IsKernel: true, UsesBandwidth: true } && facts.MaxRecordsDeclared
            && (facts.Domain.Lower is not null || plan.Request.Landmarks is { Count: > 1 });
        double scale = plan.Request.Weighted ? facts.MaxAbsValue : 1;
        return known
            ? BandwidthAdvisor.Advise(
                plan.Request.Function, plan.Request.Exponent, facts.Domain, facts.MaxRecords, plan.Accuracy.NoiseStd / scale,
                plan.Request.Landmarks).Warn(function.Bandwidth)
            : null;
    }

    /// <summary>
    /// Pure epsilon so small that an answer would err by more than any sum can be is refused (structures.md 7.2a); but for the
    /// paper's structures, which are there to be compared with.
    /// </summary>
    static ReleasePlan Checked(ReleasePlan plan, PairFunction function, DatasetFacts facts)
    {
        if (plan.Measurement.Strength.Mechanism != MechanismKind.DiscreteLaplace || !facts.MaxRecordsDeclared || IsPaper(plan.Request))
            return plan;
        double most = facts.MaxRecords * function.LargestOver(facts.Domain) * (plan.Request.Weighted ? facts.MaxAbsValue : 1);
        return plan.Accuracy.TotalStdAtMaxRecords <= most
            ? plan
            : throw new InvalidFieldException("privacy.loss.epsilon", plan.Request.Loss!.Value.Epsilon, string.Create(
                CultureInfo.InvariantCulture,
                $"an answer would err by about {plan.Accuracy.TotalStdAtMaxRecords:G3}, and no sum over max_records rows is larger than ")
                + string.Create(CultureInfo.InvariantCulture, $"{most:G3}; ask for more, or use an account with delta above 0"));
    }

    internal static bool IsPaper(ReleaseRequest request) => request.Method is SketchMethod.Paper or SketchMethod.PaperPlus;

    static void CheckPaper(ReleaseRequest request, PairFunction function, DatasetFacts facts, PrivacyStrength strength)
    {
        bool isPaper = IsPaper(request);
        if (request.ProjectedDimension != 0 && !(isPaper && (function is L2 || PaperKernel.Of(function) is not null)))
            throw new InvalidFieldException(
                "projected_dimension", request.ProjectedDimension, "must be 0: only l2 and kernels by the paper's methods are projected");
        if (!isPaper) return;
        if (strength.Mechanism != MechanismKind.DiscreteLaplace)
            throw new InvalidFieldException("method", request.Method, "takes discrete Laplace noise: the paper's structures are for pure epsilon");
        if (facts.Adjacency != Adjacency.AddOrRemoveOne)
            throw new InvalidFieldException("method", request.Method, "serves add-or-remove-one data sets only, as in the paper");
    }

    static void CheckLeastSquares(ReleaseRequest request, PairFunction function, PrivacyStrength strength)
    {
        const string field = "class_least_squares";
        if (strength.Mechanism == MechanismKind.DiscreteLaplace)
            throw new InvalidFieldException(field, true,
                "takes normal noise: with m features it holds about 2 m^2 cells, and Laplace noise for so many drowns every class");
        if (!request.PerClass) throw new InvalidFieldException(field, true, "needs per_class");
        if (request.Weighted) throw new InvalidFieldException(field, true, "cannot be combined with weighted values");
        if (!function.Methods.Contains(SketchMethod.Fourier) || request.Method is not (null or SketchMethod.Fourier)
            || request.Landmarks is not null)
            throw new InvalidFieldException(field, true, "needs random Fourier features");
        if (request.Features > PlanChoice.MostLeastSquares)
            throw new InvalidFieldException("features", request.Features, $"must be at most {PlanChoice.MostLeastSquares} with {field}");
    }

    static void CheckLandmarks(ReleaseRequest request, PairFunction function, Domain domain)
    {
        const string field = "public_dataset";
        if (request.Landmarks is not { } landmarks)
        {
            if (request.Method == SketchMethod.Landmark)
                throw new InvalidFieldException(field, null, "method landmark needs the public data set to take landmarks from");
            return;
        }
        if (request.Method is { } method && method != SketchMethod.Landmark)
            throw new InvalidFieldException(field, "set", $"goes with the method landmark, not with {method}");
        if (!function.Entry.Methods.Contains(SketchMethod.Landmark))
            throw new InvalidFieldException(field, "set", $"{request.Function} is not served by landmarks; leave it unset");
        if (landmarks.Dimension != domain.Dimension || landmarks.Count == 0)
            throw new InvalidFieldException(field, "set", $"must hold rows of dimension {domain.Dimension}");
    }

    static PrivacyStrength StrengthOf(ReleaseRequest request, CostUnit account)
    {
        MechanismKind mechanism = request.Mechanism
            ?? (account == CostUnit.MuSquared ? MechanismKind.RoundedNormal : MechanismKind.DiscreteLaplace);
        if (mechanism == MechanismKind.RoundedNormal && account == CostUnit.Epsilon) throw new MechanismMismatchException();
        if (request.Loss.HasValue == request.Mu.HasValue)
            throw new InvalidFieldException("privacy.strength", null, "exactly one of loss and mu must be set");
        if (mechanism == MechanismKind.DiscreteLaplace)
        {
            if (request.Loss is not { } pure) throw new InvalidFieldException("privacy.mu", request.Mu, "discrete Laplace noise takes loss, not mu");
            if (pure.Delta != 0) throw new InvalidFieldException("privacy.loss.delta", pure.Delta, "must be 0 for discrete Laplace noise");
            return new(mechanism, Units.OfEpsilon(pure.Epsilon));
        }
        if (request.Mu is { } mu) return new(mechanism, Units.OfMu(mu));
        PrivacyLoss loss = request.Loss!.Value;
        if (loss.Delta == 0) throw new InvalidFieldException("privacy.loss.delta", 0, "must be above 0 for normal noise");
        return new(mechanism, Units.OfLoss(loss));
    }
}

/// <summary>A per-class release was asked of data without classes.</summary>
public sealed class NotLabelledException()
    : InvalidOperationException("the data set declares no classes; make one with classes for a per-class release.");
