using System.Diagnostics;
using ILGPU.Runtime.OpenCL;
using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>
/// Trouble on the device, made at every step: the cells are the processor's, whatever fails and whenever.
/// </summary>
public sealed class FaultTests : IDisposable
{
    const int Dimension = 5, Count = 20_000;

    readonly SimdEngine _simd = new(1);
    readonly Points _points = new Samples(41).EdgePoints(Count, Dimension);
    readonly SignMap _map = new(Dimension, -1f, 1f, 16, 1000);
    readonly long[] _expected = new long[2 * Dimension * 16];

    public FaultTests() => Add(_simd, _expected);

    public void Dispose() => _simd.Dispose();

    public static TheoryData<string> Steps => [.. Enum.GetNames<DeviceStep>()];

    [Theory]
    [MemberData(nameof(Steps))]
    public void A_failure_at_any_step_leaves_the_cells_of_the_processor(string name)
    {
        var step = Enum.Parse<DeviceStep>(name);
        for (int failing = 1; ; failing++)
        {
            var troubles = new List<DeviceEvent>();
            int seen = 0;
            // Small slots: several launches, two slots and a checkpoint in the middle.
            using (GpuEngine engine = Open(
                new() { SlotBytes = 32 << 10, Probe = _ => OnEach(step, () => ++seen == failing) }))
            {
                engine.Troubled += troubles.Add;
                AssertCells(engine);
            }
            Assert.Equal(seen >= failing ? 1 : 0, troubles.Count);
            if (seen < failing) return;
            // Later steps differ in nothing but their number: go through them in strides.
            if (failing > 3) failing += 8;
        }
    }

    [Fact]
    public void What_was_checkpointed_before_a_loss_is_not_done_again()
    {
        int launches = 0;
        var redone = new CountingEngine(_simd);
        // 18 slots of 1,024 points were taken before the loss; 16 of them had come back.
        using var engine = new GpuEngine([Devices.UnderTest], redone, new()
        {
            SlotBytes = 32 << 10,
            Probe = _ => OnEach(DeviceStep.Copy, () => ++launches == 20),
        });
        AssertCells(engine);
        Assert.InRange(redone.Records, 1, Count - 16 * 1024);
    }

    [Fact]
    public void A_forced_engine_fails_and_adds_nothing()
    {
        using GpuEngine engine = Open(
            new() { IsForced = true, Probe = static _ => OnEach(DeviceStep.Synchronize, static () => true) });
        var cells = new long[_expected.Length];
        Assert.Throws<EngineFailedException>(() => Add(engine, cells));
        Assert.All(cells, static cell => Assert.Equal(0, cell));
    }

    [Fact]
    public void A_lost_device_rests_proves_every_program_and_then_works_again()
    {
        int launches = 0;
        var compiled = new List<int>();
        var redone = new CountingEngine(_simd);
        using var engine = new GpuEngine([Devices.UnderTest], redone, new()
        {
            Probe = _ =>
            {
                compiled.Add(0);
                return step =>
                {
                    if (step == DeviceStep.Compile) compiled[^1]++;
                    if (step == DeviceStep.Launch && ++launches == 1) throw new CLException(CLError.CL_OUT_OF_RESOURCES);
                };
            },
        });
        AssertCells(engine);
        Assert.Equal(0, engine.DevicesReady);
        AssertCells(engine);
        Assert.Equal(2 * Count, redone.Records);
        var waited = Stopwatch.StartNew();
        while (redone.Records > 0 && waited.Elapsed < TimeSpan.FromSeconds(60))
        {
            Thread.Sleep(300);
            redone.Records = 0;
            AssertCells(engine);
        }
        Assert.Equal(0, redone.Records);
        Assert.Equal(1, engine.DevicesReady);
        // It has run what an engine runs at start: what is run there now needs nothing new.
        int proven = compiled[1];
        Assert.InRange(proven, 20, DevicePrograms.All.Count);
        Assert.Null(EngineCheck.Check(engine, 1).Problem);
        Assert.Equal([proven], compiled[1..]);
    }

