using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace PrivateKernels.Tests;

/// <summary>
/// Samples against the laws they claim, at fixed bits. Each check is shown to have power: it refuses a scale one
/// percent off and the classic mistakes.
/// </summary>
public sealed class NoiseLawTests
{
    const int Samples = 1_500_000;

    /// <summary>Scales from well below one cell unit to the largest.</summary>
    public static TheoryData<string> Scales =>
        ["3/10", "1", "27/10", "201/2", "1000000", "1125899906842624", "4503599627370496"];

    [Theory]
    [MemberData(nameof(Scales))]
    public void Rounded_normal_noise_has_its_law_and_no_other_scale(string scale) =>
        HasLaw(scale, Ziggurat.Normal, true, NoiseLaw.Normal);

    [Theory]
    [MemberData(nameof(Scales))]
    public void Discrete_laplace_noise_has_its_law_and_no_other_scale(string scale) =>
        HasLaw(scale, Ziggurat.Exponential, false, NoiseLaw.Laplace);

    static void HasLaw(string text, Ziggurat ziggurat, bool toNearest, Func<double, NoiseLaw> law)
    {
        Rational scale = Parse(text);
        double s = (double)scale.Numerator / (double)scale.Denominator;
        long[] samples = Draw(new(ziggurat, scale, toNearest), Samples, seed: 3);
        Assert.True(law(s).Excess(samples) < NoiseLaw.Accepted, $"{law(s).Excess(samples)}");
        foreach (double wrong in new[] { 0.99, 1.01 })
        {
            double excess = law(s * wrong).Excess(samples);
            Assert.True(excess > NoiseLaw.Refused, $"scale {wrong}: {excess}");
        }
    }

    [Fact]
    public void Far_tails_have_their_law()
    {
        // Beyond r (3.7 and 7.9 scales) samples come from the staircase of the ziggurat: some hundreds of them here.
        const int many = 4_000_000;
        long[] normal = Draw(new(Ziggurat.Normal, new(1000, 1), true), many, seed: 11);
        long[] laplace = Draw(new(Ziggurat.Exponential, new(1000, 1), false), many, seed: 12);
        Assert.True(NoiseLaw.Normal(1000).Excess(normal) < NoiseLaw.Accepted);
        Assert.True(NoiseLaw.Laplace(1000).Excess(laplace) < NoiseLaw.Accepted);
        Tail(normal, 3800, NoiseLaw.Normal(1000));
        Tail(normal, 4300, NoiseLaw.Normal(1000));
        Tail(laplace, 8000, NoiseLaw.Laplace(1000));
        Tail(laplace, 10000, NoiseLaw.Laplace(1000));
    }

    static void Tail(long[] samples, long from, NoiseLaw law)
    {
        double expected = 2 * law.UpperTail(from) * samples.Length;
        double deviation = (samples.Count(x => Math.Abs(x) >= from) - expected) / Math.Sqrt(expected);
        Assert.True(expected > 50 && Math.Abs(deviation) < 4, $"{from}: {deviation}");
    }

    [Fact]
    public void The_reference_laws_are_the_golden_ones()
    {
        foreach (JsonElement law in GoldenFile.Read("rounded_normal.json").Rows("scales"))
            Matches(NoiseLaw.Normal(law.Number("s")), law);
        foreach (JsonElement law in GoldenFile.Read("discrete_laplace.json").Rows("scales"))
            Matches(NoiseLaw.Laplace(law.Number("scale_numerator") / law.Number("scale_denominator")), law);
    }

    static void Matches(NoiseLaw law, JsonElement golden)
    {
        foreach (JsonElement row in golden.Rows("rows"))
            if (row.Number("k") is > 0 and var k && row.Number("tail_ge") is > 1e-300 and var expected)
                GoldenFile.Close(expected, law.UpperTail(k), 1e-10, $"{golden.GetRawText()[..40]} {k}");
    }

    [Fact]
    public void Small_scales_have_the_golden_probabilities()
    {
        foreach (JsonElement law in GoldenFile.Read("rounded_normal.json").Rows("scales"))
            HasProbabilities(law, new(Ziggurat.Normal, Rational.OfDecimal(law.Number("s")), true));
        foreach (JsonElement law in GoldenFile.Read("discrete_laplace.json").Rows("scales"))
        {
            var scale = new Rational((long)law.Number("scale_numerator"), (long)law.Number("scale_denominator"));
            HasProbabilities(law, new(Ziggurat.Exponential, scale, false));
        }
    }

