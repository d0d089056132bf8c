using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;

namespace PrivateKernels.Gpu;

/// <summary>
/// a b + c rounded once. Device programs multiply and add only through this method, so no compiler has a product and a
/// sum left to contract and every engine gets the same bits.
/// </summary>
public static class Fused
{
    [IntrinsicImplementation]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    [IntrinsicImplementation]
    public static double Fma(double a, double b, double c) => Math.FusedMultiplyAdd(a, b, c);

    /// <summary>Teaches a context the instruction; needed once, before anything is compiled.</summary>
    public static void Register(Context context)
    {
        var intrinsics = context.GetIntrinsicManager();
        foreach (Type type in new[] { typeof(float), typeof(double) })
        {
            var method = typeof(Fused).GetMethod(nameof(Fma), [type, type, type])!;
            string emit = type == typeof(float) ? nameof(EmitPtxSingle) : nameof(EmitPtxDouble);
            intrinsics.RegisterMethod(
                method, new PTXIntrinsic(typeof(Fused), emit, IntrinsicImplementationMode.GenerateCode));
            intrinsics.RegisterMethod(
                method, new CLIntrinsic(typeof(Fused), nameof(EmitOpenCl), IntrinsicImplementationMode.GenerateCode));
        }
    }

    public static void EmitPtxSingle(PTXBackend backend, PTXCodeGenerator generator, Value value) =>
        EmitPtx(generator, value, "fma.rn.f32");

    public static void EmitPtxDouble(PTXBackend backend, PTXCodeGenerator generator, Value value) =>
        EmitPtx(generator, value, "fma.rn.f64");

    static void EmitPtx(PTXCodeGenerator generator, Value value, string instruction)
    {
        var call = (MethodCall)value;
        var a = generator.LoadPrimitive(call[0]);
        var b = generator.LoadPrimitive(call[1]);
        var c = generator.LoadPrimitive(call[2]);
        var target = generator.AllocateHardware(value);
        using var command = generator.BeginCommand(instruction);
        command.AppendArgument(target);
        command.AppendArgument(a);
        command.AppendArgument(b);
        command.AppendArgument(c);
    }

    public static void EmitOpenCl(CLBackend backend, CLCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var a = generator.Load(call[0]);
        var b = generator.Load(call[1]);
        var c = generator.Load(call[2]);
        using var statement = generator.BeginStatement(generator.Allocate(value));
        statement.AppendCommand("fma");
        statement.BeginArguments();
        statement.AppendArgument(a);
        statement.AppendArgument(b);
        statement.AppendArgument(c);
        statement.EndArguments();
    }
}
