using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Classification jobs and their operations on the wire.</summary>
static class JobWire
{
    internal static V1.ClassificationJob ToWire(JobRow job, JobRun? run, TimeSpan retention) => new()
    {
        Name = job.Name,
        Release = job.ReleaseName,
        QueryDataset = Names.OfDataset(job.QueryId),
        Score = (V1.ClassScore)job.Score,
        State = State(job, run),
        RowCount = run?.Done ?? job.Counts.Rows,
        CorrectCount = job.Counts.Correct,
        LabelledCount = job.Counts.Labelled,
        CreateTime = DatasetWire.WholeSeconds(job.CreateTime),
        ExpireTime = job.EndTime is { } ended ? DatasetWire.WholeSeconds(ended + retention) : null,
        ExcludedClasses = { job.Excluded.Select(static c => (uint)c) },
    };

    internal static Operation ToWire(OperationRow row, JobRow job, JobRun? run, TimeSpan retention)
    {
        var metadata = new V1.ClassificationJobMetadata
        {
            Job = row.Target,
            State = State(job, run),
            Percent = row.Done ? 100 : run?.Percent ?? 0,
        };
        var operation = new Operation { Name = row.Name, Metadata = Any.Pack(metadata), Done = row.Done };
        if (!row.Done) return operation;
        if (row.ErrorReason.Length > 0) operation.Error = Statuses.Build(row.ErrorReason, row.ErrorMessage, []);
        else operation.Response = Any.Pack(ToWire(job, null, retention));
        return operation;
    }

    static V1.JobState State(JobRow job, JobRun? run) =>
        run is { IsRunning: true } && job.State == JobState.Queued ? V1.JobState.Running : (V1.JobState)job.State;
}
