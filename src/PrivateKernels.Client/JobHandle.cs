using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>A classification job: a PUBLIC dataset of the server, classified there by a per-class release.</summary>
public sealed class JobHandle
{
    readonly PrivateKernelsClient _client;

    internal JobHandle(PrivateKernelsClient client, string dataset, string id) => (_client, Dataset, Id) = (client, dataset, id);

    /// <summary>Id of the dataset that was released.</summary>
    public string Dataset { get; }

    /// <summary>Id of the job, unique in its dataset.</summary>
    public string Id { get; }

    /// <summary>Resource name.</summary>
    public string Name => $"datasets/{Dataset}/classificationJobs/{Id}";

    /// <summary>State and counts.</summary>
    public async Task<V1.ClassificationJob> GetAsync(CancellationToken cancellation = default) =>
        (await _client.Caller.CallAsync(
            _client.Queries.GetClassificationJobAsync, new V1.GetClassificationJobRequest { Name = Name }, cancellation))
        .ClassificationJob;

    /// <summary>Stops the job if it runs, and discards its predictions.</summary>
    public Task DeleteAsync(CancellationToken cancellation = default)
    {
        var request = new V1.DeleteClassificationJobRequest { Name = Name, RequestId = PrivateKernelsClient.NewId() };
        return _client.Caller.CallAsync(_client.Queries.DeleteClassificationJobAsync, request, cancellation);
    }

    /// <summary>
    /// Class index and margin of every row, in the order in which the rows were uploaded; resumes where a broken stream
    /// stopped.
    /// </summary>
    /// <exception cref="PrivateKernelsException">JOB_NOT_READY, FILE_CORRUPT, ...</exception>
    public async Task<(int[] Classes, double[] Margins)> ReadAsync(CancellationToken cancellation = default)
    {
        List<int> classes = [];
        List<double> margins = [];
        for (int attempt = 1; ; attempt++)
        {
            int before = margins.Count;
            try
            {
                var request = new V1.ReadPredictionsRequest { Name = Name, FirstRow = before };
                using AsyncServerStreamingCall<V1.ReadPredictionsResponse> call =
                    _client.Queries.ReadPredictions(request, cancellationToken: cancellation);
                await foreach (V1.ReadPredictionsResponse part in call.ResponseStream.ReadAllAsync(cancellation))
                {
                    classes.AddRange(part.ClassIndices.Select(static c => (int)c));
                    margins.AddRange(part.Margins);
                }
                return ([.. classes], [.. margins]);
            }
            catch (RpcException e)
            {
                if (margins.Count > before) attempt = 1;
                await _client.Caller.PauseAsync(e, attempt, cancellation);
            }
        }
    }
}
