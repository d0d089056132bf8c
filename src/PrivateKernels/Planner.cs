using System.Globalization;

namespace PrivateKernels;

/// <summary>
/// Chooses sketch and size from public facts alone and predicts price and accuracy (structures.md, section 12). Reads no
/// data and costs no budget.
/// </summary>
public static class Planner
{
    /// <summary>Features the planner never goes beyond by itself; a request may.</summary>
    const int MostPlannedFeatures = 65536;

    /// <summary>The plan of a request.</summary>
    /// <exception cref="InvalidFieldException">A field breaks a rule.</exception>
    /// <exception cref="UnknownPairFunctionException">The function is not in the catalog.</exception>
    /// <exception cref="DomainNotDeclaredException">The function needs a bound that the data set lacks.</exception>
    /// <exception cref="MechanismMismatchException">The account cannot pay for the mechanism.</exception>
    /// <exception cref="LimitExceededException">Too many features, cells or records.</exception>
    public static ReleasePlan Plan(ReleaseRequest request, DatasetFacts facts, PlannerLimits limits, PlannerGoal? goal = null)
    {
        PairFunction function = Catalog.Create(request.Function, request.Bandwidth, request.Exponent);
        PrivacyStrength strength = StrengthOf(request, facts.AccountUnit);
        if (request.Method is { } method && !function.Entry.Methods.Contains(method))
            throw new InvalidFieldException("method", method, $"{request.Function} is served by {string.Join(", ", function.Entry.Methods)}");
        if (request.PerClass && facts.Classes.Count == 0)
            throw new NotLabelledException();
        if (request.Features < 0 || request.Features > limits.Features)
            throw new LimitExceededException("Features", $"features is {request.Features}: it must be between 0 and {limits.Features}.");

        var choice = new Choice(request, function, facts, strength, limits, goal ?? new());
        return request.Features != 0 ? choice.Build(request.Features) : choice.Best();
    }

    /// <summary>
    /// Other sizes that serve the same request at the same price, with the reason why each was not chosen; none where the
    /// size changes nothing.
    /// </summary>
    public static IReadOnlyList<ReleasePlan> Alternatives(ReleasePlan plan, DatasetFacts facts, PlannerLimits limits)
    {
        var alternatives = new List<ReleasePlan>();
        foreach (double factor in (double[])[4, 2, 0.5, 0.25])
        {
            if (plan.Measurement.Sketch.Features == 0) break;
            double features = plan.Measurement.Sketch.Features * factor;
            if (features < 16 || features > limits.Features) continue;
            try
            {
                ReleasePlan other = Plan(plan.Request with { Features = (int)features }, facts, limits);
                if (other.Request.Features == plan.Request.Features || alternatives.Exists(a => a.Request.Features == other.Request.Features))
                    continue;
                alternatives.Add(other with { Reason = Comparison(plan, other) });
            }
            catch (Exception e) when (e is LimitExceededException or InvalidFieldException)
            {
                // That size is not to be had here, so it is no alternative.
            }
        }
        return alternatives;
    }

    static string Comparison(ReleasePlan plan, ReleasePlan other) => string.Create(
        CultureInfo.InvariantCulture,
        $"{other.Request.Features} features: noise {Ratio(other.Accuracy.NoiseStd, plan.Accuracy.NoiseStd)}, approximation "
            + $"{Ratio(other.Accuracy.ApproximationStdPerRecord, plan.Accuracy.ApproximationStdPerRecord)}, "
            + $"work {Ratio(other.Measurement.Sketch.OperationsPerRecord, plan.Measurement.Sketch.OperationsPerRecord)} of the plan's.");

    static string Ratio(double a, double b) => b == 0 ? "equal" : (a / b).ToString("0.##", CultureInfo.InvariantCulture) + " x";

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

