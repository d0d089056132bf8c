using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using PrivateKernels.Gpu;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

public sealed class EngineTests
{
    static readonly FourierMap Map = FourierMap.Dense(2, [.. Enumerable.Range(1, 40).Select(static i => i / 16f)], 1);
    static readonly double[] Weights = [.. Enumerable.Range(1, 40).Select(static i => (double)i)];

    [Fact]
    public async Task Queries_that_wait_together_share_one_run_and_get_their_own_answers()
    {
        using var simd = new SimdEngine(1);
        using var device = new GatedEngine(simd);
        using var batcher = new QueryBatcher(device, simd, mostPoints: 1000, simdBelowPoints: 0);
        Task<double[]> first = Task.Run(() => Ask(batcher, 0));
        device.Entered.Wait(TestContext.Current.CancellationToken);
        Task<double[]>[] others = [.. Enumerable.Range(1, 5).Select(i => Task.Run(() => Ask(batcher, i)))];
        SpinWait.SpinUntil(() => batcher.Waiting == 5, TimeSpan.FromSeconds(10));
        device.Gate.Set();
        double[][] answers = await Task.WhenAll([first, .. others]);
        Assert.Equal(2, device.Runs);
        for (int i = 0; i < answers.Length; i++) Assert.Equal(Ask(simd, i), answers[i]);
    }

    [Fact]
    public void Few_points_go_to_the_processor_and_many_to_the_device()
    {
        using var simd = new SimdEngine(1);
        using var device = new GatedEngine(simd);
        device.Gate.Set();
        using var batcher = new QueryBatcher(device, simd, mostPoints: 1000, simdBelowPoints: 3);
        Ask(batcher, 1);
        Assert.Equal(0, device.Runs);
        Ask(batcher, 2);
        Assert.Equal(1, device.Runs);
    }

