using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;

namespace PrivateKernels.Tests;

/// <summary>
/// Cells of maps and points that are integer formulas, as hashes: the same on every engine, processor and setting of
/// the runtime, and in every later version.
/// </summary>
public sealed class GoldenCellTests
{
    const int N = 257, D = 21;
    const string ExpectedDevice = "PK_TEST_EXPECTED_DEVICE";

    public static TheoryData<string, string> Hashes => new()
    {
        { "dense", "037c8b6200b75e78" },
        { "structured", "19d350fff57d24d5" },
        { "signs", "779395543abaa170" },
        { "moments", "14bcdcc000333b91" },
    };

    [Theory]
    [MemberData(nameof(Hashes))]
    public void Cells_have_the_golden_hash(string kind, string hash)
    {
        Assert.Equal(hash, EngineCases.Hash(Cells(new ReferenceEngine(), kind)));
        foreach (SimdEngine engine in EngineCases.Engines) Assert.Equal(hash, EngineCases.Hash(Cells(engine, kind)));
        using var chosen = new SimdEngine(1);
        string device = Environment.GetEnvironmentVariable(ExpectedDevice) ?? "";
        Assert.StartsWith(device, chosen.Device, StringComparison.Ordinal);
    }

    [Fact]
    public void A_structured_map_rotates_as_the_golden_vectors_say()
    {
        foreach (JsonElement row in GoldenFile.Read("walsh_hadamard.json").Rows("rotations"))
        {
            int d = row.GetProperty("d").GetInt32(), padded = row.GetProperty("P").GetInt32();
            float[] x = [.. row.Rows("input").Select(static v => v.GetSingle())];
            IEnumerable<JsonElement> signs = row.Rows("signs").SelectMany(static round => round.EnumerateArray());
            uint[] flips = [.. signs.Select(static sign => sign.GetInt32() < 0 ? 0x80000000 : 0)];
            int[] rotated = [.. row.Rows("unnormalised").Select(static v => v.GetInt32())];
            // One turn per 4096 keeps every phase exact.
            var radii = new float[padded];
            Array.Fill(radii, 1f / 4096);
            foreach (SimdEngine engine in EngineCases.Engines)
            {
                FourierMap map = FourierMap.Structured(d, padded, flips, radii, 1);
                long[] cells = EngineCases.Cells(engine, map, new Points(x, d));
                for (int i = 0; i < padded; i++)
                    Assert.Equal(Phase.Cells(rotated[i] / 4096f), ((int)cells[i], (int)cells[padded + i]));
            }
        }
    }

    /// <summary>Other register widths of the same processor, down to no vector instructions at all.</summary>
    [Theory]
    [InlineData("DOTNET_EnableAVX512", "DOTNET_EnableAVX512F")]
    [InlineData("DOTNET_EnableAVX2", "DOTNET_EnableFMA")]
    [InlineData("DOTNET_EnableHWIntrinsic", "DOTNET_EnableHWIntrinsic")]
    public async Task The_hashes_hold_with_fewer_instructions(string setting, string alias)
    {
        string self = Environment.ProcessPath!;
        bool launched = Path.GetFileNameWithoutExtension(self) == "dotnet";
        string assembly = typeof(GoldenCellTests).Assembly.Location;
        string[] arguments = ["exec", assembly, "-method", $"*.{nameof(Cells_have_the_golden_hash)}"];
        var start = new ProcessStartInfo(launched ? self : "dotnet", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[setting] = "0";
        start.Environment[alias] = "0";
        start.Environment[ExpectedDevice] = setting == "DOTNET_EnableAVX512" && Avx2.IsSupported ? "AVX2" : "portable";
        using Process child = Process.Start(start)!;
        Task<string> errors = child.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0, output + await errors);
        Assert.Contains("Total: 4, Errors: 0, Failed: 0, Skipped: 0", output, StringComparison.Ordinal);
    }

    static long[] Cells(IEngine engine, string kind)
    {
        Points points = Points();
        switch (kind)
        {
            case "dense":
                var rows = new float[50 * D];
                for (int i = 0; i < rows.Length; i++) rows[i] = (i * 6007 + 333) % 1009 / 128f - 4f;
                return EngineCases.Cells(engine, FourierMap.Dense(D, rows, 1), points);
            case "structured":
                var flips = new uint[2 * 3 * 32];
                for (int i = 0; i < flips.Length; i++) flips[i] = (uint)i * 2654435761U & 0x80000000;
                var radii = new float[64];
                for (int i = 0; i < radii.Length; i++) radii[i] = (1 << (i % 20)) / 4096f;
                return EngineCases.Cells(engine, FourierMap.Structured(D, 32, flips, radii, 1), points);
            case "signs":
                var counts = new long[D * 64];
                var fractions = new long[D * 64];
                engine.AddSigns(new SignMap(D, -0.4f, 0.45f, 64, 999_999), points, counts, fractions);
                return [.. counts, .. fractions];
            default:
                var cells = new long[D + 2];
                engine.AddMoments(new MomentMap(D, new float[D], 1 << 19, 500_000f, 400_000f, 1L << 40), points, cells);
                return cells;
        }
    }

    /// <summary>The points of sums.json, rounded to fp32.</summary>
    static Points Points()
    {
        var x = new float[N * D];
        for (int i = 0; i < N; i++)
            for (int j = 0; j < D; j++) x[i * D + j] = (float)((i * 7919 + j * 104729) % 2003 / 2003.0 - 0.5);
        Canonical.Flush(x);
        return new Points(x, D);
    }
}
