using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed unsafe class PhaseTests
{
    const long Circle = 1L << 40;

    [Fact]
    public void Cells_agree_with_the_golden_phases()
    {
        int rows = 0;
        foreach (JsonElement row in GoldenFile.Read("tables.json").Rows("phase_features"))
        {
            (int cos, int sin) = Phase.Cells(row[0].GetInt32() / 4194304f - 0.5f);
            int slack = row[3].GetDouble() < 0.2 ? 1 : 0;
            Assert.InRange(cos, row[1].GetInt32() - slack, row[1].GetInt32() + slack);
            Assert.InRange(sin, row[2].GetInt32() - slack, row[2].GetInt32() + slack);
            rows++;
        }
        Assert.Equal(101, rows);
    }

    /// <summary>
    /// The cells depend on the remainder and the quarter alone, and a quarter only swaps and negates. So all remainders
    /// in [0, 1/8] decide; below 2^-27 the cosine is 1 and the sine is monotone. PK_TEST_SCALE=long visits all of them.
    /// </summary>
    [Fact]
    public void No_pair_of_cells_leaves_its_circle_and_errors_stay_below_5_3e_8()
    {
        uint first = BitConverter.SingleToUInt32Bits(1f / (1 << 27)), last = BitConverter.SingleToUInt32Bits(0.125f);
        long largest = 0;
        double error = 0;
        for (uint bits = first; bits <= last; bits += Scale.IsLong ? 1u : 499u)
        {
            float r = BitConverter.UInt32BitsToSingle(bits);
            (int c, int s) = Phase.Cells(r);
            largest = Math.Max(largest, (long)c * c + (long)s * s);
            if (bits % 8 != 0 && Scale.IsLong) continue;
            (float cos, float sin) = Phase.Scaled(r);
            (double trueSin, double trueCos) = Math.SinCos(2 * Math.PI * r);
            error = Math.Max(error, Math.Max(Math.Abs(cos / 1048575.0 - trueCos), Math.Abs(sin / 1048575.0 - trueSin)));
        }
        // Products of features rely on the room of 2^20.
        Assert.InRange(largest, Circle - 3_000_000, Circle - (1 << 20));
        // Multiplication by A rounds once more: half a unit of the last place on top of the recipe's 5.3e-8.
        Assert.InRange(error, 1e-8, 5.3e-8 + 3.0e-8);
    }

    [Fact]
    public void Huge_phases_and_values_that_are_not_numbers_give_zero()
    {
        float above = MathF.BitIncrement(1048576f);
        float infinity = float.PositiveInfinity;
        float[] huge = [above, -above, 1e20f, float.MaxValue, infinity, -infinity, float.NaN];
        foreach (float t in huge) Assert.Equal((0, 0), Phase.Cells(t));
        Assert.Equal((1048575, 0), Phase.Cells(1048576f));
        Assert.Equal((1048575, 0), Phase.Cells(-1048576f));
    }

    [Fact]
    public void Quarter_turns_are_exact()
    {
        Assert.Equal((1048575, 0), Phase.Cells(0f));
        Assert.Equal((0, 1048575), Phase.Cells(0.25f));
        Assert.Equal((-1048575, 0), Phase.Cells(0.5f));
        Assert.Equal((0, -1048575), Phase.Cells(0.75f));
        Assert.Equal((0, 1048575), Phase.Cells(-1234.75f));
    }

    [Fact]
    public void Registers_give_the_bits_of_the_scalar_recipe()
    {
        var random = new PublicRandom(5);
        float* turns = stackalloc float[16], cos = stackalloc float[16], sin = stackalloc float[16];
        for (int i = 0; i < 40_000; i++)
        {
            // Random bits visit every magnitude; half of the phases are drawn where the recipe works.
            for (int l = 0; l < 16; l++)
                turns[l] = l % 2 == 0
                    ? BitConverter.UInt32BitsToSingle((uint)random.NextBits())
                    : (float)(random.NextNormal() * Math.Pow(10, 7 * random.NextUnit()));
            AssertSame<Lanes16>(turns, cos, sin);
            AssertSame<Lanes8>(turns, cos, sin);
            AssertSame<Lanes8>(turns + 8, cos, sin);
        }
    }

    static void AssertSame<V>(float* turns, float* cos, float* sin)
        where V : unmanaged, ILanes<V>
    {
        (V c, V s) = Phase.Scaled(V.Load(turns));
        V.Store(c, cos);
        V.Store(s, sin);
        for (int l = 0; l < V.Count; l++)
        {
            (float expectedCos, float expectedSin) = Phase.Scaled(turns[l]);
            if (cos[l] != expectedCos || sin[l] != expectedSin)
                Assert.Fail($"{turns[l]:r}: ({cos[l]:r}, {sin[l]:r}) against ({expectedCos:r}, {expectedSin:r})");
        }
    }
}
