using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Follows builds and classification jobs. An operation that the caller may not see is not there for it.</summary>
sealed class OperationsService(
    DataDirectory directory, BuildQueue builds, JobQueue jobs, RetentionOptions retention, Drain drain)
    : Operations.OperationsBase
{
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    static readonly TimeSpan ReplyTime = TimeSpan.FromMilliseconds(200);

    public override Task<Operation> GetOperation(GetOperationRequest request, ServerCallContext context) =>
        Task.FromResult(Read(Uid(request.Name, context)));

    public override async Task<Operation> WaitOperation(WaitOperationRequest request, ServerCallContext context)
    {
        string uid = Uid(request.Name, context);
        Operation now = Read(uid);
        if (now.Done || (builds.Find(uid)?.Ended ?? jobs.Find(uid)?.Ended) is not { } ended) return Read(uid);
        TimeSpan asked = request.Timeout is { } timeout ? Checked(timeout) : LongestWait;
        // The latest state must reach the caller before its deadline does.
        TimeSpan left = context.Deadline - DateTime.UtcNow - ReplyTime;
        if (left < asked) asked = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, drain.Token);
        try
        {
            await ended.WaitAsync(asked < LongestWait ? asked : LongestWait, either.Token);
        }
        catch (TimeoutException)
        {
            // The wait is over, the operation is not: its latest state is the answer.
        }
        catch (OperationCanceledException) when (drain.Token.IsCancellationRequested)
        {
            throw Refusal.ShuttingDown();
        }
        return Read(uid);
    }

    public override async Task<Empty> CancelOperation(CancelOperationRequest request, ServerCallContext context)
    {
        string uid = Uid(request.Name, context);
        if (builds.Find(uid) is { } build) await builds.CancelAsync(build);
        if (jobs.Find(uid) is { } job) await jobs.CancelAsync(job);
        // One that nobody runs here is another server's, or was: it ends all the same, and what that server computes is dropped.
        else if (Names.FindJob(directory.Operations.Get(uid).Target) is { } name)
            await directory.Jobs.EndAsync(
                directory.Jobs.Get(name.Dataset, name.Job), JobState.Cancelled, default, Reasons.Cancelled, "the job was cancelled.");
        return new Empty();
    }

    public override async Task<Empty> DeleteOperation(DeleteOperationRequest request, ServerCallContext context)
    {
        await directory.Operations.DeleteAsync(Uid(request.Name, context));
        return new Empty();
    }

    public override Task<ListOperationsResponse> ListOperations(ListOperationsRequest request, ServerCallContext context)
    {
        if (request.Name is not ("" or "operations")) throw Refusal.Field("name", "must be \"operations\"");
        bool? done = request.Filter switch
        {
            "" => null,
            "done=true" => true,
            "done=false" => false,
            _ => throw Refusal.Field("filter", "must be empty, done=true or done=false"),
        };
        object[] binding = ["ListOperations", request.Filter];
        int size = Paging.Size(request.PageSize);
        ListPlace? after = Paging.Position(request.PageToken, binding) is { } position ? Paging.ReadPlace(position) : null;
        Caller caller = Caller.Of(context);
        List<OperationRow> found = [];
        while (found.Count <= size)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            IReadOnlyList<OperationRow> rows = directory.Operations.List(null, after, size + 1);
            found.AddRange(rows.Where(row => (done is null || row.Done == done) && IsVisible(row, caller)));
            if (rows.Count <= size) break;
            after = rows[^1].Place;
        }
        var response = new ListOperationsResponse();
        response.NextPageToken = Paging.Fill(
            found, size, response.Operations, ToWire, static row => Paging.Write(row.Place), binding);
        return Task.FromResult(response);
    }

    Operation Read(string uid) => ToWire(directory.Operations.Get(uid));

    Operation ToWire(OperationRow row)
    {
        if (Names.FindJob(row.Target) is not { } job) return OperationWire.ToWire(row, directory, builds);
        return JobWire.ToWire(row, directory.Jobs.Get(job.Dataset, job.Job), jobs.Find(row.Uid), retention.Jobs);
    }

    string Uid(string name, ServerCallContext context)
    {
        OperationRow row = directory.Operations.Get(Names.Operation(name, "name").ToString("D"));
        return IsVisible(row, Caller.Of(context)) ? row.Uid : throw Refusal.NotFound(row.Name);
    }

    /// <summary>A build is its owners', since it tells how long it took; a job is its creator's too.</summary>
    static bool IsVisible(OperationRow row, Caller caller) =>
        caller.May(row.DatasetId)
        && (caller.IsOwner || (row.Creator == caller.Id && row.Target.Contains("/classificationJobs/", StringComparison.Ordinal)));

    static TimeSpan Checked(Duration timeout)
    {
        if (timeout.Seconds < 0 || timeout.Nanos < 0) throw Refusal.Field("timeout", "must not be negative");
        return timeout.Seconds > LongestWait.TotalSeconds ? LongestWait : TimeSpan.FromSeconds(timeout.Seconds + timeout.Nanos * 1e-9);
    }
}
