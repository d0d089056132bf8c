using System.Runtime.InteropServices;
using PrivateKernels.Client;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>The C# client against a real server: uploads that break, limits that are small, answers offline.</summary>
public sealed class ClientTests : IDisposable
{
    const int Dimension = 3;
    const int RowCount = 1000;

    static readonly ReleaseRequest Gaussian = new()
    {
        Function = "gaussian",
        Bandwidth = 1,
        Features = 256,
        PerClass = true,
        Loss = new(5, 1e-5),
    };

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-client-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task An_upload_that_broke_goes_on_under_its_id_and_no_row_counts_twice()
    {
        await using ServerHost host = await StartAsync();
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        var options = new IngestOptions { UploadId = Guid.NewGuid() };
        await using var broken = new WatchedRows(Rows(), 600, () => throw new IOException("the disk went away"));
        await Assert.ThrowsAsync<IOException>(() => dataset.IngestAsync(broken, options, Now));
        Assert.Equal(0, (await dataset.GetAsync(Now)).RecordCount);

        await using var whole = Rows();
        Assert.Equal(RowCount, await dataset.IngestAsync(whole, options, Now));
        await using var again = Rows();
        Assert.Equal(RowCount, await dataset.IngestAsync(again, options, Now));
        Assert.Equal(RowCount, (await dataset.GetAsync(Now)).RecordCount);
    }

