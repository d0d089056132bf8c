using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk job: classifies whole public datasets on the server.</summary>
static class JobCommands
{
    static readonly Argument<string> Release = new("DATASET/ID") { Description = "A per-class release." };

    static readonly Argument<string> Query = new("PUBLIC") { Description = "Public dataset whose rows are classified." };

    static readonly Argument<string> Dataset = new("DATASET") { Description = "The dataset that was released." };

    static readonly Argument<string> Job = new("DATASET/JOB") { Description = "The job." };

    static readonly Option<string?> Id = new("--id") { Description = "Id of the job (default: chosen by the server)." };

    public static Command Create() => new("job", "Classify public datasets on the server, in the background.")
    {
        new Command("create", "Classify a public dataset and wait for the end; Ctrl-C stops only the waiting.")
        {
            Release, Query, Id, ClassifyCommand.Score, ClassifyCommand.Out, CommonOptions.Server,
        }.Runs(CreateAsync),
        new Command("list", "List the jobs of a dataset, newest first.") { Dataset, CommonOptions.Server }.Runs(ListAsync),
        new Command("show", "Show one job.") { Job, CommonOptions.Server }.Runs(ShowAsync),
        new Command("read", "Write the predictions of a job.") { Job, ClassifyCommand.Out, CommonOptions.Server }.Runs(ReadAsync),
        new Command("delete", "Stop a job and discard its predictions.") { Job, CommonOptions.Server }.Runs(DeleteAsync),
    };

    static async Task CreateAsync(Session session, CancellationToken cancellation)
    {
        ReleaseHandle release = session.Release(Release);
        V1.ClassificationJob job = await session.Terminal.ProgressAsync(
            session.Get(Query),
            progress => release.ClassifyDatasetAsync(
                session.Get(Query), session.Get(Id), ClassifyCommand.ScoreOf(session.Get(ClassifyCommand.Score)), progress,
                cancellation: cancellation));
        await WriteAsync(session, job, cancellation);
    }

    static async Task ListAsync(Session session, CancellationToken cancellation)
    {
        var jobs = new List<V1.ClassificationJob>();
        await foreach (V1.ClassificationJob job in session.Dataset(Dataset).ListJobsAsync(cancellation)) jobs.Add(job);
        session.Terminal.Write(new { Jobs = jobs.Select(static j => Document(j, null)) }, console =>
        {
            Table table = session.Terminal.Table("job", "release", "public dataset", "state", "rows", "accuracy");
            foreach (V1.ClassificationJob j in jobs)
                table.AddRow(
                    Markup.Escape(Short(j)), Markup.Escape(ReleaseName.Short(j.Release)), Markup.Escape(QueryId(j)),
                    Show.Name(j.State), Show.Count(j.RowCount), Accuracy(j) is { } a ? Show.Percent(a) : "");
            console.Write(table);
        });
    }

    static async Task ShowAsync(Session session, CancellationToken cancellation) =>
        await WriteAsync(session, await Handle(session).GetAsync(cancellation), cancellation);

    static async Task ReadAsync(Session session, CancellationToken cancellation) =>
        await WriteAsync(session, await Handle(session).GetAsync(cancellation), cancellation, withPredictions: true);

    static async Task DeleteAsync(Session session, CancellationToken cancellation)
    {
        JobHandle job = Handle(session);
        await job.DeleteAsync(cancellation);
        session.Terminal.Write(new { Job = $"{job.Dataset}/{job.Id}", State = "deleted" }, console =>
            console.MarkupLineInterpolated($"[bold]{job.Dataset}/{job.Id}[/] is deleted."));
    }

    /// <summary>Shows a job; with predictions where they are asked for.</summary>
    static async Task WriteAsync(
        Session session, V1.ClassificationJob job, CancellationToken cancellation, bool withPredictions = false)
    {
        string[] names = [.. (await session.Client.Release(Part(job.Release, 1), Part(job.Release, 3)).GetAsync(cancellation)).Classes];
        string[]? labels = null;
        if (withPredictions || session.Get(ClassifyCommand.Out) is not null)
        {
            (int[] classes, double[] margins) =
                await session.Client.Job(Part(job.Name, 1), Part(job.Name, 3)).ReadAsync(cancellation);
            if (session.Get(ClassifyCommand.Out) is { } path) ClassifyCommand.WriteOut(path, classes, margins, names);
            if (withPredictions) labels = [.. classes.Select(c => names[c])];
        }
        string[] excluded = [.. job.ExcludedClasses.Select(c => names[c])];
        session.Terminal.Write(Document(job, labels, excluded), console =>
        {
            Table table = session.Terminal.Table("job", Markup.Escape(Short(job)));
            table.AddRow("release", Markup.Escape(ReleaseName.Short(job.Release)));
            table.AddRow("public dataset", Markup.Escape(QueryId(job)));
            table.AddRow("score", Show.Name(job.Score));
            table.AddRow("state", Show.Name(job.State));
            table.AddRow("rows", Show.Count(job.RowCount));
            if (Accuracy(job) is { } accuracy) table.AddRow("accuracy", $"{Show.Percent(accuracy)} of {Show.Count(job.LabelledCount)} labelled");
            if (job.ExpireTime is { } expires) table.AddRow("kept until", $"{expires.ToDateTimeOffset():u}");
            console.Write(table);
            foreach (string name in excluded)
                console.MarkupLineInterpolated(
                    $"[yellow]class {name} is too small to be told from noise and is never predicted[/]");
            foreach (string label in labels ?? []) console.MarkupLineInterpolated($"{label}");
        });
    }

    static object Document(V1.ClassificationJob j, string[]? labels, string[]? excluded = null) => new
    {
        Job = Short(j),
        Release = ReleaseName.Short(j.Release),
        QueryDataset = QueryId(j),
        Score = Show.Name(j.Score),
        State = Show.Name(j.State),
        Rows = j.RowCount,
        Labelled = j.LabelledCount,
        Correct = j.CorrectCount,
        Accuracy = Accuracy(j),
        ExcludedClasses = excluded is [] ? null : excluded,
        Labels = labels,
        CreateTime = j.CreateTime.ToDateTimeOffset(),
        ExpireTime = j.ExpireTime?.ToDateTimeOffset(),
    };

    static JobHandle Handle(Session session) => session.Get(Job).Split('/') switch
    {
        [{ Length: > 0 } dataset, { Length: > 0 } id] => session.Client.Job(dataset, id),
        ["datasets", { Length: > 0 } dataset, "classificationJobs", { Length: > 0 } id] => session.Client.Job(dataset, id),
        _ => throw new InvalidFieldException("job", session.Get(Job), "must be DATASET/JOB"),
    };

    static double? Accuracy(V1.ClassificationJob job) =>
        job.LabelledCount > 0 ? (double)job.CorrectCount / job.LabelledCount : null;

    static string Short(V1.ClassificationJob job) => $"{Part(job.Name, 1)}/{Part(job.Name, 3)}";

    static string QueryId(V1.ClassificationJob job) => Part(job.QueryDataset, 1);

    static string Part(string name, int index) => name.Split('/')[index];
}