    [Fact]
    public async Task A_run_never_takes_more_points_than_allowed_unless_one_caller_brings_them()
    {
        using var simd = new SimdEngine(1);
        using var device = new GatedEngine(simd);
        using var batcher = new QueryBatcher(device, simd, mostPoints: 5, simdBelowPoints: 0);
        Task<double[]> first = Task.Run(() => Ask(batcher, 7));
        device.Entered.Wait(TestContext.Current.CancellationToken);
        Task<double[]>[] others = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => Ask(batcher, 1)))];
        SpinWait.SpinUntil(() => batcher.Waiting == 4, TimeSpan.FromSeconds(10));
        device.Gate.Set();
        await Task.WhenAll([first, .. others]);
        Assert.Equal(3, device.Runs);       // eight points of one caller, then two callers of two points, twice
        Assert.Equal(8, device.LargestRun);
    }

    [Fact]
    public async Task A_waiting_query_whose_call_ends_never_reaches_the_device()
    {
        using var simd = new SimdEngine(1);
        using var device = new GatedEngine(simd);
        using var batcher = new QueryBatcher(device, simd, mostPoints: 1000, simdBelowPoints: 0);
        using var ended = new CancellationTokenSource();
        Task<double[]> first = Task.Run(() => Ask(batcher, 0));
        device.Entered.Wait(TestContext.Current.CancellationToken);
        Task<double[]> dropped = Task.Run(() => Ask(batcher.For(ended.Token), 1));
        Task<double[]> last = Task.Run(() => Ask(batcher, 2));
        Assert.True(SpinWait.SpinUntil(() => batcher.Waiting == 2, TimeSpan.FromSeconds(30)));
        await ended.CancelAsync();
        // It gives up while the device is still busy with another call.
        await Assert.ThrowsAsync<OperationCanceledException>(() => dropped);
        Assert.Equal(1, batcher.Waiting);
        device.Gate.Set();
        await Task.WhenAll(first, last);
        Assert.Equal((2, 3), (device.Runs, device.LargestRun));
        Assert.Throws<OperationCanceledException>(() => Ask(batcher.For(ended.Token), 1));
        Assert.Equal(2, device.Runs);
    }

    [Fact]
    public async Task A_forced_engine_that_fails_ends_the_build_with_its_hold_returned_and_the_query_with_its_reason()
    {
        SkipWithoutOpenCl();
        bool fails = false;
        await using TestServer server = await TestServer.StartAsync(options => options with
        {
            Engine = new()
            {
                Prefer = EnginePreference.OpenCL,
                AllowCpuOpenCl = true,
                Threads = 1,
                BeforeDeviceStep = () =>
                {
                    if (fails) throw new System.ComponentModel.Win32Exception("the driver is gone");
                },
            },
            Query = options.Query with { SimdBelowPoints = 0 },
        });
        await server.Datasets.CreateDatasetAsync(TestServer.NewDataset("people"));
        await server.IngestAsync("people", TestServer.Pattern(20, 4), 4);
        string release = (await server.BuildAsync(TestServer.NewRelease("people", "works", 0.2))).Name;
        string before = await server.LedgerAsync("people");

        fails = true;
        Google.LongRunning.Operation failed = await server.EndAsync((await server.Releases.CreateReleaseAsync(
            TestServer.NewRelease("people", "fails", 0.2))).Operation);
        Assert.Equal("ENGINE_FAILED", failed.Error.GetDetail<ErrorInfo>().Reason);
        // Spent, reserved and remaining units; the ledger itself has two more entries.
        Assert.Equal(before.Split(' ')[..3], (await server.LedgerAsync("people")).Split(' ')[..3]);
        Failure refused = await Failure.OfAsync(server.Queries.QueryAsync(new V1.QueryRequest
        {
            Release = release,
            Points = new V1.Points { Dimension = 4, Values = { 0.1f, 0.2f, 0.3f, 0.4f } },
        }));
        Assert.Equal(("ENGINE_FAILED", StatusCode.Internal), (refused.Reason, refused.Code));
        Assert.Contains("the driver is gone", server.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_run_fails_its_callers_and_the_next_one_works()
    {
        using var simd = new SimdEngine(1);
        using var device = new GatedEngine(simd) { Failures = 1 };
        device.Gate.Set();
        using var batcher = new QueryBatcher(device, simd, mostPoints: 1000, simdBelowPoints: 0);
        Assert.Throws<EngineFailedException>(() => Ask(batcher, 1));
        Assert.Equal(Ask(simd, 1), Ask(batcher, 1));
    }

    [Fact]
    public async Task A_server_on_an_OpenCL_device_says_so_first_and_keeps_the_processor_second()
    {
        SkipWithoutOpenCl();
        string folder = Directory.CreateTempSubdirectory().FullName;
        var options = new ServerOptions
        {
            Data = new() { Directory = folder },
            Grpc = new() { Listen = "127.0.0.1:0" },
            Engine = new() { Prefer = EnginePreference.OpenCL, AllowCpuOpenCl = true },
        };
        await using (ServerHost host = await ServerHost.StartAsync(
            options, cancellation: TestContext.Current.CancellationToken))
        {
            using GrpcChannel channel = GrpcChannel.ForAddress($"http://{host.Endpoint}");
            V1.GetServerInfoResponse info = await new V1.QueryService.QueryServiceClient(channel)
                .GetServerInfoAsync(new(), cancellationToken: TestContext.Current.CancellationToken);
            Assert.Equal([V1.EngineKind.Opencl, V1.EngineKind.Simd], info.Engines.Select(static engine => engine.Kind));
            Assert.All(info.Engines, static engine => Assert.True(engine.Verified));
            Assert.True(info.Engines[0].MemoryBytes > 0);
        }
        Directory.Delete(folder, recursive: true);
    }

    static void SkipWithoutOpenCl()
    {
        if (GpuDevices.Find(allowCpuOpenCl: true).All(static d => d.Kind != EngineKind.OpenCl))
        {
            Assert.NotEqual("1", Environment.GetEnvironmentVariable("PK_REQUIRE_OPENCL"));
            Assert.Skip("no OpenCL device on this machine; .ci/install-opencl.sh sets one up");
        }
    }

    static double[] Ask(IEngine engine, int i)
    {
        var queries = new Points(Enumerable.Range(0, 2 * (i + 1)).Select(k => (k + i) / 8f).ToArray(), 2);
        var sums = new double[i + 1];
        engine.ProjectFourier(Map, queries, Weights, 1, sums);
        return sums;
    }

    /// <summary>The SIMD engine behind a gate, in the device's place: it holds the first run until the gate opens.</summary>
    sealed class GatedEngine(SimdEngine engine) : ForwardingEngine(engine)
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Gate { get; } = new();

        public int Runs { get; private set; }

        public int LargestRun { get; private set; }

        public int Failures { get; set; }

        public override EngineKind Kind => EngineKind.OpenCl;

        public override string Device => "gated";

        public override void ProjectFourier(
            FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
        {
            Runs++;
            LargestRun = Math.Max(LargestRun, queries.Count);
            Entered.Set();
            Gate.Wait();
            if (Failures-- > 0) throw new EngineFailedException("asked for", null);
            base.ProjectFourier(map, queries, weights, columns, sums);
        }

        protected override void Dispose(bool disposing)
        {
            Entered.Dispose();
            Gate.Dispose();
            base.Dispose(disposing);
        }
    }
}
