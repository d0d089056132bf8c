using System.Security.Cryptography;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>One dataset on a server.</summary>
public sealed class DatasetHandle
{
    readonly PrivateKernelsClient _client;

    internal DatasetHandle(PrivateKernelsClient client, string id) => (_client, Id) = (client, id);

    public string Id { get; }

    /// <summary>Resource name.</summary>
    public string Name => $"datasets/{Id}";

    /// <summary>Public bounds, classes, and what the caller may see of its size.</summary>
    public async Task<V1.Dataset> GetAsync(CancellationToken cancellation = default) =>
        (await _client.Caller.CallAsync(
            _client.Datasets.GetDatasetAsync, new V1.GetDatasetRequest { Name = Name }, cancellation)).Dataset;

    /// <summary>Destroys the rows; name and spend remain.</summary>
    /// <param name="force">Also delete its releases; without it a dataset with releases is refused.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<V1.Dataset> DeleteAsync(bool force = false, CancellationToken cancellation = default)
    {
        var request =
            new V1.DeleteDatasetRequest { Name = Name, Force = force, RequestId = PrivateKernelsClient.NewId() };
        return (await _client.Caller.CallAsync(_client.Datasets.DeleteDatasetAsync, request, cancellation)).Dataset;
    }

    /// <summary>Changes the texts that are not null; nothing else about a dataset can change.</summary>
    public async Task<V1.Dataset> UpdateAsync(
        string? displayName = null, string? description = null, CancellationToken cancellation = default)
    {
        var request = new V1.UpdateDatasetRequest
        {
            Dataset = new() { Name = Name, DisplayName = displayName ?? "", Description = description ?? "" },
            UpdateMask = new(),
            RequestId = PrivateKernelsClient.NewId(),
        };
        if (displayName is not null) request.UpdateMask.Paths.Add("display_name");
        if (description is not null) request.UpdateMask.Paths.Add("description");
        return (await _client.Caller.CallAsync(_client.Datasets.UpdateDatasetAsync, request, cancellation)).Dataset;
    }

    /// <summary>Where an upload stands (<see cref="IngestOptions.UploadId"/>).</summary>
    public Task<V1.GetUploadResponse> GetUploadAsync(Guid uploadId, CancellationToken cancellation = default) =>
        _client.Caller.CallAsync(
            _client.Datasets.GetUploadAsync, new V1.GetUploadRequest { Dataset = Name, UploadId = $"{uploadId:D}" }, cancellation);

    /// <summary>Discards an upload that is not finished.</summary>
    public Task AbortUploadAsync(Guid uploadId, CancellationToken cancellation = default) =>
        _client.Caller.CallAsync(
            _client.Datasets.AbortUploadAsync, new V1.AbortUploadRequest { Dataset = Name, UploadId = $"{uploadId:D}" }, cancellation);

    /// <summary>Adds rows; all of them count, or none. Resumable: see <see cref="IngestOptions.UploadId"/>.</summary>
    /// <returns>Rows added.</returns>
    /// <exception cref="PrivateKernelsException">A row was refused; metadata name row and column, counted over all
    /// rows.</exception>
    /// <exception cref="RowFormatException">A row could not be read.</exception>
    public async Task<long> IngestAsync(
        IRowReader rows, IngestOptions? options = null, CancellationToken cancellation = default)
    {
        using var upload = new UploadStream(_client, Name, rows, options ?? new());
        return await upload.RunAsync(cancellation);
    }