    static void HasProbabilities(JsonElement law, NoiseSampler sampler)
    {
        const int count = Samples / 3;
        Dictionary<long, int> seen = Draw(sampler, count, seed: 5).CountBy(Math.Abs).ToDictionary();
        foreach (JsonElement row in law.Rows("rows"))
        {
            long k = row.GetProperty("k").GetInt64();
            double p = row.Number("pmf") * (k == 0 ? 1 : 2), expected = p * count;
            double deviation = (seen.GetValueOrDefault(k) - expected) / Math.Sqrt((expected * (1 - p)) + 1);
            Assert.True(Math.Abs(deviation) < 4.5, $"{k}: {deviation}");
        }
    }

    [Fact]
    public void Broken_noise_is_caught_by_the_same_checks()
    {
        const double s = 1e6;
        NoiseLaw normal = NoiseLaw.Normal(s), laplace = NoiseLaw.Laplace(s);
        long[] good = Draw(new(Ziggurat.Normal, new(1_000_000, 1), true), Samples, seed: 21);
        Assert.True(normal.Excess(good) < NoiseLaw.Accepted);

        long[] half = [.. good.Select(x => x / 2)];
        Assert.True(normal.Excess(half) > NoiseLaw.Refused, "half the noise");

        // Calibrated to the distance of adding a record where records are replaced.
        Sensitivity add = Sensitivity.FromNorms(1L << 40, 1 << 20, Adjacency.AddOrRemoveOne);
        Sensitivity replace = Sensitivity.FromNorms(1L << 40, 1 << 20, Adjacency.ReplaceOne);
        foreach (MechanismKind kind in Enum.GetValues<MechanismKind>())
        {
            var strength = new PrivacyStrength(kind, Units.OfEpsilon(1));
            Func<double, NoiseLaw> of = kind == MechanismKind.RoundedNormal ? NoiseLaw.Normal : NoiseLaw.Laplace;
            NoiseLaw due = of(Mechanisms.Calibrate(strength, replace).Scale);
            long[] right = DrawFrom(Mechanisms.Calibrate(strength, replace));
            long[] wrong = DrawFrom(Mechanisms.Calibrate(strength, add));
            Assert.True(due.Excess(right) < NoiseLaw.Accepted, $"{kind}");
            Assert.True(due.Excess(wrong) > NoiseLaw.Refused, $"{kind}: factor 2");
        }

        // Unsigned, without its zero's share, or of the other law.
        Assert.True(normal.Excess([.. good.Select(Math.Abs)]) > NoiseLaw.Refused, "absolute values");
        Assert.True(laplace.Excess(good) > NoiseLaw.Refused, "normal for Laplace");
        long[] doubled = Draw(new(Ziggurat.Exponential, new(5, 2), true), Samples, seed: 22);
        Assert.True(NoiseLaw.Laplace(2.5).Excess(doubled) > NoiseLaw.Refused, "rounded instead of cut");
    }

    [Fact]
    public void Rounding_a_double_is_caught_in_the_low_bits()
    {
        // Above 2 the doubles are 2^-51 apart: at the scale 2^52 every such sample is even.
        double scale = Math.ScaleB(1, 52);
        var exact = new NoiseSampler(Ziggurat.Normal, new(BigInteger.One << 52, 1), true);
        long[] good = Draw(exact, Samples, seed: 31);
        var random = new PublicRandom(32);
        var doubles = new long[Samples];
        for (int i = 0; i < doubles.Length; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextUnit())), turn = 2 * Math.PI * random.NextUnit();
            doubles[i] = (long)Math.Round(scale * (radius * Math.Cos(turn)));
        }
        Assert.True(NoiseLaw.Normal(scale).Excess(doubles) < NoiseLaw.Accepted, "its shape is right");
        Assert.True(NoiseLaw.LowBitExcess(doubles, scale) > NoiseLaw.Refused, "its low bits are not");
        Assert.True(NoiseLaw.LowBitExcess(good, scale) < NoiseLaw.Accepted);
    }

    static long[] DrawFrom(INoise noise) =>
        Draw(noise is RoundedNormal normal ? normal.Sampler : ((DiscreteLaplace)noise).Sampler, Samples, seed: 23);

    static long[] Draw(NoiseSampler sampler, int count, ulong seed)
    {
        var samples = new long[count];
        using SecretBits bits = RepeatableBits.Of(seed);
        sampler.AddTo(samples, bits);
        return samples;
    }

    static Rational Parse(string fraction)
    {
        string[] parts = fraction.Split('/');
        return new(
            BigInteger.Parse(parts[0], CultureInfo.InvariantCulture),
            parts.Length > 1 ? BigInteger.Parse(parts[1], CultureInfo.InvariantCulture) : 1);
    }
}
