using System.Globalization;

namespace PrivateKernels;

/// <summary>Other ways to serve what a plan serves: the other methods of its function, and other sizes of its own.</summary>
sealed record PlanAlternatives(ReleasePlan Plan, DatasetFacts Facts, PlannerLimits Limits, PlannerGoal Goal)
{
    public const int Most = 8;

    static readonly double[] SizeFactors = [4, 2, 0.5, 0.25];

    /// <summary>Best first: by predicted error, the paper's structures last.</summary>
    public IReadOnlyList<ReleasePlan> List()
    {
        var found = new List<ReleasePlan>();
        foreach (ReleaseRequest request in Requests())
            if (TryPlan(request) is { } other && !IsSame(Plan, other) && !found.Exists(known => IsSame(known, other)))
                found.Add(other with { Reason = $"{Compare(other)} {Verdict(other)}" });
        return [.. found.OrderBy(static p => Planner.IsPaper(p.Request)).ThenBy(Error).Take(Most)];
    }

    IEnumerable<ReleaseRequest> Requests()
    {
        int features = Plan.Measurement.Sketch.Features;
        foreach (double factor in SizeFactors)
            if (features * factor is >= 16 and var wanted && wanted <= Limits.Features)
                yield return Plan.Request with { Features = (int)wanted };
        foreach (SketchMethod method in Plan.Measurement.Sketch.Function.Methods)
            if (method != Plan.Request.Method)
                // Landmarks go with their own method only, and a projection with the paper's.
                yield return Plan.Request with
                {
                    Method = method,
                    Features = 0,
                    ProjectedDimension = 0,
                    Landmarks = method == SketchMethod.Landmark ? Plan.Request.Landmarks : null,
                    PublicDataset = method == SketchMethod.Landmark ? Plan.Request.PublicDataset : "",
                };
    }

    ReleasePlan? TryPlan(ReleaseRequest request)
    {
        try
        {
            return Planner.Plan(request, Facts, Limits, Goal, Plan.Measurement.Strength);
        }
        catch (Exception e) when (e is LimitExceededException or InvalidFieldException or DomainNotDeclaredException)
        {
            // Not to be had here, so it is no alternative.
            return null;
        }
    }

    static bool IsSame(ReleasePlan a, ReleasePlan b) =>
        (a.Request.Method, a.Request.Features) == (b.Request.Method, b.Request.Features);

    double Error(ReleasePlan plan) => Facts.MaxRecordsDeclared
        ? plan.Accuracy.TotalStdAtMaxRecords
        : double.Hypot(plan.Accuracy.NoiseStd, PlanChoice.UndeclaredRecords * plan.Accuracy.ApproximationStdPerRecord);

    string Compare(ReleasePlan other)
    {
        AccuracyEstimate a = other.Accuracy, b = Plan.Accuracy;
        string what = other.Request.Features > 0 ? $"{other.Request.Features} features" : "no features";
        string work = Ratio(other.Measurement.Sketch.OperationsPerRecord, Plan.Measurement.Sketch.OperationsPerRecord);
        return $"{other.Request.Method}, {what}: noise {Ratio(a.NoiseStd, b.NoiseStd)}, approximation "
            + $"{Ratio(a.ApproximationStdPerRecord, b.ApproximationStdPerRecord)}, work {work}, file {Ratio(a.FileBytes, b.FileBytes)}.";
    }

    string Verdict(ReleasePlan other)
    {
        double ratio = Error(other) / Error(Plan);
        string error = ratio.ToString("0.##", CultureInfo.InvariantCulture);
        if (Goal.MaxFileBytes > 0 && other.Accuracy.FileBytes > Goal.MaxFileBytes) return "Its file is larger than wanted.";
        if (Goal.MaxOperationsPerRecord > 0 && other.Measurement.Sketch.OperationsPerRecord > Goal.MaxOperationsPerRecord)
            return "Its build takes longer than wanted.";
        if (Planner.IsPaper(other.Request)) return $"For comparison only: {error} x the error.";
        if (ratio > 1.001) return $"Less accurate: {error} x the error.";
        if (other.Request.Method == SketchMethod.HermiteGrid) return $"Used only when asked for: {error} x the error.";
        if (ratio > 0.999) return "As accurate, and no better otherwise.";
        return Goal.TargetStd > 0
            ? $"More accurate than the target needs: {error} x the error."
            : $"More accurate, {error} x the error, at a higher cost: ask for it by its features if that is wanted.";
    }

    static string Ratio(double a, double b) =>
        b == 0 ? (a == 0 ? "none" : "some") : (a / b).ToString("0.##", CultureInfo.InvariantCulture) + " x";
}
