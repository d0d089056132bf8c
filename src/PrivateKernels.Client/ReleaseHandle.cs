using System.Security.Cryptography;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>One release on a server.</summary>
public sealed class ReleaseHandle
{
    /// <summary>
    /// Every response stays below this, so as many points go into a message as their answers have room.
    /// </summary>
    const int ResponseBytes = 3 << 20;

    readonly PrivateKernelsClient _client;

    internal ReleaseHandle(PrivateKernelsClient client, string dataset, string id) =>
        (_client, Dataset, Id) = (client, dataset, id);

    /// <summary>Id of the dataset.</summary>
    public string Dataset { get; }

    /// <summary>Id of the release, unique in its dataset.</summary>
    public string Id { get; }

    /// <summary>Resource name.</summary>
    public string Name => $"datasets/{Dataset}/releases/{Id}";

    /// <summary>Recipe, cost, predicted accuracy and state.</summary>
    public async Task<V1.Release> GetAsync(CancellationToken cancellation = default) =>
        (await _client.Caller.CallAsync(
            _client.Releases.GetReleaseAsync, new V1.GetReleaseRequest { Name = Name }, cancellation)).Release;

    /// <summary>Deletes the file; nothing is refunded.</summary>
    public async Task<V1.Release> DeleteAsync(CancellationToken cancellation = default)
    {
        var request = new V1.DeleteReleaseRequest { Name = Name, RequestId = PrivateKernelsClient.NewId() };
        return (await _client.Caller.CallAsync(_client.Releases.DeleteReleaseAsync, request, cancellation)).Release;
    }

    /// <summary>Sums over all records, or over those of one class of a per-class release.</summary>
    /// <param name="points">Query points, any number: they are split by the server's limits.</param>
    /// <param name="className">A class; null = all records.</param>
    /// <param name="progress">Hears the part that is answered, 0 to 1.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<Answers> QueryAsync(
        Points points, string? className = null, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        return Gathering.Join(await AskAsync(points, 4 * sizeof(double), progress, AnswerAsync, cancellation));

