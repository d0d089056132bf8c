using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>The calls on classification jobs.</summary>
sealed class JobCalls(DataDirectory directory, ServerOptions options, ReleaseCache cache, Engines engines, JobQueue jobs, Drain drain)
{
    /// <summary>Rows of one part of a stream: at most 11 bytes each, so below 1 MiB.</summary>
    const int PartRows = 64 * PredictionWriter.BlockRows;

    internal async Task<V1.CreateClassificationJobResponse> CreateAsync(V1.CreateClassificationJobRequest request, ServerCallContext context)
    {
        string dataset = Names.Dataset(request.Parent, "parent");
        Call call = Requests.Identify(request, request.Parent, request.ValidateOnly);
        if (directory.Jobs.FindReply(call) is { } earlier) return V1.CreateClassificationJobResponse.Parser.ParseFrom(earlier);
        NewJob job = Parse(request, dataset, context);
        if (request.ValidateOnly)
            return V1.CreateClassificationJobResponse.Parser.ParseFrom((await directory.Jobs.CreateAsync(call, job, Reply)).Reply);
        jobs.Join();
        JobRow? created = null;
        try
        {
            (byte[] reply, created) = await directory.Jobs.CreateAsync(call, job, Reply);
            if (created is not null) jobs.Enqueue(created);
            return V1.CreateClassificationJobResponse.Parser.ParseFrom(reply);
        }
        finally
        {
            if (created is null) jobs.Leave();
        }

        byte[] Reply(JobRow row, OperationRow operation)
        {
            var reply = new V1.CreateClassificationJobResponse
            {
                ClassificationJob = JobWire.ToWire(row, null, options.Retention.Jobs),
            };
            if (!request.ValidateOnly) reply.Operation = JobWire.ToWire(operation, row, null, options.Retention.Jobs);
            return reply.ToByteArray();
        }
    }

    internal V1.GetClassificationJobResponse Get(V1.GetClassificationJobRequest request) =>
        new() { ClassificationJob = ToWire(Row(request.Name)) };

    internal V1.ListClassificationJobsResponse List(V1.ListClassificationJobsRequest request)
    {
        string dataset = Names.Dataset(request.Parent, "parent");
        object[] binding = ["ListClassificationJobs", request.Parent];
        int size = Paging.Size(request.PageSize);
        ListPlace? after = Paging.Position(request.PageToken, binding) is { } position ? Paging.ReadPlace(position) : null;
        var response = new V1.ListClassificationJobsResponse();
        response.NextPageToken = Paging.Fill(
            directory.Jobs.List(dataset, after, size + 1), size, response.ClassificationJobs, ToWire,
            // Not the row, which counts the jobs of all datasets.
            static found => Paging.Write(found.Place), binding);
        return response;
    }

    internal async Task<V1.DeleteClassificationJobResponse> DeleteAsync(
        V1.DeleteClassificationJobRequest request, ServerCallContext context)
    {
        (string dataset, string id) = Names.Job(request.Name, "name");
        Caller caller = Caller.Of(context);
        if (!caller.IsOwner && directory.Jobs.Find(dataset, id) is { } job && job.Creator != caller.Id)
            throw new Refusal("ROLE_REQUIRED", "a job is deleted by whoever created it or by an owner.", ("role", "owner"));
        byte[] reply = await directory.Jobs.DeleteAsync(
            Requests.Identify(request, request.Name), dataset, id, new V1.DeleteClassificationJobResponse().ToByteArray());
        // It is gone; whoever still runs it stops at the next slice. A job that has its name since is not meant.
        string? since = directory.Jobs.Find(dataset, id)?.Uid;
        await jobs.StopAsync(job => job.DatasetId == dataset && job.Id == id && job.Uid != since);
        return V1.DeleteClassificationJobResponse.Parser.ParseFrom(reply);
    }

    internal async Task ReadAsync(
        V1.ReadPredictionsRequest request, IServerStreamWriter<V1.ReadPredictionsResponse> responses, ServerCallContext context)
    {
        JobRow job = Row(request.Name);
        if (request.FirstRow < 0) throw Refusal.Field("first_row", "must not be negative");
        IEnumerable<PredictionBlock> blocks = directory.Jobs.Read(job, request.FirstRow);
        if (request.FirstRow > job.Counts.Rows)
            throw new Refusal("OFFSET_PAST_END", "first_row is past the last row.",
                ("size", FormattableString.Invariant($"{job.Counts.Rows}")));
        var part = new V1.ReadPredictionsResponse { FirstRow = request.FirstRow };
        foreach (PredictionBlock block in blocks)
        {
            if (drain.Token.IsCancellationRequested) throw Refusal.ShuttingDown();
            part.ClassIndices.AddRange(block.Classes.Select(static c => (uint)c));
            part.Margins.AddRange(block.Margins);
            if (part.Margins.Count < PartRows) continue;
            await responses.WritePartAsync(part, options.Limits.WriteTimeout, context);
            part = new() { FirstRow = part.FirstRow + part.Margins.Count };
        }
        if (part.Margins.Count > 0) await responses.WritePartAsync(part, options.Limits.WriteTimeout, context);
    }

    NewJob Parse(V1.CreateClassificationJobRequest request, string dataset, ServerCallContext context)
    {
        V1.ClassificationJob asked = request.ClassificationJob ?? throw Refusal.Field("classification_job", "must be set");
        string id = request.ClassificationJobId.Length > 0
            ? Names.CheckedId(request.ClassificationJobId, "classification_job_id") : $"j-{Guid.NewGuid().ToString("N")[..12]}";
        if (Names.Release(asked.Release, "classification_job.release").Dataset != dataset)
            throw Refusal.Field("classification_job.release", "must be a release of the parent");
        ReleaseRow row = QueryService.Row(directory, asked.Release, "classification_job.release", context);
        DatasetRow query = directory.Datasets.Get(Names.Dataset(asked.QueryDataset, "classification_job.query_dataset"));
        Release release = cache.Get(row);
        int dimension = release.Measurement.Sketch.Domain.Dimension;
        if (query.Definition.Domain.Dimension != dimension)
            throw new DimensionMismatchException(dimension, query.Definition.Domain.Dimension);
        // Of no points: says which score is used and which classes are never predicted, or why there is none.
        Classification nothing = release.Classify(
            new Points(default, dimension), QueryService.Score(asked.Score, "classification_job.score"), engines.Queries(context.CancellationToken));
        return new(id, row, query.Id, (int)nothing.Score, nothing.Excluded, Caller.Of(context).Id);
    }

    JobRow Row(string name)
    {
        (string dataset, string id) = Names.Job(name, "name");
        return directory.Jobs.Get(dataset, id);
    }

    V1.ClassificationJob ToWire(JobRow job) => JobWire.ToWire(job, jobs.Find(job.OperationUid), options.Retention.Jobs);
}