    [Fact]
    public async Task A_server_that_restarts_in_the_middle_of_an_upload_costs_no_row_and_doubles_none()
    {
        ServerHost host = await StartAsync();
        try
        {
            using PrivateKernelsClient client = Connect(host);
            DatasetHandle dataset = await CreateAsync(client);
            await using var rows = new WatchedRows(Rows(), 500, async () =>
            {
                int port = host.Endpoint.Port;
                await host.DisposeAsync();
                host = await StartAsync(port: port);
            });
            Assert.Equal(RowCount, await dataset.IngestAsync(rows, null, Now));
            Assert.Equal(RowCount, (await dataset.GetAsync(Now)).RecordCount);
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_row_outside_the_domain_is_named_by_its_place_among_all_rows()
    {
        await using ServerHost host = await StartAsync();
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        (float[] values, uint[] labels) = Sample();
        values[777 * Dimension + 2] = 1.5f;
        PrivateKernelsException refusal = await Assert.ThrowsAsync<PrivateKernelsException>(
            () => dataset.IngestAsync(values, Dimension, labels, null, Now));
        Assert.Equal("OUT_OF_DOMAIN", refusal.Reason);
        Assert.Equal(("777", "2"), (refusal.Metadata["row"], refusal.Metadata["column"]));
        Assert.Contains("row 777", refusal.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Queries_beyond_the_limits_are_split_and_answered_as_one_and_offline_answers_are_the_same_bits()
    {
        await using ServerHost host = await StartAsync(queryPoints: 7);
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        (float[] values, uint[] labels) = Sample();
        await dataset.IngestAsync(values, Dimension, labels, null, Now);
        var stages = new List<V1.BuildStage>();
        V1.Release built = await dataset.CreateReleaseAsync("r", Gaussian,
            new Heard<BuildProgress>(p => stages.Add(p.Stage)), null, Now);
        Assert.Equal(V1.ReleaseState.Ready, built.State);
        Assert.Equal(V1.BuildStage.Done, stages[^1]);

        ReleaseHandle release = client.Release("d", "r");
        var queries = new Points(values.AsMemory(0, 50 * Dimension), Dimension);
        string path = Path.Combine(_folder.FullName, "r.pkr");
        await release.DownloadAsync(path, null, Now);
        using OfflineRelease offline = OfflineRelease.Open(path);
        AssertSame(offline.Query(queries), await release.QueryAsync(queries, cancellation: Now));
        IReadOnlyList<ClassAnswers> byClass = await release.QueryByClassAsync(queries, cancellation: Now);
        IReadOnlyList<ClassAnswers> byClassOffline = offline.QueryByClass(queries);
        Assert.Equal(["a", "b"], offline.Classes);
        for (int c = 0; c < 2; c++)
        {
            Assert.Equal(byClassOffline[c].Count, byClass[c].Count);
            AssertSame(byClassOffline[c].Answers, byClass[c].Answers);
        }
        Classification found = await release.ClassifyAsync(queries, includeScores: true, cancellation: Now);
        Assert.Equal(offline.Classify(queries).Labels, found.Labels);
        AssertSame(offline.Classify(queries).Scores, found.Scores);
        AssertSame(byClass[1].Answers, await release.QueryAsync(queries, "b", cancellation: Now));
    }

    [Fact]
    public async Task A_point_that_no_release_can_take_is_named_by_its_place_among_all_points()
    {
        await using ServerHost host = await StartAsync(queryPoints: 7);
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        (float[] values, uint[] labels) = Sample();
        await dataset.IngestAsync(values, Dimension, labels, null, Now);
        await dataset.CreateReleaseAsync("r", Gaussian, cancellation: Now);
        float[] queries = values[..(30 * Dimension)];
        queries[25 * Dimension + 1] = float.NaN;
        PrivateKernelsException refusal = await Assert.ThrowsAsync<PrivateKernelsException>(
            () => client.Release("d", "r").QueryAsync(new(queries, Dimension), cancellation: Now));
        Assert.Equal(("NON_FINITE_VALUE", "25"), (refusal.Reason, refusal.Metadata["row"]));
    }

    [Fact]
    public async Task A_release_asked_for_again_with_the_same_request_id_is_paid_once()
    {
        await using ServerHost host = await StartAsync();
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        Guid request = Guid.NewGuid();
        V1.Release first = await dataset.CreateReleaseAsync("r", Gaussian, requestId: request, cancellation: Now);
        V1.Release second = await dataset.CreateReleaseAsync("r", Gaussian, requestId: request, cancellation: Now);
        Assert.Equal(first.Sha256, second.Sha256);
        Assert.Equal(first.Cost.Units, (await dataset.GetBudgetAsync(Now)).SpentUnits);
        PrivateKernelsException taken = await Assert.ThrowsAsync<PrivateKernelsException>(
            () => dataset.CreateReleaseAsync("r", Gaussian, cancellation: Now));
        Assert.Equal("RELEASE_EXISTS", taken.Reason);
    }

    [Fact]
    public async Task Lists_cancellation_and_a_damaged_download_behave()
    {
        await using ServerHost host = await StartAsync();
        using PrivateKernelsClient client = Connect(host);
        DatasetHandle dataset = await CreateAsync(client);
        await dataset.CreateReleaseAsync("r", Gaussian, cancellation: Now);
        Assert.Equal(["datasets/d"],
            await client.ListDatasetsAsync(cancellation: Now).Select(static d => d.Name).ToArrayAsync(Now));
        Assert.Equal(["r"],
            await dataset.ListReleasesAsync(Now).Select(static r => r.Name.Split('/')[^1]).ToArrayAsync(Now));
        Assert.Equal(Catalog.Functions.Count, await client.ListPairFunctionsAsync(Now).CountAsync(Now));
        int[] entries = await dataset.ListLedgerAsync(Now).Select(static e =>
            (int)e.Position.Sequence).ToArrayAsync(Now);
        Assert.Equal(Enumerable.Range(1, 4), entries);

        using var stopped = new CancellationTokenSource();
        await stopped.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => dataset.GetAsync(stopped.Token));

        byte[] file = await client.Release("d", "r").DownloadAsync(null, Now);
        file[^40] ^= 1;
        Assert.Throws<InvalidDataException>(() => OfflineRelease.Read(file));
    }

    static CancellationToken Now => TestContext.Current.CancellationToken;

    Task<ServerHost> StartAsync(int port = 0, int queryPoints = 16384) => ServerHost.StartAsync(new()
    {
        Data = new() { Directory = Path.Combine(_folder.FullName, "server") },
        Grpc = new() { Listen = $"127.0.0.1:{port}" },
        Engine = new() { Threads = 1, Prefer = EnginePreference.Simd },
        Build = new() { CompletionQuantum = TimeSpan.Zero },
        Shutdown = new() { Drain = TimeSpan.Zero },
        Limits = new() { QueryPoints = queryPoints },
    });

    /// <summary>Small messages, so that little data makes many.</summary>
    static PrivateKernelsClient Connect(ServerHost host) =>
        new($"{host.Address}", new() { MessageBytes = 512, Attempts = 8 });

    static Task<DatasetHandle> CreateAsync(PrivateKernelsClient client) => client.CreateDatasetAsync("d", new()
    {
        Domain = new(Dimension, 0, 1),
        Budget = new(10, 1e-5),
        Classes = ["a", "b"],
        MaxRecords = 2 * RowCount,
    }, Now);

    static ArrayRows Rows()
    {
        (float[] values, uint[] labels) = Sample();
        return new(values, Dimension, labels);
    }

    static (float[] Values, uint[] Labels) Sample()
    {
        uint state = 1;
        uint[] labels = [.. Enumerable.Range(0, RowCount).Select(static i => (uint)(i % 2))];
        float[] values = [.. Enumerable.Range(0, RowCount * Dimension).Select(_ => Next())];
        return (values, labels);

        float Next() => (state = unchecked(state * 1664525 + 1013904223)) / 4294967296f;
    }

    static void AssertSame(Answers expected, Answers actual)
    {
        AssertSame(expected.Values, actual.Values);
        AssertSame(expected.NoiseStd, actual.NoiseStd);
        AssertSame(expected.ApproximationStd, actual.ApproximationStd);
        AssertSame(expected.HalfWidth95, actual.HalfWidth95);
        Assert.Equal(expected.DegreesOfFreedom, actual.DegreesOfFreedom);
    }

    static void AssertSame(double[] expected, double[] actual) =>
        Assert.Equal(MemoryMarshal.Cast<double, long>(expected), MemoryMarshal.Cast<double, long>(actual));

    sealed class Heard<T>(Action<T> hear) : IProgress<T>
    {
        public void Report(T value) => hear(value);
    }

    /// <summary>Rows that do something once so many have been read.</summary>
    sealed class WatchedRows(ArrayRows rows, int after, Func<Task> act) : IRowReader
    {
        int _read;
        bool _acted;

        public int Dimension => rows.Dimension;

        public bool HasLabels => rows.HasLabels;

        public double Fraction => rows.Fraction;

        public async ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
        {
            if (_read >= after && !_acted)
            {
                _acted = true;
                await act();
            }
            int count = await rows.ReadAsync(block, cancellation);
            _read += count;
            return count;
        }

        public ValueTask DisposeAsync() => rows.DisposeAsync();
    }
}
