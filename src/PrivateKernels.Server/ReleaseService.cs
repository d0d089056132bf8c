using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Prices, builds and hands out releases on the wire.</summary>
sealed class ReleaseService(
    DataDirectory directory, ServerOptions options, BuildQueue builds, ReleaseCache cache, EngineSpeed speed, Drain drain,
    Accumulators accumulators, QueryGate planning)
    : V1.ReleaseService.ReleaseServiceBase
{
    const int MostSpecs = 64;
    const int PartBytes = 1 << 20;

    static readonly ReleaseState[] Living = [ReleaseState.Building, ReleaseState.Ready, ReleaseState.Failed];

    static readonly ReleaseState[] All = [.. Living, ReleaseState.Deleted];

    /// <summary>Files that are being imported are in memory as a whole: so many bytes of them at once, but one at least.</summary>
    readonly BytesInFlight _imports = new(Math.Max(options.Limits.BytesInFlight, ImportSession.MostBytes(options.Limits)));

    PlannerLimits Limits => new(options.Limits.Features, options.Limits.Cells);

    public override Task<V1.EstimateReleaseResponse> EstimateRelease(V1.EstimateReleaseRequest request, ServerCallContext context) =>
        planning.RunAsync(() => Estimate(request, context), context.CancellationToken);

    V1.EstimateReleaseResponse Estimate(V1.EstimateReleaseRequest request, ServerCallContext context)
    {
        (DatasetRow dataset, AccountRow account) = Payer(request.Parent);
        if (request.Specs.Count > MostSpecs) throw Refusal.Field("specs", $"may hold at most {MostSpecs} specs");
        DatasetFacts facts = Facts(dataset.Definition, account);
        PlannerGoal goal = Goal(request.Goal, facts);
        bool holds = Caller.Of(context).SeesHolds;
        var response = new V1.EstimateReleaseResponse { Budget = DatasetWire.ToWire(account, dataset.Id, holds) };
        for (int i = 0; i < request.Specs.Count; i++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            ReleasePlan plan = Plan(request.Specs[i], $"specs[{i}]", dataset, facts, new(directory), goal, drawsSeed: false);
            response.Estimates.Add(Estimate(plan, facts, account, holds, goal));
        }
        return response;
    }

    public override async Task<V1.CreateReleaseResponse> CreateRelease(V1.CreateReleaseRequest request, ServerCallContext context)
    {
        (DatasetRow dataset, AccountRow account) = Payer(request.Parent);
        Call call = Requests.Identify(request, request.Parent, request.ValidateOnly);
        string id = request.ReleaseId.Length > 0
            ? Names.CheckedId(request.ReleaseId, "release_id") : $"r-{Guid.NewGuid().ToString("N")[..12]}";
        var landmarks = new LandmarkRows(directory);
        DatasetFacts facts = Facts(dataset.Definition, account);
        ReleasePlan plan = Plan(request.Spec, "spec", dataset, facts, landmarks, null, drawsSeed: true);
        var stored = new StoredBuild(facts.MaxRecords, landmarks.Rows, new V1.CreateReleaseResponse
        {
            Release = ReleaseWire.Describe(plan, dataset.Definition, account.DisplayDelta),
            Estimate = Estimate(plan, facts, account, holds: true, goal: null),
        });
        Measurement measurement = plan.Measurement;
        var reserve = new ReserveRequest(
            call, dataset.Id, id, plan.Cost, measurement.Fingerprint, measurement.Strength.Mechanism, measurement.Noise.Scale,
            ReleaseWire.SensitivityNorm(measurement), measurement.LargestRecordCount - 1, stored.ToBytes(),
            Caller.Of(context).Id)
        { FileBytes = plan.Accuracy.FileBytes };
        return request.ValidateOnly ? Reply(await directory.Ledger.ReserveAsync(reserve), validateOnly: true) : await Reserve(reserve);
    }

    public override Task<V1.GetReleaseResponse> GetRelease(V1.GetReleaseRequest request, ServerCallContext context)
    {
        Caller caller = Caller.Of(context);
        return Task.FromResult(new V1.GetReleaseResponse
        {
            Release = ReleaseWire.ToWire(Row(request.Name, caller), directory.Ledger, caller.IsOwner),
        });
    }

    public override Task<V1.ListReleasesResponse> ListReleases(V1.ListReleasesRequest request, ServerCallContext context)
    {
        string dataset = Names.Dataset(request.Parent, "parent");
        Caller caller = Caller.Of(context);
        bool owner = caller.IsOwner;
        object[] binding = ["ListReleases", request.Parent, request.ShowDeleted, owner];
        int size = Paging.Size(request.PageSize);
        directory.Datasets.Get(dataset);
        long? before = Paging.Position(request.PageToken, binding) is not { } position ? null
            : owner && long.TryParse(position, out long row) ? row
            // Whoever forges a token must not learn from it which builds there are.
            : !owner && Names.IsId(position) ? Row(Names.OfRelease(dataset, position), caller).Row : throw Paging.Invalid();
        var response = new V1.ListReleasesResponse();
        response.NextPageToken = Paging.Fill(
            directory.Releases.List(dataset, before, size + 1, States(owner, request.ShowDeleted)), size, response.Releases,
            found => ReleaseWire.ToWire(found, directory.Ledger, owner),
            // The row counts every reservation there was, the ones that only owners may know of too.
            found => owner ? FormattableString.Invariant($"{found.Row}") : found.Id, binding);
        return Task.FromResult(response);
    }

    public override async Task<V1.DeleteReleaseResponse> DeleteRelease(V1.DeleteReleaseRequest request, ServerCallContext context)
    {
        (string dataset, string id) = Names.Release(request.Name, "name");
        Call call = Requests.Identify(request, request.Name);
        byte[] reply = await directory.Releases.DeleteAsync(call, dataset, id, request.Etag, row =>
        {
            cache.Remove(row.Uid);
            return new V1.DeleteReleaseResponse { Release = ReleaseWire.ToWire(row, directory.Ledger, owner: true) }.ToByteArray();
        });
        return V1.DeleteReleaseResponse.Parser.ParseFrom(reply);
    }

    public override async Task DownloadRelease(
        V1.DownloadReleaseRequest request, IServerStreamWriter<V1.DownloadReleaseResponse> responseStream, ServerCallContext context)
    {
        ReleaseRow row = QueryService.Row(directory, request.Name, "name", context);
        if (request.Offset < 0) throw Refusal.Field("offset", "must not be negative");
        await using FileStream file = directory.Releases.OpenFile(row);
        if (request.Offset > file.Length)
            throw new Refusal("OFFSET_PAST_END", "offset is past the end of the file.",
                ("size", FormattableString.Invariant($"{file.Length}")));
        file.Position = request.Offset;
        var part = new byte[PartBytes];
        bool first = true;
        while (file.Position < file.Length)
        {
            if (drain.Token.IsCancellationRequested) throw Refusal.ShuttingDown();
            long offset = file.Position;
            int read = await file.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, context.CancellationToken);
            var message = new V1.DownloadReleaseResponse
            {
                Offset = offset,
                Data = ByteString.CopyFrom(part, 0, read),
                Crc32C = Crc32C.Compute(part.AsSpan(0, read)),
                TotalBytes = file.Length,
                Sha256 = DatasetWire.Bytes(row.Sha256),
                PostedAt = first && row.PostedAt is { } posted ? DatasetWire.ToWire(directory.Ledger.Certify(posted)) : null,
            };
            await responseStream.WritePartAsync(message, options.Limits.WriteTimeout, context);
            first = false;
        }
    }

    public override async Task<V1.ImportReleaseResponse> ImportRelease(
        IAsyncStreamReader<V1.ImportReleaseRequest> requestStream, ServerCallContext context)
    {
        await using var guard = StreamGuard<V1.ImportReleaseRequest>.Of(
            requestStream, StreamLimits.Ingest(options.Limits), context, drain);
        IDisposable? held = null;
        try
        {
            ImportRequest request = await ImportSession.ReceiveAsync(guard, options.Limits, bytes => held = _imports.Take(bytes));
            byte[] reply = await directory.Releases.ImportAsync(request, row =>
                new V1.ImportReleaseResponse { Release = ReleaseWire.ToWire(row, directory.Ledger, owner: true) }.ToByteArray());
            return V1.ImportReleaseResponse.Parser.ParseFrom(reply);
        }
        finally
        {
            held?.Dispose();
        }
    }

    async Task<V1.CreateReleaseResponse> Reserve(ReserveRequest reserve)
    {
        builds.Join();
        Build? build = null;
        try
        {
            Reservation reservation = await directory.Ledger.ReserveAsync(reserve);
            build = reservation.Build;
            if (build is not null) builds.Enqueue(build);
            return Reply(reservation, validateOnly: false);
        }
        finally
        {
            if (build is null) builds.Leave();
        }
    }

    V1.CreateReleaseResponse Reply(Reservation reservation, bool validateOnly)
    {
        V1.CreateReleaseResponse reply = StoredBuild.Read(reservation.Release.Spec).Reply;
        reply.Release = ReleaseWire.ToWire(reservation.Release, directory.Ledger, owner: true);
        if (!validateOnly) reply.Operation = OperationWire.ToWire(reservation.Operation, directory, builds);
        return reply;
    }

    ReleasePlan Plan(
        V1.ReleaseSpec? spec, string field, DatasetRow dataset, DatasetFacts facts, LandmarkRows landmarks, PlannerGoal? goal,
        bool drawsSeed)
    {
        if (dataset.Definition.IsOnePass) return accumulators.Plan(spec, field, dataset, facts);
        ReleaseRequest asked = ReleaseWire.Parse(spec, field, landmarks);
        return Planner.Plan(drawsSeed ? asked with { Seed = asked.Seed ?? PublicRandom.DrawSeed() } : asked, facts, Limits, goal);
    }

    /// <param name="plan">What is priced.</param>
    /// <param name="facts">What is public about the dataset.</param>
    /// <param name="account">Who pays.</param>
    /// <param name="holds">Whether the caller may see what is held for builds.</param>
    /// <param name="goal">What the planner aimed at; null = without alternatives and advice.</param>
    V1.ReleaseEstimate Estimate(ReleasePlan plan, DatasetFacts facts, AccountRow account, bool holds, PlannerGoal? goal)
    {
        var estimate = new V1.ReleaseEstimate
        {
            Cost = ReleaseWire.ToWire(plan.Cost, account.DisplayDelta),
            Accuracy = ReleaseWire.ToWire(plan.Accuracy),
            Affordable = plan.Cost.Units <= DatasetWire.Remaining(account, holds),
            Spec = ReleaseWire.ToSpec(plan),
            Reason = goal is not null && Planner.Warn(plan, facts) is { } warning ? $"{plan.Reason} {warning}" : plan.Reason,
            BuildSeconds = Seconds(plan, facts),
        };
        if (goal is null || plan.Request.Accumulator.Length > 0) return estimate;
        foreach (ReleasePlan other in Planner.Alternatives(plan, facts, Limits, goal))
            estimate.Alternatives.Add(new V1.ReleaseAlternative
            {
                Spec = ReleaseWire.ToSpec(other),
                Cost = ReleaseWire.ToWire(other.Cost, account.DisplayDelta),
                Accuracy = ReleaseWire.ToWire(other.Accuracy),
                BuildSeconds = Seconds(other, facts),
                Reason = other.Reason,
            });
        return estimate;
    }

    double Seconds(ReleasePlan plan, DatasetFacts facts) =>
        plan.Measurement.Sketch.OperationsPerRecord * PredictedRecords(facts) / speed.OperationsPerSecond;

    /// <summary>Records that build times are predicted for: the public bound, or a million.</summary>
    static double PredictedRecords(DatasetFacts facts) => facts.MaxRecordsDeclared ? facts.MaxRecords : 1e6;

    PlannerGoal Goal(V1.PlannerGoal? goal, DatasetFacts facts)
    {
        if (goal is null) return new();
        if (!(goal.TargetStd >= 0) || !double.IsFinite(goal.TargetStd))
            throw Refusal.Field("goal.target_std", "must be finite and not negative");
        if (!(goal.MaxBuildSeconds >= 0) || !double.IsFinite(goal.MaxBuildSeconds))
            throw Refusal.Field("goal.max_build_seconds", "must be finite and not negative");
        if (goal.MaxFileBytes < 0) throw Refusal.Field("goal.max_file_bytes", "must not be negative");
        return new(goal.TargetStd, goal.MaxBuildSeconds * speed.OperationsPerSecond / PredictedRecords(facts), goal.MaxFileBytes);
    }

    (DatasetRow Dataset, AccountRow Account) Payer(string parent)
    {
        DatasetRow dataset = directory.Datasets.Get(Names.Dataset(parent, "parent"));
        return (dataset, directory.Datasets.GetBudget(dataset.Id)
            ?? throw Refusal.Field("parent", "is not a private dataset: nothing is released from it"));
    }

    ReleaseRow Row(string name, Caller caller)
    {
        (string dataset, string id) = Names.Release(name, "name");
        ReleaseRow row = directory.Releases.Get(dataset, id);
        return caller.IsOwner || IsPublic(row.State) ? row : throw Refusal.NotFound(name);
    }

    /// <summary>Builds under way and builds that failed are the owner's business: they are not there for anybody else.</summary>
    internal static bool IsPublic(ReleaseState state) => state is ReleaseState.Ready or ReleaseState.Deleted;

    static ReleaseState[] States(bool owner, bool showDeleted) =>
        [.. (showDeleted ? All : Living).Where(state => owner || IsPublic(state))];

    DatasetFacts Facts(DatasetDefinition definition, AccountRow account) =>
        StoredBuild.Facts(definition, account.Unit, definition.MaxRecords > 0 ? definition.MaxRecords : options.Limits.Records);
}
