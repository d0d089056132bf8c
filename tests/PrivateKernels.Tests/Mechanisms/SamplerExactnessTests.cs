using System.Numerics;

namespace PrivateKernels.Tests;

/// <summary>
/// The fast decisions of the samplers against the same decisions in exact arithmetic, for the same bits: at random and
/// as near to the boundaries as 64 digits can get.
/// </summary>
public sealed class SamplerExactnessTests
{
    static readonly SecretBits Spare = RepeatableBits.Of(1);

    public static TheoryData<bool> BothLaws => [true, false];

    static Ziggurat Of(bool normal) => normal ? Ziggurat.Normal : Ziggurat.Exponential;

    static LazyPoint Point(Ziggurat ziggurat, int layer, ulong u) => new(0, ziggurat.Width(layer), new(u, Spare));

    static bool IsBelow(Ziggurat ziggurat, int layer, ulong u, ulong v) =>
        ziggurat.IsBelow(new(v, Spare), layer, 0, Point(ziggurat, layer, u));

    static bool Resolve(Ziggurat ziggurat, int layer, ulong u, ulong v)
    {
        using SecretBits bits = RepeatableBits.Starting(v);
        return ziggurat.Resolve(layer, u, bits, out _);
    }

    [Theory]
    [MemberData(nameof(BothLaws))]
    public void Points_are_taken_as_exact_arithmetic_takes_them(bool normal)
    {
        Ziggurat ziggurat = Of(normal);
        var random = new PublicRandom(41);
        int resolved = 0;
        while (resolved < 1000)
        {
            int layer = random.NextBelow(Ziggurat.Layers);
            ulong u = random.NextBits(), v = random.NextBits();
            if (ziggurat.IsInside(layer, u) || (layer == 0 && u >= 3UL << 62)) continue;
            Assert.Equal(IsBelow(ziggurat, layer, u, v), Resolve(ziggurat, layer, u, v));
            resolved++;
        }
    }

    [Theory]
    [MemberData(nameof(BothLaws))]
    public void The_inner_part_lies_below_the_graph_up_to_its_edge_and_little_is_left_out(bool normal)
    {
        Ziggurat ziggurat = Of(normal);
        for (int layer = 0; layer < Ziggurat.Layers; layer++)
        {
            ulong edge = 0;
            for (int bit = 63; bit >= 0; bit--)
                if (ziggurat.IsInside(layer, edge | ((1UL << bit) - 1))) edge |= 1UL << bit;
            if (edge == 0)
            {
                Assert.Equal(Ziggurat.Layers - 1, layer);
                continue;
            }
            // The highest y of the layer at the last u that is inside, and at 2^-28 further out.
            Assert.True(IsBelow(ziggurat, layer, edge - 1, ulong.MaxValue));
            Assert.False(IsBelow(ziggurat, layer, edge + (1UL << 36), ulong.MaxValue));
        }
    }

    [Theory]
    [MemberData(nameof(BothLaws))]
    public void No_part_of_the_graph_is_left_uncovered(bool normal)
    {
        Ziggurat ziggurat = Of(normal);
        for (int layer = 1; layer < Ziggurat.Layers; layer++)
        {
            // At the right edge of a layer not even its lowest y is below the graph; a little inside it is.
            Assert.False(IsBelow(ziggurat, layer, ulong.MaxValue, 0));
            Assert.True(IsBelow(ziggurat, layer, ulong.MaxValue - (1UL << 36), 0));
        }
        Assert.True(IsBelow(ziggurat, Ziggurat.Layers - 1, 0, 1UL << 63));
        Assert.False(IsBelow(ziggurat, Ziggurat.Layers - 1, 0, ulong.MaxValue));
    }

    [Theory]
    [MemberData(nameof(BothLaws))]
    public void Points_next_to_the_graph_are_decided_exactly(bool normal)
    {
        Ziggurat ziggurat = Of(normal);
        var random = new PublicRandom(42);
        int near = 0;
        while (near < 12)
        {
            int layer = random.NextBelow(Ziggurat.Layers);
            ulong u = random.NextBits();
            if (ziggurat.IsInside(layer, u) || (layer == 0 && u >= 3UL << 62)) continue;
            ulong last = 0;
            for (int bit = 63; bit >= 0; bit--)
                if (IsBelow(ziggurat, layer, u, last | (1UL << bit))) last |= 1UL << bit;
            // Nearer than 2^12 the digits of x that are not drawn yet decide. The fp64 comparison is blind up to 2^38
            // or so; a margin or sign that is wrong would show from about 2^20 on.
            foreach (int power in new[] { 12, 16, 20, 24, 28, 32, 36, 40, 44 })
            {
                Assert.True(Resolve(ziggurat, layer, u, last - (1UL << power)), $"{layer} {u} {power}");
                Assert.False(Resolve(ziggurat, layer, u, last + (1UL << power)), $"{layer} {u} {power}");
            }
            near++;
        }
    }

    /// <summary>Noise that ended somewhere would be no (epsilon, 0) noise; no number of samples shows that.</summary>
    [Theory]
    [MemberData(nameof(BothLaws))]
    public void The_tail_goes_as_many_columns_out_as_its_bits_say(bool normal)
    {
        Ziggurat ziggurat = Of(normal);
        BigInteger step = (BigInteger)(ziggurat.Width(0) / 8) << 32;
        foreach ((int column, ulong[] words) in new (int, ulong[])[] { (0, [1]), (1, [6]), (5, [32]), (40, [1UL << 40]), (67, [0, 8]) })
        {
            using SecretBits bits = RepeatableBits.Starting(words);
            ziggurat.Resolve(0, ulong.MaxValue, bits, out LazyPoint? point);
            Enclosure x = point!.At(64);
            Assert.InRange(x.Low, (6 + column) * step, (7 + column) * step);
            Assert.InRange(x.High, (6 + column) * step, (7 + column) * step);
        }
    }

