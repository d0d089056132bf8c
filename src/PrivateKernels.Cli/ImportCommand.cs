using System.CommandLine;
using System.Diagnostics;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk dataset import: sends the rows of a file.</summary>
static class ImportCommand
{
    static readonly Argument<string> Name = new("NAME") { Description = "Id of the dataset." };

    static readonly Argument<string> File = new("FILE")
    {
        Description = ".npy, .csv, .parquet, .arrow or .idx (.npy, .csv and .idx also .gz).",
    };

    static readonly Option<string?> Labels = new("--labels")
    {
        Description = "File with one label per row; without it a column named 'label' is taken.",
        HelpName = "FILE",
    };

    static readonly Option<string?> Values = new("--values")
    {
        Description = "Column with the value of each row, by name, or by number from 0: for weighted sums.",
        HelpName = "COLUMN",
    };

    static readonly Option<Guid?> Upload = new("--upload-id")
    {
        Description = "Names the upload: the same id and file again go on where the last try stopped.",
        HelpName = "UUID",
    };

    public static Command Create() => new Command("import", "Add the rows of a file: all of them, or none.")
    {
        Name, File, Labels, Values, Upload, CommonOptions.Server,
    }.Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        string file = session.Get(File);
        Guid upload = session.Get(Upload) ?? Guid.NewGuid();
        long start = Stopwatch.GetTimestamp();
        long rows;
        try
        {
            rows = await session.Terminal.ProgressAsync(Path.GetFileName(file), progress =>
            {
                var options = new IngestOptions
                {
                    UploadId = upload,
                    ValuesColumn = session.Get(Values),
                    Progress = new Parts(progress),
                };
                return session.Dataset(Name).IngestFileAsync(file, session.Get(Labels), options, cancellation);
            });
        }
        catch (Exception e) when (
            e is PrivateKernelsException { Code: Grpc.Core.StatusCode.Unavailable } or OperationCanceledException)
        {
            session.Terminal.Note(console =>
                console.MarkupLineInterpolated($"[yellow]To go on: --upload-id {upload}[/]"));
            throw;
        }
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        session.Terminal.Write(new { Dataset = session.Get(Name), Rows = rows, Seconds = seconds, UploadId = upload },
            console =>
            console.MarkupLineInterpolated(
                $"[green]{Show.Count(rows)}[/] rows added in {Show.Seconds(seconds)}"));
    }

    sealed class Parts(IProgress<double> progress) : IProgress<IngestProgress>
    {
        public void Report(IngestProgress value) => progress.Report(value.Fraction);
    }
}
