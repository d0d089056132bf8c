using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Util;

namespace PrivateKernels.Gpu;

/// <summary>A program that devices run: one public static method with one structure of arguments.</summary>
/// <param name="Method">What is compiled.</param>
/// <param name="IsTiled">Keeps a tile of accumulators in registers, so that spilled registers would ruin it.</param>
sealed record DeviceProgram(MethodInfo Method, bool IsTiled)
{
    public string Name => Method.Name;

    /// <summary>
    /// Tiled programs must leave room for two groups per multiprocessor: without the promise ptxas takes 168 registers.
    /// </summary>
    public KernelSpecialization Specialization => IsTiled ? new(TileProduct.Threads, 2) : default;

    public override string ToString() => Name;
}

/// <summary>Every device program, so that tests can compile each of them for devices that are not there.</summary>
static class DevicePrograms
{
    static readonly Type[] Tiled = [typeof(DensePrograms), typeof(ExactSumPrograms), typeof(LandmarkPrograms)];

    static readonly Type[] Others =
    [
        typeof(StructuredPrograms), typeof(LargeStructuredPrograms), typeof(RotationPrograms), typeof(SumPrograms),
        typeof(SignPrograms),
        typeof(MomentPrograms), typeof(ClampPrograms), typeof(PowerPrograms), typeof(SphericalPrograms),
        typeof(SlicedPrograms), typeof(ProfilePrograms), typeof(WeightedPrograms),
        typeof(PreciseSumPrograms), typeof(SecondMomentPrograms), typeof(ProjectPrograms), typeof(CenterPrograms),
    ];

    /// <summary>All programs in name order.</summary>
    public static IReadOnlyList<DeviceProgram> All { get; } =
        [.. Tiled.SelectMany(static type => Of(type, true)).Concat(Others.SelectMany(static type => Of(type, false)))
            .OrderBy(static program => program.Name, StringComparer.Ordinal)];

    public static KernelSpecialization SpecializationOf(MethodInfo method) =>
        All.FirstOrDefault(program => program.Method == method)?.Specialization ?? default;

    /// <summary>
    /// Makes a context forget what it has compiled. Methods that it knows are inlined in their optimised form, so without this
    /// the registers of a program, and whether some are spilled, would depend on the programs before it.
    /// </summary>
    public static void Forget(Context context) => context.ClearCache(ClearCacheMode.Everything);

    static IEnumerable<DeviceProgram> Of(Type type, bool tiled) => type
        .GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly)
        .Select(method => new DeviceProgram(method, tiled));
}