    [Fact]
    public void Mechanisms_draw_with_the_law_the_scale_and_the_rounding_that_they_state()
    {
        foreach (long scaled in new[] { 1, 700, 1 << 10, 2765, 1L << 40, 1L << 62 })
            DrawAlike(new(Ziggurat.Normal, new(scaled, 1024), toNearest: true), new RoundedNormal(scaled).Sampler);
        foreach (Rational scale in new Rational[] { new(1, 3), new(5, 2), new(1L << 52, 1) })
            DrawAlike(new(Ziggurat.Exponential, scale, toNearest: false), new DiscreteLaplace(scale).Sampler);
    }

    static void DrawAlike(NoiseSampler expected, NoiseSampler actual)
    {
        long[] wanted = new long[20_000], drawn = new long[20_000];
        expected.AddTo(wanted, RepeatableBits.Of(9));
        actual.AddTo(drawn, RepeatableBits.Of(9));
        Assert.Equal(wanted, drawn);
    }

    [Theory]
    [InlineData(true, "1"), InlineData(false, "1"), InlineData(true, "1000000"), InlineData(false, "333333")]
    [InlineData(true, "1125899906842624"), InlineData(false, "4503599627370496")]
    public void Rounding_agrees_with_exact_arithmetic_and_says_when_it_cannot_tell(bool normal, string numerator)
    {
        // Sevenths are no dyadic fractions: the products of the table are rounded.
        foreach (int denominator in new[] { 1, 7 })
            CheckRounding(Of(normal), new(BigInteger.Parse(numerator, null), denominator), normal);
    }

    static void CheckRounding(Ziggurat ziggurat, Rational scale, bool toNearest)
    {
        var sampler = new NoiseSampler(ziggurat, scale, toNearest);
        var random = new PublicRandom(43);
        int undecided = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            int layer = random.NextBelow(Ziggurat.Layers);
            ulong u = random.NextBits();
            if (trial % 2 == 1)
                u = NextToAnEdge(ziggurat.Width(layer), scale, u, toNearest) + (ulong)(trial % 8 / 2) - 1;
            LazyPoint point = Point(ziggurat, layer, u);
            long exact = point.Round(scale, toNearest);
            Assert.Equal(exact, point.Round(scale, toNearest));
            if (sampler.TryRound(layer, u, out long magnitude)) Assert.Equal(exact, magnitude);
            else undecided++;
        }
        Assert.InRange(undecided, 1, 1900);
    }

    /// <summary>
    /// The leading digits whose interval holds an edge between two integers, nearest below a given u.
    /// </summary>
    static ulong NextToAnEdge(ulong width, Rational scale, ulong u, bool toNearest)
    {
        // s width u 2^-96 = k (or k + 1/2) for the integer k found by rounding down.
        BigInteger denominator = scale.Denominator << 96, product = scale.Numerator * width;
        BigInteger k = product * u / denominator;
        BigInteger twice = (2 * k) + (toNearest ? 1 : 0);
        return (ulong)BigInteger.Min(twice * denominator / (2 * product), ulong.MaxValue - 4);
    }

    [Fact]
    public void Same_bits_give_the_same_noise_and_other_bits_other_noise()
    {
        NoiseSampler sampler = new RoundedNormal(1 << 20).Sampler;
        long[] first = new long[1000], again = new long[1000], other = new long[1000];
        sampler.AddTo(first, RepeatableBits.Of(1));
        sampler.AddTo(again, RepeatableBits.Of(1));
        sampler.AddTo(other, RepeatableBits.Of(2));
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void Noise_is_added_to_what_the_cells_hold_and_saturates()
    {
        NoiseSampler sampler = new RoundedNormal(1L << 62).Sampler;
        long[] noise = new long[2000], cells = new long[2000];
        ReadOnlySpan<long> held = [long.MaxValue, long.MinValue, 5, -9];
        for (int i = 0; i < cells.Length; i++) cells[i] = held[i % 4];
        long[] before = [.. cells];
        sampler.AddTo(noise, RepeatableBits.Of(3));
        sampler.AddTo(cells, RepeatableBits.Of(3));
        int saturated = 0;
        for (int i = 0; i < cells.Length; i++)
        {
            BigInteger sum = (BigInteger)before[i] + noise[i];
            Assert.Equal(BigInteger.Clamp(sum, long.MinValue, long.MaxValue), cells[i]);
            if (sum != cells[i]) saturated++;
        }
        Assert.InRange(saturated, 300, 700);
    }

    [Theory]
    [InlineData(1), InlineData(16_384), InlineData(16_385), InlineData(100_001)]
    public void Every_cell_gets_its_own_noise_on_all_cores(int length)
    {
        foreach (INoise noise in new INoise[] { new RoundedNormal(1L << 50), new DiscreteLaplace(new(1L << 40, 3)) })
        {
            var cells = new long[length + 2];
            noise.AddTo(cells.AsSpan(1, length));
            Assert.Equal((0, 0), (cells[0], cells[^1]));
            // At these scales two equal cells among 100,001, or an odd variance, are events of probability 1e-2 at most
            // together with 3 repeats allowed; a chunk left out or drawn twice would repeat thousands.
            Assert.InRange(cells[1..^1].Distinct().Count(), length - 3, length);
            double variance = cells[1..^1].Average(x => (double)x * x);
            if (length > 1000) Assert.InRange(variance / noise.Variance, 0.8, 1.2);
        }
    }
}
