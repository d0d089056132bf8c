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
        (string Name, V1.ReleaseAlternative Alternative)[] others = [.. estimate.Alternatives.Select(static (a, i) => ($"or {i + 1}", a))];
        session.Terminal.Write(Document(estimate, request.Loss!.Value), console =>
        {
            Table table = session.Terminal.Table(
                "", "method", "features", "noise std", "approximation std per record", "bytes", "build");
            table.AddRow(Row("[green]this[/]", estimate.Spec, estimate.Accuracy, estimate.BuildSeconds));
            foreach ((string name, V1.ReleaseAlternative a) in others)
                table.AddRow(Row(name, a.Spec, a.Accuracy, a.BuildSeconds));
            console.MarkupLineInterpolated(
                $"cost {cost}: {(estimate.Affordable ? "affordable" : "more than remains")}");
            console.Write(table);
            session.Terminal.Sentences(console, [("this", estimate.Reason), .. others.Select(static o => (o.Name, o.Alternative.Reason))]);
        });
    }

    static string[] Row(
        string what, V1.ReleaseSpec spec, V1.AccuracyEstimate accuracy, double buildSeconds) =>
    [
        what, Show.Name(spec.Sketch.Method), Show.Count(spec.Sketch.Features), Show.Number(accuracy.NoiseStd),
        Show.Number(accuracy.ApproximationStdPerRecord),
        Show.Count(accuracy.FileBytes), Show.Seconds(buildSeconds),
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
