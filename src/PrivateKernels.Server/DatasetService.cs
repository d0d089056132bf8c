using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Datasets, ingest, budgets and the ledger on the wire.</summary>
sealed class DatasetService(
    DataDirectory directory, ServerOptions options, BuildQueue builds, JobQueue jobs, Drain drain, Accumulators accumulators)
    : V1.DatasetService.DatasetServiceBase
{
    public override async Task<V1.CreateDatasetResponse> CreateDataset(V1.CreateDatasetRequest request, ServerCallContext context)
    {
        Call call = Requests.Identify(request, "", request.ValidateOnly);
        NewDataset dataset = accumulators.Parse(request);
        byte[] reply = await directory.Datasets.CreateAsync(call, dataset, static (row, account) =>
            new V1.CreateDatasetResponse
            {
                Dataset = DatasetWire.ToWire(row, owner: true),
                Budget = account is null ? null : DatasetWire.ToWire(account, row.Id, holds: true),
            }.ToByteArray());
        return V1.CreateDatasetResponse.Parser.ParseFrom(reply);
    }

    public override Task<V1.GetDatasetResponse> GetDataset(V1.GetDatasetRequest request, ServerCallContext context)
    {
        DatasetRow row = directory.Datasets.Get(Names.Dataset(request.Name, "name"));
        return Task.FromResult(new V1.GetDatasetResponse { Dataset = DatasetWire.ToWire(row, Caller.Of(context).IsOwner) });
    }

    public override Task<V1.ListDatasetsResponse> ListDatasets(V1.ListDatasetsRequest request, ServerCallContext context)
    {
        object[] binding = ["ListDatasets", request.ShowDeleted];
        int size = Paging.Size(request.PageSize);
        (string, long)? after = null;
        if (Paging.Position(request.PageToken, binding) is { } position)
            after = position.Split(' ') is [var id, var uid] && Names.IsId(id) ? After(id, uid) : throw Paging.Invalid();
        Caller caller = Caller.Of(context);
        var response = new V1.ListDatasetsResponse();
        response.NextPageToken = Paging.Fill(
            Granted(caller, after, size + 1, request.ShowDeleted, context.CancellationToken), size, response.Datasets,
            row => DatasetWire.ToWire(row, caller.IsOwner),
            static row => $"{row.Id} {row.Uid}", binding);
        return Task.FromResult(response);
    }

    public override async Task<V1.UpdateDatasetResponse> UpdateDataset(V1.UpdateDatasetRequest request, ServerCallContext context)
    {
        V1.Dataset asked = request.Dataset ?? throw Refusal.Field("dataset", "must be set");
        string id = Names.Dataset(asked.Name, "dataset.name");
        Call call = Requests.Identify(request, asked.Name);
        RepeatedField<string> mask = request.UpdateMask?.Paths ?? [];
        if (mask.Count == 0 || mask.Any(static path => path is not ("display_name" or "description")))
            throw Refusal.Field("update_mask", "must name display_name, description or both: nothing else can change");
        string? displayName = mask.Contains("display_name")
            ? Requests.CheckedText(asked.DisplayName, 256, "dataset.display_name") : null;
        string? description = mask.Contains("description")
            ? Requests.CheckedText(asked.Description, 4096, "dataset.description") : null;
        byte[] reply = await directory.Datasets.UpdateAsync(call, id, asked.Etag, displayName, description, static row =>
            new V1.UpdateDatasetResponse { Dataset = DatasetWire.ToWire(row, owner: true) }.ToByteArray());
        return V1.UpdateDatasetResponse.Parser.ParseFrom(reply);
    }

    public override async Task<V1.DeleteDatasetResponse> DeleteDataset(V1.DeleteDatasetRequest request, ServerCallContext context)
    {
        string id = Names.Dataset(request.Name, "name");
        Call call = Requests.Identify(request, request.Name);
        byte[] reply;
        try
        {
            reply = await DeleteAsync();
        }
        // Only now is it known that the call is neither refused for another reason nor a repetition, which must end no build.
        catch (StorageException building) when (request.Force && building.Reason == Storage.Reasons.ReleaseNotReady)
        {
            // Holds of running builds are returned where that is still legal; the others are waited for.
            await builds.StopAsync(id, context.CancellationToken);
            reply = await DeleteAsync();
        }
        var response = V1.DeleteDatasetResponse.Parser.ParseFrom(reply);
        await jobs.StopAsync(job => job.DatasetUid == response.Dataset.Uid || job.QueryUid == response.Dataset.Uid);
        return response;

        Task<byte[]> DeleteAsync() => directory.Datasets.DeleteAsync(call, id, request.Etag, request.Force, static row =>
            new V1.DeleteDatasetResponse { Dataset = DatasetWire.ToWire(row, owner: true) }.ToByteArray());
    }

    public override async Task IngestPoints(
        IAsyncStreamReader<V1.IngestPointsRequest> requestStream,
        IServerStreamWriter<V1.IngestPointsResponse> responseStream, ServerCallContext context)
    {
        await using var guard = StreamGuard<V1.IngestPointsRequest>.Of(
            requestStream, StreamLimits.Ingest(options.Limits), context, drain);
        await new IngestSession(directory.Datasets, accumulators.Open, options.Limits, guard, responseStream).RunAsync(context.CancellationToken);
    }

    public override Task<V1.GetUploadResponse> GetUpload(V1.GetUploadRequest request, ServerCallContext context)
    {
        UploadStatus status = directory.Datasets.GetUpload(
            Names.Dataset(request.Dataset, "dataset"), IngestSession.CheckedUploadId(request.UploadId, "upload_id"));
        return Task.FromResult(new V1.GetUploadResponse
        {
            NextSequence = status.NextSequence,
            Finished = status.Finished,
            ExpireTime = status.Finished ? null : DatasetWire.WholeSeconds(status.ExpireTime),
        });
    }

    public override async Task<V1.AbortUploadResponse> AbortUpload(V1.AbortUploadRequest request, ServerCallContext context)
    {
        await directory.Datasets.AbortUploadAsync(
            Names.Dataset(request.Dataset, "dataset"), IngestSession.CheckedUploadId(request.UploadId, "upload_id"));
        return new V1.AbortUploadResponse();
    }

    public override Task<V1.GetBudgetResponse> GetBudget(V1.GetBudgetRequest request, ServerCallContext context)
    {
        string id = Names.Budget(request.Name, "name");
        AccountRow account = directory.Datasets.GetBudget(id) ?? throw Refusal.NotFound(request.Name);
        return Task.FromResult(new V1.GetBudgetResponse { Budget = DatasetWire.ToWire(account, id, Caller.Of(context).SeesHolds) });
    }

    public override async Task<V1.UpdateBudgetResponse> UpdateBudget(V1.UpdateBudgetRequest request, ServerCallContext context)
    {
        string id = Names.Budget(request.Name, "name");
        Call call = Requests.Identify(request, request.Name, request.ValidateOnly);
        AccountTerms terms = DatasetWire.Terms(request.Limit ?? throw Refusal.Field("limit", "must be set"), "limit");
        string reason = Requests.CheckedText(request.Reason, 1024, "reason");
        byte[] reply = await directory.Datasets.UpdateBudgetAsync(call, id, terms, reason, account =>
            new V1.UpdateBudgetResponse { Budget = DatasetWire.ToWire(account, id, holds: true) }.ToByteArray());
        return V1.UpdateBudgetResponse.Parser.ParseFrom(reply);
    }

    public override Task<V1.ListLedgerEntriesResponse> ListLedgerEntries(
        V1.ListLedgerEntriesRequest request, ServerCallContext context)
    {
        string? id = request.Parent.Length == 0 ? null : Names.Dataset(request.Parent, "parent");
        if (id is null && !Caller.Of(context).HasAll)
            throw new Refusal("ROLE_REQUIRED", "the whole ledger is for keys that all datasets are granted to; name a dataset.",
                ("role", "auditor"));
        if (request.AfterSequence < 0) throw Refusal.Field("after_sequence", "must not be negative");
        object[] binding = ["ListLedgerEntries", request.Parent, request.AfterSequence];
        int size = Paging.Size(request.PageSize, standard: 100);
        long after = request.AfterSequence;
        if (Paging.Position(request.PageToken, binding) is { } position && (!long.TryParse(position, out after) || after < 0))
            throw Paging.Invalid();
        var response = new V1.ListLedgerEntriesResponse
        {
            Head = DatasetWire.ToWire(directory.Ledger.Certify(directory.Ledger.Head)),
        };
        response.NextPageToken = Paging.Fill(
            directory.Ledger.ListEntries(id, after, size + 1), size, response.Entries, DatasetWire.ToWire,
            static row => FormattableString.Invariant($"{row.Position.Sequence}"), binding);
        return Task.FromResult(response);
    }

    public override Task<V1.ExportPrivacyEventsResponse> ExportPrivacyEvents(
        V1.ExportPrivacyEventsRequest request, ServerCallContext context)
    {
        (string json, LedgerCertificate head) = directory.Ledger.ExportEvents(Names.Dataset(request.Parent, "parent"));
        return Task.FromResult(new V1.ExportPrivacyEventsResponse { EventsJson = json, Head = DatasetWire.ToWire(head) });
    }

    /// <summary>
    /// Where a dataset stands in the list. Not its row, which would tell how many datasets there are that the caller may not see.
    /// </summary>
    (string Id, long Row) After(string id, string uid) =>
        directory.Datasets.List((id, 0), 1000, showDeleted: true).FirstOrDefault(row => row.Id == id && row.Uid == uid) is { } last
            ? (id, last.Row)
            : throw Paging.Invalid();

    /// <summary>Datasets in name order that the caller has a grant for.</summary>
    List<DatasetRow> Granted(
        Caller caller, (string Id, long Row)? after, int count, bool showDeleted, CancellationToken cancellation)
    {
        // Most rows may be of no interest: a few large reads are cheaper than many small ones.
        int chunk = caller.HasAll ? count : Math.Max(count, 1000);
        List<DatasetRow> granted = [];
        while (granted.Count < count)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyList<DatasetRow> rows = directory.Datasets.List(after, chunk, showDeleted);
            granted.AddRange(rows.Where(row => caller.May(row.Id)).Take(count - granted.Count));
            if (rows.Count < chunk) break;
            after = (rows[^1].Id, rows[^1].Row);
        }
        return granted;
    }
}
