using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>
/// A real server is killed again and again while a client works, each step with a fixed request id until it is
/// acknowledged. Checked in every life: (I1) posted costs are what is spent, (I2) a release never has two drawings,
/// (I3) what was acknowledged is there, (I4) nothing is there by halves, (I5) a retry has one effect.
/// </summary>
public sealed class KillTests
{
    const ulong Seed = 20260103;
    const int UploadRows = 7;

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_was_acknowledged_survives_every_kill_and_nothing_is_there_twice_or_by_halves()
    {
        int kills = Scale.Of(30, 500);
        string directory = Directory.CreateTempSubdirectory("pk-kills-").FullName;
        var mutations = new Mutations(Scale.Seed(Seed));
        var work = new Work();
        try
        {
            for (int life = 0; life < kills; life++)
            {
                using ServerProcess process = await ServerProcess.StartAsync(directory);
                await work.CheckAsync(process.Channel, atRest: false);
                Task working = work.RunAsync(process.Channel);
                // In the middle of a step, the first, second or third of this life; how fast the machine is does not matter.
                int steps = work.Acknowledged + mutations.Next(3);
                while (work.Acknowledged < steps && !working.IsCompleted) await Task.Delay(1, Now);
                await Task.Delay(mutations.Next(60), Now);
                process.Kill();
                await working;
            }
            using ServerProcess last = await ServerProcess.StartAsync(directory);
            await work.EndAsync(last.Channel);
            await work.CheckAsync(last.Channel, atRest: true);
            Assert.Equal(0, await last.TerminateAsync());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
        Assert.True(work.Acknowledged >= kills / 2, $"{work.Acknowledged} steps in {kills} lives");
    }

    /// <summary>The client, and the model of what the server owes it.</summary>
    internal sealed class Work
    {
        readonly Dictionary<string, ByteString> _files = [];
        readonly List<string> _spends = [];
        (string Id, string RequestId) _next = ("r0", NewId());
        string _upload = NewId();
        bool _isCreated;
        readonly string _createId = NewId();
        int _uploads;

        volatile int _acknowledged;

        internal int Acknowledged => _acknowledged;

        /// <summary>Upload, spend, read the release, over and over, until the server is gone.</summary>
        internal async Task RunAsync(ChannelBase channel)
        {
            try
            {
                while (true)
                {
                    await StepAsync(channel);
                    _acknowledged++;
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.Unknown)
            {
                // Killed: the client cannot know what became of this step, and repeats it in the next life.
            }
        }

        /// <summary>Finishes the step that was cut off.</summary>
        internal Task EndAsync(ChannelBase channel) => StepAsync(channel);

        /// <summary>Compares the server with the model.</summary>
        internal async Task CheckAsync(ChannelBase channel, bool atRest)
        {
            if (!_isCreated) return;
            var datasets = new V1.DatasetService.DatasetServiceClient(channel);
            var releases = new V1.ReleaseService.ReleaseServiceClient(channel);
            long rows = (await datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/people" })).Dataset.RecordCount;
            // One upload may be committed whose acknowledgement was lost; half of one never is.
            Assert.Contains(rows, (long[])[UploadRows * _uploads, UploadRows * (_uploads + (atRest ? 0 : 1))]);
            Budget budget = (await datasets.GetBudgetAsync(new GetBudgetRequest { Name = "datasets/people/budget" })).Budget;
            long posted = 0;
            int count = 0;
            string token = "";
            do
            {
                ListReleasesResponse page = await releases.ListReleasesAsync(
                    new ListReleasesRequest { Parent = "datasets/people", PageSize = 1000, PageToken = token });
                foreach (V1.Release release in page.Releases)
                {
                    count++;
                    if ((ReleaseState)release.State != ReleaseState.Ready) continue;
                    posted += release.Cost.Units;
                    Remember(release);
                }
                token = page.NextPageToken;
            }
            while (token.Length > 0);
            Assert.InRange(count, _spends.Count, _spends.Count + (atRest ? 0 : 1));
            // A build may be posted between the two looks.
            if (atRest) Assert.Equal((posted, 0), (budget.SpentUnits, budget.ReservedUnits));
            Assert.InRange(budget.SpentUnits, 0, posted);
            Assert.True(budget.SpentUnits + budget.ReservedUnits <= budget.LimitUnits);
            foreach (string name in _spends) Assert.Contains(name, _files.Keys);
        }

        async Task StepAsync(ChannelBase channel)
        {
            var datasets = new V1.DatasetService.DatasetServiceClient(channel);
            if (!_isCreated)
            {
                CreateDatasetRequest create = NewDataset("people", r => r.RequestId = _createId);
                create.Budget.Epsilon = 100;
                create.Dataset.MaxRecords = 1_000_000;
                await datasets.CreateDatasetAsync(create);
                _isCreated = true;
            }
            await UploadAsync(datasets);
            CreateReleaseRequest spend = NewRelease("people", _next.Id, 0.01, r => r.RequestId = _next.RequestId);
            CreateReleaseResponse created = await new V1.ReleaseService.ReleaseServiceClient(channel).CreateReleaseAsync(spend);
            var operations = new Operations.OperationsClient(channel);
            Operation operation = created.Operation;
            while (!operation.Done)
                operation = await operations.WaitOperationAsync(new WaitOperationRequest { Name = operation.Name });
            V1.Release release = operation.Response.Unpack<V1.Release>();
            Assert.Equal(created.Release.Uid, release.Uid);
            Remember(release);
            _spends.Add(release.Name);
            _next = ($"r{_spends.Count}", NewId());
            QueryResponse answer = await new V1.QueryService.QueryServiceClient(channel).QueryAsync(new QueryRequest
            {
                Release = release.Name,
                Points = new V1.Points { Dimension = 4, Values = { Pattern(1, 4) } },
            });
            Assert.Equal(_files[release.Name], answer.ReleaseSha256);
        }

        async Task UploadAsync(V1.DatasetService.DatasetServiceClient datasets)
        {
            using AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call = datasets.IngestPoints();
            float[] values = Pattern(UploadRows, 4);
            await WriteAsync(call, Start("people", _upload));
            if (!await call.ResponseStream.MoveNext(Now)) throw new RpcException(new Status(StatusCode.Unavailable, "the stream ended early"));
            // Only what the server does not have yet: the life before may have taken some of it, or all.
            IngestStarted started = call.ResponseStream.Current.Started;
            if (started.NextSequence <= 1 && !started.Finished) await WriteAsync(call, Batch(1, values[..12], 4));
            if (started.NextSequence <= 2 && !started.Finished) await WriteAsync(call, Batch(2, values[12..], 4));
            await WriteAsync(call, Finish(UploadRows, 2));
            await foreach (IngestPointsResponse reply in call.ResponseStream.ReadAllAsync())
                if (reply.Finished is { } finished)
                {
                    Assert.Equal((ulong)UploadRows, finished.RowCount);
                    _uploads++;
                    _upload = NewId();
                    return;
                }
            throw new RpcException(new Status(StatusCode.Unavailable, "the stream ended early"));
        }

        static async Task WriteAsync(AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse> call, IngestPointsRequest frame)
        {
            try
            {
                await call.RequestStream.WriteAsync(frame);
            }
            catch (InvalidOperationException)
            {
                // The call is over; reading says why.
            }
        }

        /// <summary>A release has one file, for ever.</summary>
        void Remember(V1.Release release)
        {
            if (_files.TryGetValue(release.Name, out ByteString? known)) Assert.Equal(known, release.Sha256);
            else _files[release.Name] = release.Sha256;
        }
    }
}