    [Fact]
    public void A_program_that_does_not_compile_disables_the_device()
    {
        var troubles = new List<DeviceEvent>();
        using GpuEngine engine = Open(new() { Probe = static _ => OnEach(DeviceStep.Compile, static () => true) });
        engine.Troubled += troubles.Add;
        AssertCells(engine);
        AssertCells(engine);
        Assert.True(Assert.Single(troubles).IsPermanent);
        Assert.Equal(0, engine.DevicesReady);
    }

    [Fact]
    public void A_batch_that_hangs_is_given_up_and_its_late_result_is_ignored()
    {
        using var release = new ManualResetEventSlim();
        var troubles = new List<DeviceEvent>();
        bool hangs = true;
        GpuEngine engine = Open(new()
        {
            BatchTimeout = TimeSpan.FromSeconds(5),
            Probe = _ => step =>
            {
                if (step == DeviceStep.Launch && hangs) release.Wait(TestContext.Current.CancellationToken);
            },
        });
        engine.Troubled += troubles.Add;
        AssertCells(engine);
        Assert.True(Assert.Single(troubles).IsPermanent);
        AssertCells(engine);
        hangs = false;
        release.Set();
        engine.Dispose();
    }

    [Fact]
    public void Slots_shrink_until_they_fit_the_memory_limit()
    {
        var points = new Samples(42).NormalPoints(400_000, 4);
        var map = new MomentMap(4, new float[4], 1000, 1000f, 1000f, 1L << 40);
        var buffers = 0;
        using var engine = new GpuEngine([Devices.UnderTest], new NoFallback(), new()
        {
            IsForced = true,
            SlotBytes = 8 << 20,
            MemoryLimitBytes = 9 << 20,
            Probe = _ => OnEach(DeviceStep.Allocate, () => ++buffers < 0),
        });
        long[] cells = new long[6], same = new long[6];
        engine.AddMoments(map, points, cells);
        _simd.AddMoments(map, points, same);
        Assert.Equal(same, cells);
        Assert.InRange(buffers, 10, 100);
    }

    [Fact]
    public void A_job_that_fits_no_memory_goes_to_the_processor_and_the_device_stays()
    {
        using GpuEngine engine = Open(new() { MemoryLimitBytes = 1000 });
        AssertCells(engine);
        Assert.Equal(1, engine.DevicesReady);
    }

    [Fact]
    public void Two_contexts_share_one_job()
    {
        using var both = new Barrier(2);
        int[] launches = new int[2];
        int opened = -1;
        using var engine = new GpuEngine([Devices.UnderTest, Devices.UnderTest], new NoFallback(), new()
        {
            IsForced = true,
            SlotBytes = 32 << 10,
            Probe = _ =>
            {
                int me = Interlocked.Increment(ref opened);
                return step =>
                {
                    if (step != DeviceStep.Launch) return;
                    // Neither gets ahead before the other has begun.
                    if (Interlocked.Increment(ref launches[me]) == 1) both.SignalAndWait(TimeSpan.FromSeconds(30));
                };
            },
        });
        AssertCells(engine);
        Assert.All(launches, static count => Assert.InRange(count, 2, int.MaxValue));
    }

    [Fact]
    public void Many_callers_at_once_get_their_own_cells()
    {
        using GpuEngine engine = Devices.Open();
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ => AssertCells(engine));
    }

    GpuEngine Open(GpuOptions options) => new([Devices.UnderTest], _simd, options);

    /// <summary>Throws what a driver would at the steps for which <paramref name="fails"/> says so.</summary>
    static Action<DeviceStep> OnEach(DeviceStep at, Func<bool> fails) => step =>
    {
        if (step == at && fails()) throw new CLException(CLError.CL_OUT_OF_RESOURCES);
    };

    void AssertCells(GpuEngine engine)
    {
        var cells = new long[_expected.Length];
        Add(engine, cells);
        Assert.Equal(_expected, cells);
    }

    void Add(IEngine engine, long[] cells) =>
        engine.AddSigns(_map, _points, cells.AsSpan(0, cells.Length / 2), cells.AsSpan(cells.Length / 2));
}

/// <summary>Passes histograms and features on to the SIMD engine and counts records.</summary>
sealed class CountingEngine(SimdEngine engine) : ForwardingEngine(engine)
{
    public int Records { get; set; }

    public override void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        Records += points.Count;
        base.AddFourier(map, points, cells);
    }

    public override void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        Records += points.Count;
        base.AddSigns(map, points, counts, fractions);
    }
}
