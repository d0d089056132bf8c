namespace PrivateKernels.Storage;

/// <summary>Life of a classification job as stored; one that is under way is queued. The numbers are those of the wire.</summary>
public enum JobState
{
    Queued = 1,

    /// <summary>Predictions can be read.</summary>
    Succeeded = 3,

    /// <summary>Gave up; the operation says why.</summary>
    Failed = 4,

    /// <summary>Stopped on request.</summary>
    Cancelled = 5,
}

/// <summary>A job that is to be created.</summary>
/// <param name="Release">Per-class release that classifies; its dataset is the job's parent.</param>
/// <param name="QueryId">PUBLIC dataset whose rows, those committed by now, are classified.</param>
/// <param name="Score">How to score, as a number of the wire.</param>
/// <param name="Excluded">Classes that are never predicted, as indices in the release.</param>
/// <param name="Creator">Key id of the caller.</param>
public sealed record NewJob(
    string Id, ReleaseRow Release, string QueryId, int Score, IReadOnlyList<int> Excluded, string Creator);

/// <summary>Rows classified, rows that carry a label, and rows that got that label.</summary>
public readonly record struct JobCounts(long Rows, long Labelled, long Correct);

/// <summary>A classification job as stored.</summary>
/// <param name="Uid">UUID text; names the file of predictions.</param>
/// <param name="Mark">Last commit of the query dataset that takes part: what is uploaded later does not.</param>
/// <param name="Counts">Of a job that has succeeded.</param>
public sealed record JobRow(
    string Uid, string DatasetId, string DatasetUid, string Id, string ReleaseId, string ReleaseUid, string QueryId,
    string QueryUid, long Mark, int Score, IReadOnlyList<int> Excluded, string Creator, string OperationUid, JobState State,
    DateTimeOffset CreateTime, DateTimeOffset? EndTime, JobCounts Counts)
{
    public string Name => $"datasets/{DatasetId}/classificationJobs/{Id}";

    public string ReleaseName => $"datasets/{DatasetId}/releases/{ReleaseId}";

    /// <summary>Where it stands in a list.</summary>
    public ListPlace Place => new(CreateTime.ToUnixTimeSeconds(), Uid);
}
