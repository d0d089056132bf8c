using System.Numerics;
using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class CalibrationTests
{
    static readonly JsonElement Ledger = GoldenFile.Read("ledger.json");

    [Fact]
    public void Normal_scales_are_the_golden_integers()
    {
        foreach (JsonElement row in Ledger.Rows("gaussian"))
        {
            var noise = Assert.IsType<RoundedNormal>(Mechanisms.Calibrate(
                new(MechanismKind.RoundedNormal, row.Integer("units")), new(row.Big("delta_squared"), 1)));
            Assert.Equal(row.Integer("s_times_2^10"), noise.Scaled);
            Assert.Equal(noise.Scaled / 1024.0, noise.Scale);
        }
    }

    [Fact]
    public void Laplace_scales_are_the_golden_fractions()
    {
        foreach (JsonElement row in Ledger.Rows("pure"))
        {
            var noise = Assert.IsType<DiscreteLaplace>(Mechanisms.Calibrate(
                new(MechanismKind.DiscreteLaplace, row.Integer("units")), new(1, row.Big("delta_1"))));
            Rational scale = noise.ExactScale;
            Assert.Equal(scale.Numerator * row.Big("s_denominator"), row.Big("s_numerator") * scale.Denominator);
        }
    }

    [Fact]
    public void The_normal_scale_is_the_least_that_pays_for_the_sensitivity()
    {
        foreach (long units in new[] { 1L, 7, 61604497218, long.MaxValue })
            foreach (BigInteger squared in new BigInteger[] { 1, 3, (1L << 52) + 1, 1L << 60 })
            {
                var strength = new PrivacyStrength(MechanismKind.RoundedNormal, units);
                var noise = (RoundedNormal)Mechanisms.Calibrate(strength, new(squared, 1));
                BigInteger scaled = noise.Scaled, wanted = squared << 60;
                Assert.True(scaled * scaled * units >= wanted);
                Assert.True((scaled - 1) * (scaled - 1) * units < wanted);
            }
    }

    [Fact]
    public void Replacing_a_record_and_owning_several_reach_the_scale()
    {
        Sensitivity once = Sensitivity.FromNorms(1L << 40, 1L << 30, Adjacency.AddOrRemoveOne);
        Sensitivity thrice = Sensitivity.FromNorms(1L << 40, 1L << 30, Adjacency.ReplaceOne).ForUnit(3);
        foreach (MechanismKind kind in Enum.GetValues<MechanismKind>())
        {
            var strength = new PrivacyStrength(kind, Units.OfEpsilon(0.5));
            double ratio = Mechanisms.Calibrate(strength, thrice).Scale / Mechanisms.Calibrate(strength, once).Scale;
            Assert.Equal(6, ratio, 1e-6);
        }
    }

    [Fact]
    public void Noise_too_large_for_cells_or_too_weak_to_price_is_refused()
    {
        var vast = new Sensitivity(BigInteger.One << 110, BigInteger.One << 55);
        foreach (MechanismKind kind in Enum.GetValues<MechanismKind>())
        {
            Assert.Throws<InvalidFieldException>(() => Mechanisms.Calibrate(new(kind, 1L << 40), vast));
            Assert.Throws<InvalidFieldException>(() => Mechanisms.Calibrate(new(kind, 0), new(1, 1)));
            Assert.Throws<InvalidFieldException>(() => Mechanisms.Calibrate(new(kind, 1), new(0, 0)));
            var largest = new Sensitivity(BigInteger.One << 104, 1L << 52);
            Assert.Equal(Math.ScaleB(1, 52), Mechanisms.Calibrate(new(kind, 1L << 40), largest).Scale);
        }
    }

    [Fact]
    public void Variances_are_the_golden_ones()
    {
        foreach (JsonElement row in GoldenFile.Read("discrete_laplace.json").Rows("scales"))
        {
            var scale = new Rational((long)row.Number("scale_numerator"), (long)row.Number("scale_denominator"));
            GoldenFile.Close(row.Number("variance"), new DiscreteLaplace(scale).Variance, 1e-12, "variance");
        }
        int dyadic = 0;
        foreach (JsonElement row in GoldenFile.Read("rounded_normal.json").Rows("scales"))
        {
            double scaled = row.Number("s") * 1024;
            if (scaled != Math.Floor(scaled)) continue;
            GoldenFile.Close(row.Number("variance"), new RoundedNormal((long)scaled).Variance, 1e-12, "variance");
            dyadic++;
        }
        Assert.Equal(2, dyadic);
        // The least scale, 2^-10: the noise is always 0.
        Assert.Equal(0, new RoundedNormal(1).Variance);
    }
}