    /// <summary>Adds rows that are in memory.</summary>
    /// <param name="values">Coordinates, row after row.</param>
    /// <param name="dimension">Coordinates per row.</param>
    /// <param name="labels">Class index of each row, or empty.</param>
    /// <param name="options">Progress and the like.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<long> IngestAsync(
        ReadOnlyMemory<float> values, int dimension, ReadOnlyMemory<uint> labels = default,
        IngestOptions? options = null,
        CancellationToken cancellation = default)
    {
        await using var rows = new ArrayRows(values, dimension, labels);
        return await IngestAsync(rows, options, cancellation);
    }

    /// <summary>
    /// Adds the rows of a file (<see cref="RowFile"/>), with labels from a second file or from a column named "label" if the
    /// dataset has classes, and values from the column that the options name.
    /// </summary>
    public async Task<long> IngestFileAsync(
        string path, string? labelsPath = null, IngestOptions? options = null, CancellationToken cancellation = default)
    {
        string? values = options?.ValuesColumn;
        V1.Dataset dataset = await GetAsync(cancellation);
        LabelCodes? codes = dataset.Classes.Count > 0 ? new(dataset.Classes) : null;
        if (labelsPath is not null && codes is null)
            throw new RowFormatException(labelsPath, null, null, "the dataset has no classes, so it takes no labels");
        if (values is not null && dataset.MaxAbsValue == 0)
            throw new RowFormatException(path, null, null, "the dataset has no max_abs_value, so it takes no values");
        if (values is null && dataset.MaxAbsValue > 0)
            throw new RowFormatException(path, null, null, "the dataset takes values: say which column holds them");
        await using IRowReader rows = labelsPath is null
            ? await RowFile.OpenAsync(path, codes, values, cancellation)
            : await RowFile.OpenAsync(path, labelsPath, codes!, values, cancellation);
        return await IngestAsync(rows, options, cancellation);
    }

    /// <summary>The account.</summary>
    public async Task<V1.Budget> GetBudgetAsync(CancellationToken cancellation = default)
    {
        var request = new V1.GetBudgetRequest { Name = $"{Name}/budget" };
        return (await _client.Caller.CallAsync(_client.Datasets.GetBudgetAsync, request, cancellation)).Budget;
    }

    /// <summary>Sets the limit of the account. The ledger keeps who was told what when, for ever.</summary>
    /// <param name="limit">New limit: not below what is spent and held. A pure account stays pure (delta 0).</param>
    /// <param name="reason">Why; stored in the ledger.</param>
    /// <param name="validateOnly">Check everything, change nothing.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="PrivateKernelsException">LIMIT_BELOW_USED, ACCOUNT_MISMATCH, ...</exception>
    public async Task<V1.Budget> UpdateBudgetAsync(
        PrivacyLoss limit, string reason, bool validateOnly = false, CancellationToken cancellation = default)
    {
        var request = new V1.UpdateBudgetRequest
        {
            Name = $"{Name}/budget",
            Limit = ClientWire.ToWire(limit),
            Reason = reason,
            RequestId = PrivateKernelsClient.NewId(),
            ValidateOnly = validateOnly,
        };
        return (await _client.Caller.CallAsync(_client.Datasets.UpdateBudgetAsync, request, cancellation)).Budget;
    }

    /// <summary>The ledger entries of the account, oldest first.</summary>
    public IAsyncEnumerable<V1.LedgerEntry> ListLedgerAsync(CancellationToken cancellation = default) =>
        PrivateKernelsClient.Pages(async token =>
        {
            var request = new V1.ListLedgerEntriesRequest { Parent = Name, PageSize = 1000, PageToken = token };
            V1.ListLedgerEntriesResponse page =
                await _client.Caller.CallAsync(_client.Datasets.ListLedgerEntriesAsync, request, cancellation);
            return (page.Entries, page.NextPageToken);
        });

    /// <summary>
    /// The account as DpEvents in JSON, as dp_accounting names them, for a third party to price; with the certified
    /// head of the ledger it stands for.
    /// </summary>
    public Task<V1.ExportPrivacyEventsResponse> ExportEventsAsync(CancellationToken cancellation = default) =>
        _client.Caller.CallAsync(
            _client.Datasets.ExportPrivacyEventsAsync, new V1.ExportPrivacyEventsRequest { Parent = Name }, cancellation);

    /// <summary>The releases, newest first.</summary>
    public IAsyncEnumerable<V1.Release> ListReleasesAsync(CancellationToken cancellation = default) =>
        PrivateKernelsClient.Pages(async token =>
        {
            var request = new V1.ListReleasesRequest { Parent = Name, PageSize = 1000, PageToken = token };
            V1.ListReleasesResponse page =
                await _client.Caller.CallAsync(_client.Releases.ListReleasesAsync, request, cancellation);
            return (page.Releases, page.NextPageToken);
        });

    /// <summary>The classification jobs by releases of this dataset, newest first.</summary>
    public IAsyncEnumerable<V1.ClassificationJob> ListJobsAsync(CancellationToken cancellation = default) =>
        PrivateKernelsClient.Pages(async token =>
        {
            var request = new V1.ListClassificationJobsRequest { Parent = Name, PageSize = 1000, PageToken = token };
            V1.ListClassificationJobsResponse page =
                await _client.Caller.CallAsync(_client.Queries.ListClassificationJobsAsync, request, cancellation);
            return (page.ClassificationJobs, page.NextPageToken);
        });

    /// <summary>Prices releases and predicts their accuracy, with alternatives. Spends nothing.</summary>
    /// <param name="requests">What to price; the spec of an estimate can be asked for as it is.</param>
    /// <param name="goal">What to aim at where a request leaves the choice; null = the planner's own.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<IReadOnlyList<V1.ReleaseEstimate>> EstimateAsync(
        IEnumerable<ReleaseRequest> requests, V1.PlannerGoal? goal = null, CancellationToken cancellation = default)
    {
        var request = new V1.EstimateReleaseRequest
        {
            Parent = Name,
            Specs = { requests.Select(ClientWire.ToWire) },
            Goal = goal,
        };
        return (await _client.Caller.CallAsync(_client.Releases.EstimateReleaseAsync, request, cancellation)).Estimates;
    }

    /// <summary>Reserves the price, waits for the build, and returns the release. This spends budget.</summary>
    /// <param name="id">Id of the release; it is never free again.</param>
    /// <param name="request">What to build.</param>
    /// <param name="progress">Hears stages and coarse percents.</param>
    /// <param name="requestId">Repeat it to take up a call that was cut off: the same id never pays twice.</param>
    /// <param name="cancellation">Stops waiting; the build goes on.</param>
    /// <exception cref="PrivateKernelsException">BUDGET_EXHAUSTED, RELEASE_EXISTS, DOMAIN_NOT_DECLARED, ...</exception>
    public async Task<V1.Release> CreateReleaseAsync(
        string id, ReleaseRequest request, IProgress<BuildProgress>? progress = null, Guid? requestId = null,
        CancellationToken cancellation = default)
    {
        var create = new V1.CreateReleaseRequest
        {
            Parent = Name,
            ReleaseId = id,
            Spec = ClientWire.ToWire(request),
            RequestId = requestId?.ToString("D") ?? PrivateKernelsClient.NewId(),
        };
        Operation operation =
            (await _client.Caller.CallAsync(_client.Releases.CreateReleaseAsync, create, cancellation)).Operation;
        return await _client.WaitAsync<V1.Release>(operation, progress is null ? null : Report, cancellation);

        void Report(Any metadata)
        {
            if (metadata.TryUnpack(out V1.BuildMetadata build)) progress.Report(new(build.Stage, (int)build.Percent));
        }
    }

    /// <summary>
    /// Brings a release file: one that this server lost goes back to its place, others go into a dataset that was made for
    /// imports. Never changes a budget.
    /// </summary>
    /// <param name="id">Id of the release here; that of the lost one to restore it.</param>
    /// <param name="file">The file as it was downloaded.</param>
    /// <param name="certificate">What came with the download (<see cref="CertificateFile"/>); null if it was not kept.</param>
    /// <param name="progress">Hears the part that is sent, 0 to 1.</param>
    /// <param name="requestId">Repeat it to take up a call that was cut off.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="PrivateKernelsException">RELEASE_UNKNOWN_TO_LEDGER, RELEASE_EXISTS, LEDGER_BEHIND, ...</exception>
    public async Task<V1.Release> ImportReleaseAsync(
        string id, ReadOnlyMemory<byte> file, V1.LedgerPosition? certificate = null, IProgress<double>? progress = null,
        Guid? requestId = null, CancellationToken cancellation = default)
    {
        var start = new V1.ImportStart
        {
            Parent = Name,
            ReleaseId = id,
            Sha256 = ByteString.CopyFrom(SHA256.HashData(file.Span)),
            TotalBytes = file.Length,
            RequestId = requestId?.ToString("D") ?? PrivateKernelsClient.NewId(),
            PostedAt = certificate,
        };
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await ImportOnceAsync(start, file, progress, cancellation);
            }
            catch (RpcException e)
            {
                await _client.Caller.PauseAsync(e, attempt, cancellation);
            }
        }
    }

    async Task<V1.Release> ImportOnceAsync(
        V1.ImportStart start, ReadOnlyMemory<byte> file, IProgress<double>? progress, CancellationToken cancellation)
    {
        const int ChunkBytes = 1 << 20;
        using AsyncClientStreamingCall<V1.ImportReleaseRequest, V1.ImportReleaseResponse> call =
            _client.Releases.ImportRelease(cancellationToken: cancellation);
        try
        {
            await call.RequestStream.WriteAsync(new() { Start = start }, cancellation);
            for (int sent = 0; sent < file.Length; sent += ChunkBytes)
            {
                ReadOnlyMemory<byte> part = file.Slice(sent, Math.Min(ChunkBytes, file.Length - sent));
                var chunk = new V1.ImportChunk { Data = UnsafeByteOperations.UnsafeWrap(part), Crc32C = Crc32C.Compute(part.Span) };
                await call.RequestStream.WriteAsync(new() { Chunk = chunk }, cancellation);
                progress?.Report((double)(sent + part.Length) / file.Length);
            }
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // The server has ended the call already; its reply says why.
        }
        return (await call.ResponseAsync).Release;
    }
}

/// <summary>Where a build stands.</summary>
/// <param name="Stage">Queued, aggregating, releasing or done.</param>
/// <param name="Percent">Of the aggregation, in steps of 25: progress must not measure the data.</param>
public readonly record struct BuildProgress(V1.BuildStage Stage, int Percent);