    sealed record Choice(
        ReleaseRequest Request, PairFunction Function, DatasetFacts Facts, PrivacyStrength Strength, PlannerLimits Limits, PlannerGoal Goal)
    {
        /// <summary>The smallest size that reaches the target, or the best within the limits.</summary>
        public ReleasePlan Best()
        {
            ReleasePlan plan = Build(DefaultFeatures());
            if (plan.Measurement.Sketch.Features == 0) return plan;
            while (Exceeds(plan) && plan.Request.Features > 16 && Build(plan.Request.Features / 2) is var smaller
                && smaller.Request.Features < plan.Request.Features)
                plan = smaller;
            while (Goal.TargetStd > 0 && Total(plan) > Goal.TargetStd && plan.Request.Features * 2 <= Math.Min(MostPlannedFeatures, Limits.Features)
                && TryBuild(plan.Request.Features * 2) is { } larger && !Exceeds(larger) && Total(larger) < Total(plan))
                plan = larger;
            return Goal.TargetStd > 0 && Total(plan) > Goal.TargetStd
                ? plan with { Reason = plan.Reason + $" The target of {Goal.TargetStd.ToString("G4", CultureInfo.InvariantCulture)} cannot be reached within the limits." }
                : plan;
        }

        /// <summary>Under pure epsilon more features cost noise: m* = n eps sqrt(v / 8) balances the two (7.1).</summary>
        int DefaultFeatures()
        {
            if (Strength.Mechanism != MechanismKind.DiscreteLaplace || !Function.Entry.Methods.Contains(SketchMethod.Fourier)) return 0;
            double epsilon = Strength.Strength / (double)(1L << 40) / Facts.MaxRecordsPerUnit;
            double records = Facts.MaxRecordsDeclared ? Facts.MaxRecords : 100_000;
            double best = records * epsilon * Math.Sqrt(FourierSketch.StructuredVariance / 8);
            return (int)Math.Clamp(best, 64, Math.Min(16384, Limits.Features));
        }

        ReleasePlan? TryBuild(int features)
        {
            try
            {
                return Build(features);
            }
            catch (LimitExceededException)
            {
                return null;
            }
        }

        public ReleasePlan Build(int features)
        {
            IReadOnlyList<string> classes = Request.PerClass ? Facts.Classes : [];
            var measurement = new Measurement(CreateSketch(features), classes, Facts.Adjacency, Facts.MaxRecordsPerUnit, Strength);
            if (measurement.CellCount > Limits.Cells)
                throw new LimitExceededException("Cells", $"the release would have {measurement.CellCount} cells: the limit is {Limits.Cells}.");
            if (Facts.MaxRecords >= measurement.LargestRecordCount)
                throw new LimitExceededException("Records",
                    $"max_records is {Facts.MaxRecords}: cells of this sketch hold at most {measurement.LargestRecordCount - 1} records.");
            ReleaseRequest complete = Request with
            {
                Method = measurement.Sketch.Method,
                Features = measurement.Sketch.Features,
                Mechanism = Strength.Mechanism,
            };
            AccuracyEstimate accuracy = Accuracy(measurement);
            return new(complete, measurement, measurement.Cost(Facts.AccountUnit), accuracy, Reason(measurement.Sketch, accuracy));
        }

        ISketch CreateSketch(int features) => Function.Entry.Methods[0] switch
        {
            SketchMethod.Sign => SignSketch.Create(Function, Facts.Domain, features, Facts.MaxRecords),
            SketchMethod.Moment => MomentSketch.Create(Function, Facts.Domain),
            _ => FourierSketch.Create(Function, Facts.Domain, features, Request.Seed ?? 0, Strength.Mechanism, Request.PerClass),
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

        bool Exceeds(ReleasePlan plan) =>
            (Goal.MaxFileBytes > 0 && plan.Accuracy.FileBytes > Goal.MaxFileBytes)
            || (Goal.MaxOperationsPerRecord > 0 && plan.Measurement.Sketch.OperationsPerRecord > Goal.MaxOperationsPerRecord);

        string Reason(ISketch sketch, AccuracyEstimate accuracy)
        {
            string what = sketch switch
            {
                FourierSketch { IsStructured: true } => $"Structured Fourier features, {sketch.Features} frequencies.",
                FourierSketch => $"Dense Fourier features, {sketch.Features} frequencies.",
                SignSketch => $"Sign features on {sketch.Features} grid cells per coordinate.",
                _ => "Exact moments.",
            };
            if (!Facts.MaxRecordsDeclared) return what;
            return accuracy.ApproximationStdPerRecord * Facts.MaxRecords > accuracy.NoiseStd
                ? what + " At max_records approximation, not privacy noise, limits the answer: more features lower it."
                : what + " At max_records privacy noise limits the answer.";
        }
    }
}

/// <summary>A per-class release was asked of data without classes.</summary>
public sealed class NotLabelledException()
    : InvalidOperationException("the data set declares no classes; make one with classes for a per-class release.");
