using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk release estimate: price and predicted accuracy; spends nothing.</summary>
static class ReleaseEstimateCommand
{
    static readonly Argument<string> Dataset = new("DATASET") { Description = "Id of the dataset." };

    static readonly Option<double> TargetStd = new("--target-std")
    {
        Description = "Wanted standard deviation of an answer, noise and approximation together.",
        HelpName = "S",
    };

    static readonly Option<double> MaxBuildSeconds = new("--max-build-seconds")
    {
        Description = "Longest build wanted.",
        HelpName = "S",
    };

    static readonly Option<long> MaxFileBytes = new("--max-file-bytes")
    {
        Description = "Largest file wanted.",
        HelpName = "N",
    };

    public static Command Create()
    {
        var command =
            new Command("estimate", "Price a release, predict its accuracy, show alternatives. Spends nothing.") { Dataset };
        foreach (Option option in ReleaseOptions.All) command.Add(option);
        foreach (Option option in (Option[])[TargetStd, MaxBuildSeconds, MaxFileBytes]) command.Add(option);
        command.Add(CommonOptions.Server);
        return command.Runs(RunAsync);
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        DatasetHandle dataset = session.Dataset(Dataset);
        ReleaseRequest request = await ReleaseOptions.ReadAsync(session, dataset, cancellation);
        var goal = new V1.PlannerGoal
        {
            TargetStd = session.Get(TargetStd),
            MaxBuildSeconds = session.Get(MaxBuildSeconds),
            MaxFileBytes = session.Get(MaxFileBytes),
        };
        V1.ReleaseEstimate estimate = (await dataset.EstimateAsync([request], goal, cancellation))[0];
        Loss cost = CostOf(estimate.Cost);
        session.Terminal.Write(Document(estimate, request.Loss!.Value), console =>
        {
            Table table = session.Terminal.Table(
                "", "method", "features", "noise std", "approximation std per record", "bytes", "build", "why not");
            table.AddRow(Row("[green]this[/]", estimate.Spec, estimate.Accuracy, estimate.BuildSeconds, ""));
            foreach (V1.ReleaseAlternative a in estimate.Alternatives)
                table.AddRow(Row("or", a.Spec, a.Accuracy, a.BuildSeconds, session.Terminal.Cell(a.Reason)));
            console.MarkupLineInterpolated(
                $"cost {cost}: {(estimate.Affordable ? "affordable" : "more than remains")}");
            console.MarkupLineInterpolated($"{estimate.Reason}");
            console.Write(table);
        });
    }

    static string[] Row(
        string what, V1.ReleaseSpec spec, V1.AccuracyEstimate accuracy, double buildSeconds, string why) =>
    [
        what, Show.Name(spec.Sketch.Method), Show.Count(spec.Sketch.Features), Show.Number(accuracy.NoiseStd),
        Show.Number(accuracy.ApproximationStdPerRecord),
        Show.Count(accuracy.FileBytes), Show.Seconds(buildSeconds), why,
    ];

    static object Document(V1.ReleaseEstimate e, PrivacyLoss asked)
    {
        return new
        {
            asked.Epsilon,
            asked.Delta,
            CostOf(e.Cost).Mu,
            e.Affordable,
            Method = Show.Name(e.Spec.Sketch.Method),
            e.Spec.Sketch.Features,
            e.Accuracy.NoiseStd,
            e.Accuracy.ApproximationStdPerRecord,
            e.Accuracy.TotalStdAtMaxRecords,
            e.Accuracy.Cells,
            e.Accuracy.FileBytes,
            e.BuildSeconds,
            e.Reason,
            Alternatives = e.Alternatives.Select(static a => new
            {
                Method = Show.Name(a.Spec.Sketch.Method),
                a.Spec.Sketch.Features,
                a.Accuracy.NoiseStd,
                a.Accuracy.ApproximationStdPerRecord,
                a.Accuracy.FileBytes,
                a.BuildSeconds,
                a.Reason,
            }),
        };
    }

    static Loss CostOf(V1.PrivacyCost cost) => Show.Amount(cost.Unit, cost.Units, cost.Loss.Delta);
}
