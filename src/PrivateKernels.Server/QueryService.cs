using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using PrivateKernels.Gpu;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Answers from releases. Touches nothing private, spends nothing.</summary>
sealed class QueryService(
    DataDirectory directory, ServerOptions options, ReleaseCache cache, Engines engines, QueryGate gate, JobCalls jobs,
    Drain drain, Access access)
    : V1.QueryService.QueryServiceBase
{
    public override async Task<V1.QueryResponse> Query(V1.QueryRequest request, ServerCallContext context)
    {
        ReleaseRow row = Row(directory, request.Release, "release", context);
        var batch = new QueryBatch(request.Points, request.ClassName, request.AllClasses, options.Limits);
        access.TakePoints(Caller.Of(context), batch.Count);
        return await gate.RunAsync(
            () =>
            {
                var response = new V1.QueryResponse { ReleaseSha256 = DatasetWire.Bytes(row.Sha256) };
                (response.Answers, IReadOnlyList<V1.ClassAnswers> classes) =
                    batch.Answer(cache.Get(row), engines.Queries(context.CancellationToken), context.CancellationToken);
                response.ClassAnswers.Add(classes);
                return response;
            },
            context.CancellationToken);
    }

    public override async Task StreamQuery(
        IAsyncStreamReader<V1.StreamQueryRequest> requestStream, IServerStreamWriter<V1.StreamQueryResponse> responseStream,
        ServerCallContext context)
    {
        await using var guard = StreamGuard<V1.StreamQueryRequest>.Of(
            requestStream, StreamLimits.Query(options.Limits), context, drain);
        CancellationToken cancellation = context.CancellationToken;
        ReleaseRow? row = null;
        (string ClassName, bool AllClasses) asked = ("", false);
        ulong last = 0;
        for (bool first = true; await guard.NextAsync() is { } request; first = false)
        {
            if (!first && request.Sequence <= last) throw Refusal.Field("sequence", "must increase from message to message");
            last = request.Sequence;
            if (request.Release.Length > 0)
                (row, asked) = (Row(directory, request.Release, "release", context), (request.ClassName, request.AllClasses));
            else if (request.ClassName.Length > 0 || request.AllClasses)
                throw Refusal.Field("release", "must come with class_name and all_classes");
            ReleaseRow current = row ?? throw Refusal.Field("release", "must be set in the first message");
            var batch = new QueryBatch(request.Points, asked.ClassName, asked.AllClasses, options.Limits);
            access.TakePoints(Caller.Of(context), batch.Count);
            V1.StreamQueryResponse response = await gate.RunAsync(
                () =>
                {
                    var answer = new V1.StreamQueryResponse { Sequence = request.Sequence };
                    (answer.Answers, IReadOnlyList<V1.ClassAnswers> classes) =
                        batch.Answer(cache.Get(current), engines.Queries(cancellation), cancellation);
                    answer.ClassAnswers.Add(classes);
                    return answer;
                },
                cancellation);
            await guard.WriteAsync(responseStream, response);
        }
    }

    public override async Task<V1.ClassifyResponse> Classify(V1.ClassifyRequest request, ServerCallContext context)
    {
        ReleaseRow row = Row(directory, request.Release, "release", context);
        ClassScore? score = Score(request.Score, "score");
        var batch = new QueryBatch(request.Points, "", false, options.Limits);
        access.TakePoints(Caller.Of(context), batch.Count);
        return await gate.RunAsync(
            () =>
            {
                V1.ClassifyResponse response = batch.Classify(
                    cache.Get(row), score, request.IncludeScores, engines.Queries(context.CancellationToken),
                    context.CancellationToken);
                response.ReleaseSha256 = DatasetWire.Bytes(row.Sha256);
                return response;
            },
            context.CancellationToken);
    }

    public override Task<V1.CreateClassificationJobResponse> CreateClassificationJob(
        V1.CreateClassificationJobRequest request, ServerCallContext context) =>
        jobs.CreateAsync(request, context);

    public override Task<V1.GetClassificationJobResponse> GetClassificationJob(
        V1.GetClassificationJobRequest request, ServerCallContext context) => Task.FromResult(jobs.Get(request));

    public override Task<V1.ListClassificationJobsResponse> ListClassificationJobs(
        V1.ListClassificationJobsRequest request, ServerCallContext context) => Task.FromResult(jobs.List(request));

    public override Task<V1.DeleteClassificationJobResponse> DeleteClassificationJob(
        V1.DeleteClassificationJobRequest request, ServerCallContext context) => jobs.DeleteAsync(request, context);

    public override Task ReadPredictions(
        V1.ReadPredictionsRequest request, IServerStreamWriter<V1.ReadPredictionsResponse> responseStream,
        ServerCallContext context) =>
        jobs.ReadAsync(request, responseStream, context);

    public override Task<V1.ListPairFunctionsResponse> ListPairFunctions(
        V1.ListPairFunctionsRequest request, ServerCallContext context)
    {
        int size = Paging.Size(request.PageSize, standard: 1000);
        string? after = Paging.Position(request.PageToken, "ListPairFunctions");
        var response = new V1.ListPairFunctionsResponse();
        response.NextPageToken = Paging.Fill(
            [.. Catalog.Functions.Where(e => after is null || string.CompareOrdinal(e.Name, after) > 0)], size,
            response.Functions, Describe, static e => e.Name, "ListPairFunctions");
        return Task.FromResult(response);
    }

    public override Task<V1.GetServerInfoResponse> GetServerInfo(V1.GetServerInfoRequest request, ServerCallContext context)
    {
        LimitsOptions l = options.Limits;
        var response = new V1.GetServerInfoResponse
        {
            Version = ServerHost.Version,
            Limits = new V1.ServerLimits
            {
                MaxRequestBytes = (uint)l.RequestBytes,
                MaxBatchBytes = (uint)l.BatchBytes,
                MaxDimension = (uint)l.Dimension,
                MaxQueryPoints = (uint)l.QueryPoints,
                MaxRecords = l.Records,
                MaxCells = l.Cells,
                MaxClasses = (uint)l.Classes,
                MaxStreamsPerCaller = (uint)l.StreamsPerKey,
                StreamIdleTimeout = Duration.FromTimeSpan(l.StreamIdle),
                MaxDeadline = Duration.FromTimeSpan(l.MaxDeadline),
            },
        };
        foreach (EngineReport report in engines.Reports)
            response.Engines.Add(new V1.Engine
            {
                Kind = (V1.EngineKind)report.Engine.Kind,
                Device = report.Engine.Device,
                MemoryBytes = report.MemoryBytes,
                Verified = report.IsVerified,
            });
        return Task.FromResult(response);
    }

    /// <summary>The score asked for; null = the best that the release allows.</summary>
    internal static ClassScore? Score(V1.ClassScore score, string field) => score switch
    {
        V1.ClassScore.Unspecified => null,
        V1.ClassScore.Mean => ClassScore.Mean,
        V1.ClassScore.Sum => ClassScore.Sum,
        V1.ClassScore.NearestKernelMean => ClassScore.NearestKernelMean,
        V1.ClassScore.LeastSquares => ClassScore.LeastSquares,
        _ => throw Refusal.Field(field, "is not a known value"),
    };

    /// <summary>A release that can answer: READY, of this name.</summary>
    internal static ReleaseRow Row(DataDirectory directory, string name, string field, ServerCallContext context)
    {
        (string dataset, string id) = Names.Release(name, field);
        ReleaseRow row = directory.Releases.Get(dataset, id);
        return row.State switch
        {
            ReleaseState.Ready => row,
            ReleaseState.Deleted => throw Refusal.NotFound(name),
            _ when !Caller.Of(context).IsOwner => throw Refusal.NotFound(name),
            ReleaseState.Failed => throw new Refusal("RELEASE_NOT_READY", "the build of this release failed; create another.",
                ("operation", $"operations/{row.OperationUid}")),
            _ => throw new Refusal("RELEASE_NOT_READY", "the release is being built; wait for its operation.",
                ("operation", $"operations/{row.OperationUid}")),
        };
    }

    static V1.PairFunctionDescription Describe(PairFunctionEntry entry) => new()
    {
        Name = entry.Name,
        Formula = entry.Formula,
        Kernel = entry.IsKernel,
        NeedsBox = entry.NeedsBox,
        NeedsMaxNorm = entry.NeedsMaxNorm,
        Mechanisms = { entry.Mechanisms.Select(static m => (V1.Mechanism)m) },
        Methods = { entry.Methods.Select(static m => (V1.SketchMethod)m) },
        UsesBandwidth = entry.UsesBandwidth,
        UsesExponent = entry.UsesExponent,
    };
}