        async Task<Answers> AnswerAsync(Points part, CancellationToken stop)
        {
            var request =
                new V1.QueryRequest { Release = Name, Points = ClientWire.ToWire(part), ClassName = className ?? "" };
            return ClientWire.FromWire((await CallAsync(_client.Queries.QueryAsync, request, stop)).Answers);
        }
    }

    /// <summary>Sums over the records of each class of a per-class release, in the order of its classes.</summary>
    public async Task<IReadOnlyList<ClassAnswers>> QueryByClassAsync(
        Points points, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        int classes = Math.Max(1, (await GetAsync(cancellation)).Classes.Count);
        return Gathering.Join(
            await AskAsync(points, 4 * sizeof(double) * classes, progress, AnswerAsync, cancellation));

        async Task<IReadOnlyList<ClassAnswers>> AnswerAsync(Points part, CancellationToken stop)
        {
            var request = new V1.QueryRequest { Release = Name, Points = ClientWire.ToWire(part), AllClasses = true };
            V1.QueryResponse response = await CallAsync(_client.Queries.QueryAsync, request, stop);
            return [.. response.ClassAnswers.Select(ClientWire.FromWire)];
        }
    }

    /// <summary>Classifies by a per-class release.</summary>
    /// <param name="points">Query points, any number: they are split by the server's limits.</param>
    /// <param name="score">How a score is made of a sum; null = the best that the release allows.</param>
    /// <param name="includeScores">Whether the scores of all classes are wanted too.</param>
    /// <param name="progress">Hears the part that is answered, 0 to 1.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<Classification> ClassifyAsync(
        Points points, ClassScore? score = null, bool includeScores = false, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        int classes = includeScores ? (await GetAsync(cancellation)).Classes.Count : 0;
        return Gathering.Join(
            await AskAsync(points, (3 + classes) * sizeof(double), progress, AnswerAsync, cancellation));

        async Task<Classification> AnswerAsync(Points part, CancellationToken stop)
        {
            var request = new V1.ClassifyRequest
            {
                Release = Name,
                Points = ClientWire.ToWire(part),
                Score = (V1.ClassScore)(score ?? 0),
                IncludeScores = includeScores,
            };
            return ClientWire.FromWire(await CallAsync(_client.Queries.ClassifyAsync, request, stop));
        }
    }

    /// <summary>Classifies a PUBLIC dataset on the server, in the background, and waits for the end.</summary>
    /// <param name="queryDataset">Id of the dataset; the rows that it has now take part.</param>
    /// <param name="id">Id of the job; null = chosen by the server.</param>
    /// <param name="score">How a score is made of a sum; null = the best that the release allows.</param>
    /// <param name="progress">Hears the part that is classified, 0 to 1.</param>
    /// <param name="requestId">Repeat it to take up a call that was cut off.</param>
    /// <param name="cancellation">Stops waiting; the job goes on.</param>
    /// <returns>The job, whose predictions <see cref="JobHandle.ReadAsync"/> reads.</returns>
    public async Task<V1.ClassificationJob> ClassifyDatasetAsync(
        string queryDataset, string? id = null, ClassScore? score = null, IProgress<double>? progress = null,
        Guid? requestId = null, CancellationToken cancellation = default)
    {
        var request = new V1.CreateClassificationJobRequest
        {
            Parent = $"datasets/{Dataset}",
            ClassificationJobId = id ?? "",
            ClassificationJob = new()
            {
                Release = Name,
                QueryDataset = $"datasets/{queryDataset}",
                Score = (V1.ClassScore)(score ?? 0),
            },
            RequestId = requestId?.ToString("D") ?? PrivateKernelsClient.NewId(),
        };
        V1.CreateClassificationJobResponse created =
            await _client.Caller.CallAsync(_client.Queries.CreateClassificationJobAsync, request, cancellation);
        return await _client.WaitAsync<V1.ClassificationJob>(created.Operation, progress is null ? null : Report, cancellation);

        void Report(Any metadata)
        {
            if (metadata.TryUnpack(out V1.ClassificationJobMetadata job)) progress.Report(job.Percent / 100.0);
        }
    }

    /// <summary>Downloads the file, resuming where a broken stream stopped, and checks it.</summary>
    /// <param name="progress">Hears the part that has arrived, 0 to 1.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="PrivateKernelsException">Reason FILE_CORRUPT: the bytes do not have the announced
    /// SHA-256.</exception>
    public async Task<byte[]> DownloadAsync(
        IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        (await FetchAsync(progress, cancellation)).Checked();

    async Task<Download> FetchAsync(IProgress<double>? progress, CancellationToken cancellation)
    {
        var file = new Download();
        for (int attempt = 1; !file.IsComplete; attempt++)
        {
            long before = file.Received;
            try
            {
                var request = new V1.DownloadReleaseRequest { Name = Name, Offset = before };
                using AsyncServerStreamingCall<V1.DownloadReleaseResponse> call =
                    _client.Releases.DownloadRelease(request, cancellationToken: cancellation);
                while (!file.IsComplete && await call.ResponseStream.MoveNext(cancellation))
                {
                    file.Take(call.ResponseStream.Current);
                    progress?.Report(file.Fraction);
                }
                if (!file.IsComplete) throw new RpcException(new(StatusCode.Unavailable, "the stream ended early"));
            }
            catch (RpcException e)
            {
                if (file.Received > before) attempt = 1;
                await _client.Caller.PauseAsync(e, attempt, cancellation);
            }
        }
        return file;
    }

    /// <summary>
    /// Downloads the file to a path; the path holds the whole file or what it held before. Its certificate, which proves
    /// where the spend stands in the ledger, is saved beside it (<see cref="CertificateFile"/>).
    /// </summary>
    public async Task DownloadAsync(
        string path, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        Download file = await FetchAsync(progress, cancellation);
        string part = path + ".part";
        await File.WriteAllBytesAsync(part, file.Checked(), cancellation);
        if (file.Certificate is { } certificate) CertificateFile.Write(CertificateFile.Beside(path), certificate);
        File.Move(part, path, overwrite: true);
    }

    async Task<T[]> AskAsync<T>(
        Points points, int answerBytes, IProgress<double>? progress, Func<Points, CancellationToken, Task<T>> answer,
        CancellationToken cancellation)
    {
        V1.ServerLimits limits = await _client.LimitsAsync(cancellation);
        // Half of the limit leaves room for the rest of the message.
        long bytes = Math.Min(_client.Caller.Options.MessageBytes, limits.MaxRequestBytes / 2);
        long most = Math.Min(bytes / (sizeof(float) * points.Dimension), ResponseBytes / answerBytes);
        IReadOnlyList<Points> parts = Gathering.Split(points, (int)Math.Clamp(most, 1, limits.MaxQueryPoints));
        int done = 0;
        return await Gathering.AskAsync(parts, _client.Caller.Options.ParallelQueries, async (part, stop) =>
        {
            T reply = await answer(part, stop);
            progress?.Report((double)Interlocked.Increment(ref done) / parts.Count);
            return reply;
        }, cancellation);
    }

    Task<TResponse> CallAsync<TRequest, TResponse>(
        Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> method, TRequest request,
        CancellationToken cancellation) =>
        _client.Caller.CallAsync(method, request, cancellation, _client.Caller.Options.QueryTimeout);

    /// <summary>A file on its way.</summary>
    sealed class Download
    {
        byte[]? _bytes;
        byte[] _sha256 = [];

        public long Received { get; private set; }

        /// <summary>Of the POST entry; comes with the first part.</summary>
        public V1.LedgerPosition? Certificate { get; private set; }

        public bool IsComplete => _bytes is not null && Received == _bytes.Length;

        public double Fraction => _bytes is { Length: > 0 } ? (double)Received / _bytes.Length : 0;

        public void Take(V1.DownloadReleaseResponse part)
        {
            _bytes ??= new byte[part.TotalBytes];
            Certificate ??= part.PostedAt;
            bool fits = part.Offset == Received && part.TotalBytes == _bytes.Length
                && part.Data.Length <= _bytes.Length - Received;
            // A part that was damaged on its way is asked for again.
            if (!fits || Crc32C.Compute(part.Data.Span) != part.Crc32C)
                throw new RpcException(new(StatusCode.Unavailable, "a part of the file arrived damaged"));
            part.Data.Span.CopyTo(_bytes.AsSpan((int)Received));
            (Received, _sha256) = (Received + part.Data.Length, part.Sha256.ToByteArray());
        }

        public byte[] Checked() => SHA256.HashData(_bytes!).AsSpan().SequenceEqual(_sha256)
            ? _bytes!
            : throw new PrivateKernelsException(
                "FILE_CORRUPT", StatusCode.DataLoss,
                "the downloaded file does not have the SHA-256 that was announced.",
                new Dictionary<string, string>());
    }
}
