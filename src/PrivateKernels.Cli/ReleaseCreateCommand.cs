using System.CommandLine;
using System.Diagnostics;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk release create: spends budget and builds a release.</summary>
static class ReleaseCreateCommand
{
    static readonly Argument<string> Dataset = new("DATASET") { Description = "Id of the dataset." };

    static readonly Argument<string> Id = new("ID") { Description = "Id of the release; it is never free again." };

    static readonly Option<bool> AllowEmpty = new("--allow-empty")
    {
        Description = "Spend budget although the dataset holds no rows.",
    };

    public static Command Create()
    {
        var command = new Command("create", "Spend budget and build a release.") { Dataset, Id };
        foreach (Option option in ReleaseOptions.All) command.Add(option);
        command.Add(AllowEmpty);
        command.Add(CommonOptions.Server);
        return command.Runs(RunAsync);
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        DatasetHandle dataset = session.Dataset(Dataset);
        ReleaseRequest request = await ReleaseOptions.ReadAsync(session, dataset, cancellation);
        if (!session.Get(AllowEmpty)) await RefuseEmptyAsync(dataset, cancellation);
        long start = Stopwatch.GetTimestamp();
        V1.Release release = await session.Terminal.ProgressAsync("building", progress =>
            dataset.CreateReleaseAsync(session.Get(Id), request, new Stages(progress), null, cancellation));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        PrivacyLoss asked = request.Loss!.Value;
        Loss cost = ReleaseCommands.CostOf(release);
        string name = ReleaseName.Short(release.Name);
        session.Terminal.Write(new { Release = name, asked.Epsilon, asked.Delta, cost.Mu, Seconds = seconds },
            console =>
        {
            console.MarkupLineInterpolated(
                $"[green]{name}[/] is ready after {Show.Seconds(seconds)}; it answers for ever and costs nothing more.");
            console.MarkupLineInterpolated(
                $"spent {cost}; noise std of an answer {Show.Number(release.Accuracy.NoiseStd)}");
        });
    }

    /// <summary>
    /// Budget spent before the rows came in is lost. The owner's own program says so; the server does not, since a
    /// refusal would tell others that there is no row.
    /// </summary>
    static async Task RefuseEmptyAsync(DatasetHandle dataset, CancellationToken cancellation)
    {
        V1.Dataset about = await dataset.GetAsync(cancellation);
        if (about is { HasRecordCount: true, RecordCount: 0 }) throw new NoRowsException(dataset.Id);
    }

    sealed class Stages(IProgress<double> progress) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => progress.Report(value.Stage switch
        {
            V1.BuildStage.Aggregating => 0.95 * value.Percent / 100,
            V1.BuildStage.Releasing => 0.95,
            V1.BuildStage.Done => 1,
            _ => 0,
        });
    }
}

/// <summary>A release was asked of a dataset without rows.</summary>
sealed class NoRowsException(string dataset) : Exception(
    $"{dataset} holds no rows: bring them in with 'pk dataset import' first; --allow-empty spends budget all the same.");
