using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

public sealed class EngineCheckTests
{
    [Fact]
    public void Device_and_processor_have_the_golden_hash_and_the_faster_one_leads()
    {
        using var simd = new SimdEngine();
        using var device = new GpuEngine([Devices.UnderTest], new NoFallback(), new GpuOptions { IsForced = true });
        IReadOnlyList<EngineReport> reports = EngineCheck.Race([device, simd]);
        Assert.All(reports, static report => Assert.Null(report.Problem));
        Assert.All(reports, static report => Assert.True(report.IsVerified));
        Assert.True(reports[0].RecordsPerSecond >= reports[1].RecordsPerSecond);
    }

    [Fact]
    public void An_engine_whose_cells_are_off_by_one_is_not_verified()
    {
        using var simd = new SimdEngine(1);
        EngineReport report = EngineCheck.Check(new OffByOne(simd), 1);
        Assert.False(report.IsVerified);
        Assert.Equal(0, report.RecordsPerSecond);
        Assert.Contains("hash", report.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_processor_gets_the_golden_hash_of_every_sketch()
    {
        using var simd = new SimdEngine(1);
        AssertGolden(simd);
        Assert.Null(EngineCheck.Check(simd, 1).Problem);
        Assert.Equal(SketchChecks.All.Count, SketchChecks.All.Select(static check => check.Golden).Distinct().Count());
    }

    [Fact]
    public void A_device_gets_the_golden_hash_of_every_sketch()
    {
        using GpuEngine device = Devices.Open();
        AssertGolden(device);
    }

    [Fact]
    public void An_engine_whose_powers_are_off_by_one_is_not_verified_and_the_report_says_where()
    {
        using var simd = new SimdEngine(1);
        EngineReport report = EngineCheck.Check(new WrongPowers(simd), 1);
        Assert.False(report.IsVerified);
        Assert.Contains("its powers have the hash", report.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_engine_asked_for_leads_although_it_is_slower()
    {
        DeviceDescription device = Devices.UnderTest;
        using EngineChoice choice = EngineChoice.Open(new(device.Kind, 1, true, TimeSpan.FromSeconds(60)));
        Assert.Equal([device.Kind, EngineKind.Simd], choice.Reports.Select(static report => report.Engine.Kind));
        Assert.All(choice.Reports, static report => Assert.True(report.IsVerified));
        Assert.Equal(device.MemoryBytes, choice.Reports[0].MemoryBytes);
        Assert.Empty(choice.Problems);
    }

    [Fact]
    public void An_engine_asked_for_that_is_not_there_is_a_problem_and_the_processor_serves()
    {
        EngineKind missing = GpuDevices.Find(false).Any(static d => d.Kind == EngineKind.Cuda)
            ? EngineKind.OpenCl : EngineKind.Cuda;
        using EngineChoice choice = EngineChoice.Open(new(missing, 1, false, TimeSpan.FromSeconds(60)));
        Assert.Contains(choice.Reports, static report => report is { IsVerified: true, Engine.Kind: EngineKind.Simd });
        Assert.Contains(missing.ToString(), Assert.Single(choice.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Processors_that_offer_OpenCL_are_left_out_unless_they_are_allowed()
    {
        Assert.True(Devices.UnderTest.Kind != EngineKind.OpenCl || Devices.UnderTest.IsProcessor);
        Assert.DoesNotContain(GpuDevices.Find(allowCpuOpenCl: false), static device => device.IsProcessor);
    }

    static void AssertGolden(IEngine engine) =>
        Assert.All(SketchChecks.All, check => Assert.Equal($"{check.Golden:x16}", $"{check.Hash(engine):x16}"));

    sealed class WrongPowers(SimdEngine engine) : ForwardingEngine(engine)
    {
        public override void AddPowers(PowerMap map, Points points, Span<long> cells)
        {
            base.AddPowers(map, points, cells);
            cells[0]++;
        }
    }

    sealed class OffByOne(SimdEngine engine) : ForwardingEngine(engine)
    {
        public override void AddFourier(FourierMap map, Points points, Span<long> cells)
        {
            base.AddFourier(map, points, cells);
            cells[^1]++;
        }
    }
}
