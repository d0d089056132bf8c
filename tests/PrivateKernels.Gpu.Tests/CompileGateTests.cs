using System.Globalization;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Runtime.Cuda;
using PrivateKernels.Gpu;

namespace PrivateKernels.Tests;

/// <summary>What must hold of every device program on devices that no test machine has.</summary>
public sealed partial class CompileGateTests
{
    const int LargestRegisters = 128, LargestSharedBytes = 48 << 10;

    public static TheoryData<string> Programs => [.. DevicePrograms.All.Select(static p => p.Name)];

    public static TheoryData<string, string> ProgramsByArchitecture
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (DeviceProgram program in DevicePrograms.All)
                foreach (string architecture in new[] { "80", "90" })
                    data.Add(program.Name, architecture);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(ProgramsByArchitecture))]
    public void Programs_assemble_for_NVIDIA_without_spills_in_the_registers_and_shared_memory_allowed(
        string name, string architecture)
    {
        string ptxas = Compiled.Tool("PTXAS", "PK_REQUIRE_PTXAS");
        string cuobjdump = Compiled.Tool("CUOBJDUMP", "PK_REQUIRE_PTXAS");
        DeviceProgram program = Program(name);
        string ptx = Compiled.Ptx(program, architecture == "80" ? CudaArchitecture.SM_80 : CudaArchitecture.SM_90);
        string source = Path.Combine(Directory.CreateTempSubdirectory().FullName, "program.ptx");
        string cubin = source + ".cubin";
        File.WriteAllText(source, ptx);

        string report = Compiled.Run(ptxas, "-v", $"-arch=sm_{architecture}", source, "-o", cubin);
        int fused = Ffma().Count(Compiled.Run(cuobjdump, "-sass", cubin));
        int asked = Fma().Count(ptx);
        if (fused != asked)
        {
            // Unrolled loops and integer divisions have more; then the count must not depend on the leave to contract.
            Compiled.Run(ptxas, "-fmad=false", $"-arch=sm_{architecture}", source, "-o", cubin);
            asked = Ffma().Count(Compiled.Run(cuobjdump, "-sass", cubin));
        }
        Directory.Delete(Path.GetDirectoryName(source)!, recursive: true);

        TestContext.Current.TestOutputHelper?.WriteLine(report);
        Assert.Contains("0 bytes spill stores, 0 bytes spill loads", report, StringComparison.Ordinal);
        Assert.Contains("0 bytes stack frame", report, StringComparison.Ordinal);
        Assert.InRange(Number(report, @"Used (\d+) registers"), 1, LargestRegisters);
        Assert.InRange(Number(report, @"(\d+) bytes smem"), 0, LargestSharedBytes);
        Assert.Equal(asked, fused);
    }

    [Fact]
    public void A_program_does_not_depend_on_what_was_compiled_before_it()
    {
        using Context context = Compiled.NewContext();
        foreach (string name in new[] { "SumGaussian", "SumMatern32", "AddDense", "AddStructured", "SumMatern32" })
        {
            DevicePrograms.Forget(context);
            // Names have a number behind them that never comes twice.
            Assert.Equal(
                Number().Replace(Compiled.Ptx(Program(name), CudaArchitecture.SM_80), ""),
                Number().Replace(Compiled.Ptx(context, Program(name), CudaArchitecture.SM_80), ""));
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void No_product_feeds_a_sum_in_PTX(string name)
    {
        string ptx = Compiled.Ptx(Program(name), CudaArchitecture.SM_90);
        HashSet<string> products = [.. Product().Matches(ptx).Select(static m => m.Groups[1].Value)];
        Assert.DoesNotContain(
            Sum().Matches(ptx), m => products.Contains(m.Groups[1].Value) || products.Contains(m.Groups[2].Value));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Programs_compile_as_OpenCL_C_for_AMD_and_for_SPIRV_and_nothing_is_contracted(string name)
    {
        string clang = Compiled.Tool("CLANG", "PK_REQUIRE_CLANG");
        string text = Compiled.OpenCl(Program(name));
        string source = Path.Combine(Directory.CreateTempSubdirectory().FullName, "program.cl");
        File.WriteAllText(source, text);
        string[][] targets =
        [
            ["-target", "amdgcn-amd-amdhsa", "-mcpu=gfx90a", "-nogpulib"],
            ["-target", "spir64-unknown-unknown"],
        ];
        foreach (string[] target in targets)
        {
            string assembly = Compiled.Run(
                clang,
                [
                    "-x", "cl", "-cl-std=CL2.0", .. target, "-ffp-contract=fast", "-Xclang", "-finclude-default-header",
                    "-O1", "-S", "-emit-llvm", source, "-o", "-",
                ]);
            Assert.Equal(ClFma().Count(text), FmaCall().Count(assembly));
            Assert.DoesNotContain("llvm.fmuladd", assembly, StringComparison.Ordinal);
        }
        Directory.Delete(Path.GetDirectoryName(source)!, recursive: true);
    }

    static DeviceProgram Program(string name) => DevicePrograms.All.Single(p => p.Name == name);

    static int Number(string text, string pattern) =>
        Regex.Match(text, pattern) is { Success: true } match
            ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"fma\.rn\.f32")]
    private static partial Regex Fma();

    [GeneratedRegex(@"_\d+")]
    private static partial Regex Number();

    [GeneratedRegex(@"\bFFMA\b")]
    private static partial Regex Ffma();

    [GeneratedRegex(@"mul(?:\.\w+)*\.f32\s+(%\w+)")]
    private static partial Regex Product();

    [GeneratedRegex(@"(?:add|sub)(?:\.\w+)*\.f32\s+%\w+,\s*(%?[\w.]+),\s*(%?[\w.]+)")]
    private static partial Regex Sum();

    [GeneratedRegex(@"\bfma\s*\(")]
    private static partial Regex ClFma();

    [GeneratedRegex(@"call [^\n]*@(?:_Z3fmafff|_Z3fmaddd|llvm\.fma\.f(?:32|64))\(")]
    private static partial Regex FmaCall();
}
