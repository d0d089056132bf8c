using Grpc.Core;
using Grpc.Net.Client;
using PrivateKernels.Client;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>Two servers over one PostgreSQL, as clients see them.</summary>
public sealed class ReplicaTests(PostgresServer postgres) : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-replica-");

    static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task What_one_server_takes_in_and_releases_the_other_answers_to_the_same_bit()
    {
        string ledger = postgres.NewSchema(), witness = postgres.NewSchema();
        await using ServerHost left = await StartAsync("left", ledger, witness);
        await using ServerHost right = await StartAsync("right", ledger, witness);
        using PrivateKernelsClient one = new($"{left.Address}"), two = new($"{right.Address}");
        await one.CreateDatasetAsync("people", new() { Domain = new(2, maxNorm: 2), Budget = new(5, 1e-5) }, Now);
        await one.Dataset("people").IngestAsync(new float[] { 0.1f, 0.2f, 0.8f, 0.9f }, 2, null, null, Now);
        var spec = new ReleaseRequest { Function = "l2_squared", Mu = 0.5 };
        await two.Dataset("people").CreateReleaseAsync("r", spec, null, null, Now);
        var point = new Points(new float[] { 0.5f, 0.5f }, 2);
        Answers here = await one.Release("people", "r").QueryAsync(point, cancellation: Now);
        Answers there = await two.Release("people", "r").QueryAsync(point, cancellation: Now);
        Assert.Equal(there.Values, here.Values);
        Assert.Equal(
            await one.Release("people", "r").DownloadAsync(null, Now), await two.Release("people", "r").DownloadAsync(null, Now));
        V1.Budget budget = await one.Dataset("people").GetBudgetAsync(Now);
        Assert.Equal((await two.Dataset("people").GetBudgetAsync(Now)).SpentUnits, budget.SpentUnits);
        Assert.True(budget.SpentUnits > 0);
    }

    [Fact]
    public async Task A_stream_to_another_server_takes_the_upload_over()
    {
        string ledger = postgres.NewServedSchema(), witness = postgres.NewSchema(), upload = TestServer.NewId();
        await using ServerHost left = await StartAsync("left", ledger, witness);
        await using ServerHost right = await StartAsync("right", ledger, witness);
        using var client = new PrivateKernelsClient($"{left.Address}");
        await client.CreateDatasetAsync("people", new() { Domain = new(4, maxNorm: 4), Budget = new(5, 1e-5) }, Now);
        using GrpcChannel one = GrpcChannel.ForAddress(left.Address), two = GrpcChannel.ForAddress(right.Address);
        using var first = new V1.DatasetService.DatasetServiceClient(one).IngestPoints(cancellationToken: Now);
        using var second = new V1.DatasetService.DatasetServiceClient(two).IngestPoints(cancellationToken: Now);
        await first.RequestStream.WriteAsync(TestServer.Start("people", upload), Now);
        await first.RequestStream.WriteAsync(TestServer.Batch(1, TestServer.Pattern(1, 4), 4), Now);
        Assert.True(await first.ResponseStream.MoveNext(Now) && await first.ResponseStream.MoveNext(Now));
        Assert.Equal(1u, first.ResponseStream.Current.Acknowledged.Sequence);
        await second.RequestStream.WriteAsync(TestServer.Start("people", upload), Now);
        Assert.True(await second.ResponseStream.MoveNext(Now));
        await first.RequestStream.WriteAsync(TestServer.Batch(2, TestServer.Pattern(1, 4), 4), Now);
        Failure lost = await Failure.OfAsync(async () => { while (await first.ResponseStream.MoveNext(Now)) { } });
        Assert.Equal(("UPLOAD_TAKEN_OVER", StatusCode.Aborted), (lost.Reason, lost.Code));
        await second.RequestStream.WriteAsync(TestServer.Batch(1, TestServer.Pattern(1, 4), 4), Now);
        await second.RequestStream.WriteAsync(TestServer.Finish(1, 1), Now);
        while (await second.ResponseStream.MoveNext(Now)) { }
        Assert.Equal(1, (await client.Dataset("people").GetAsync(Now)).RecordCount);
    }

    [Fact]
    public async Task A_job_of_a_server_that_is_gone_waits_for_it_and_is_cancelled_by_any_other()
    {
        string ledger = postgres.NewSchema(), witness = postgres.NewSchema();
        var name = new V1.GetClassificationJobRequest { Name = "datasets/people/classificationJobs/j" };
        string operation;
        await using (ServerHost left = await StartAsync("left", ledger, witness))
        {
            using var client = new PrivateKernelsClient($"{left.Address}");
            await client.CreateDatasetAsync(
                "people", new() { Domain = new(2, maxNorm: 2), Budget = new(1000, 1e-5), Classes = ["left", "right"] }, Now);
            uint[] labels = [.. Enumerable.Range(0, 100).Select(static i => (uint)i % 2)];
            await client.Dataset("people").IngestAsync(TestServer.Pattern(100, 2), 2, labels, null, Now);
            await client.Dataset("people").CreateReleaseAsync(
                "r", new() { Function = "laplacian", Bandwidth = 1, Mu = 10, PerClass = true, Features = 65_536 }, null, null, Now);
            await client.CreateDatasetAsync("tests", new() { Domain = new(2, maxNorm: 2), IsPublic = true }, Now);
            await client.Dataset("tests").IngestAsync(TestServer.Pattern(20_000, 2), 2, null, null, Now);
            using var channel = GrpcChannel.ForAddress(left.Address);
            operation = (await new V1.QueryService.QueryServiceClient(channel).CreateClassificationJobAsync(new()
            {
                Parent = "datasets/people",
                ClassificationJobId = "j",
                ClassificationJob = new() { Release = "datasets/people/releases/r", QueryDataset = "datasets/tests" },
                RequestId = TestServer.NewId(),
            }, cancellationToken: Now)).Operation.Name;
        }
        await using (ServerHost right = await StartAsync("right", ledger, witness))
        {
            using var channel = GrpcChannel.ForAddress(right.Address);
            var queries = new V1.QueryService.QueryServiceClient(channel);
            V1.ClassificationJob job = (await queries.GetClassificationJobAsync(name, cancellationToken: Now)).ClassificationJob;
            Assert.Equal(V1.JobState.Queued, job.State);
            Assert.Empty(Directory.GetFiles(Path.Combine(_folder.FullName, "right", "predictions")));
            var operations = new Google.LongRunning.Operations.OperationsClient(channel);
            await operations.CancelOperationAsync(new() { Name = operation }, cancellationToken: Now);
            job = (await queries.GetClassificationJobAsync(name, cancellationToken: Now)).ClassificationJob;
            Assert.Equal(V1.JobState.Cancelled, job.State);
            Assert.True((await operations.GetOperationAsync(new() { Name = operation }, cancellationToken: Now)).Done);
        }
    }

    [Theory]
    [InlineData("--Ledger:Provider", "Postgres")]
    [InlineData("--Ledger:ConnectionString", "Host=/tmp")]
    [InlineData("--Ledger:RequireSynchronousStandby", "true")]
    public void A_provider_and_its_settings_belong_together(string key, string value) =>
        Assert.Contains("Ledger:", Assert.Throws<ConfigurationException>(() => Configuration.Read([key, value])).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_connection_that_would_go_unverified_is_refused_without_showing_its_password()
    {
        var refused = await Assert.ThrowsAsync<ConfigurationException>(
            () => StartAsync("off", "Host=db.example;Password=hunter2", "Host=db.example;Password=hunter2"));
        Assert.Contains("VerifyFull", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", refused.Message + Options("off", "Password=hunter2", "Password=hunter2"), StringComparison.Ordinal);
    }

    Task<ServerHost> StartAsync(string name, string ledger, string witness) => ServerHost.StartAsync(Options(name, ledger, witness));

    ServerOptions Options(string name, string ledger, string witness) => new()
    {
        Data = new() { Directory = Path.Combine(_folder.FullName, name) },
        Ledger = new() { Provider = LedgerProvider.Postgres, ConnectionString = ledger },
        Witness = new() { ConnectionString = witness },
        Grpc = new() { Listen = "127.0.0.1:0" },
        Engine = new() { Threads = 1, Prefer = EnginePreference.Simd },
        Build = new() { CompletionQuantum = TimeSpan.Zero },
        Shutdown = new() { Drain = TimeSpan.Zero },
    };
}
