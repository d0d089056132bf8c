using PrivateKernels.Gpu;
using PrivateKernels.Tests;

[assembly: AssemblyFixture(typeof(OneEngine))]

namespace PrivateKernels.Tests;

/// <summary>The device under test: a real OpenCL device, in CI PoCL (.ci/install-opencl.sh).</summary>
static class Devices
{
    static readonly Lazy<DeviceDescription?> Found = new(
        static () => GpuDevices.Find(allowCpuOpenCl: true) is [var first, ..] ? first : null);

    /// <summary>
    /// The device; without one the test is skipped, or fails if PK_REQUIRE_OPENCL says that it must be there.
    /// </summary>
    public static DeviceDescription UnderTest
    {
        get
        {
            if (Found.Value is { } device) return device;
            Assert.NotEqual("1", Environment.GetEnvironmentVariable("PK_REQUIRE_OPENCL"));
            Assert.Skip("no OpenCL or CUDA device on this machine; .ci/install-opencl.sh sets one up");
            throw new InvalidOperationException();
        }
    }

    /// <summary>An engine on the device that must not fall back: <see cref="NoFallback"/> fails the test.</summary>
    public static GpuEngine Open(GpuOptions? options = null) =>
        new([UnderTest], new NoFallback(), options ?? new GpuOptions { IsForced = true });
}

/// <summary>One engine for the tests of all classes: programs are compiled once per open device.</summary>
public sealed class OneEngine : IDisposable
{
    readonly Lazy<GpuEngine> _engine = new(static () => Devices.Open());

    public GpuEngine Engine => _engine.Value;

    public void Dispose()
    {
        if (_engine.IsValueCreated) _engine.Value.Dispose();
    }
}

/// <summary>Stands where the processor's engine would be: any call is a silent fallback and fails the test.</summary>
sealed class NoFallback : IEngine
{
    public EngineKind Kind => EngineKind.Simd;

    public string Device => "none";

    public void AddFourier(FourierMap map, Points points, Span<long> cells) => throw Refusal();

    public void AddSecondMoments(FourierMap map, Points points, Span<long> cells) => throw Refusal();

    public void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums) =>
        throw Refusal();

    public void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions) => throw Refusal();

    public void AddMoments(MomentMap map, Points points, Span<long> cells) => throw Refusal();

    public void MultiplyRows(FourierMap map, Points points, Span<float> products) => throw Refusal();

    public void AddSpherical(SphericalMap map, Points points, Span<long> cells) => throw Refusal();

    public void AddPowers(PowerMap map, Points points, Span<long> cells) => throw Refusal();

    public void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums) =>
        throw Refusal();

    public void AddLandmarks(LandmarkMap map, Points points, Span<long> cells) => throw Refusal();

    public void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features) => throw Refusal();

    public void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups) => throw Refusal();

    public void Dispose()
    {
    }

    static InvalidOperationException Refusal() => new("the work went to the fallback instead of the device");
}
