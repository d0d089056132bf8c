using System.Globalization;
using System.Numerics;

namespace PrivateKernels.Tests;

public sealed class EnclosureTests
{
    static readonly Func<Enclosure, Enclosure>[] Functions =
    [
        Enclosure.Exp, v => v * v, v => v / Enclosure.Of(3, v.Bits), v => v * (v - Enclosure.Of(7, v.Bits)),
        v => NormalTail.Mills(v * v), v => Enclosure.Of(1, v.Bits) / Positive(v), v => (v - Enclosure.Of(7, v.Bits)) / Positive(v),
    ];

    static Enclosure Positive(Enclosure v) => v * v + Enclosure.Of(1, v.Bits);

    /// <summary>Digits from published tables, cut after the last: the number lies within one unit above.</summary>
    static void Holds(string decimals, Enclosure enclosure)
    {
        string digits = decimals.Replace(".", "", StringComparison.Ordinal);
        int places = decimals.Length - decimals.IndexOf('.', StringComparison.Ordinal) - 1;
        var cut = BigInteger.Parse(digits, CultureInfo.InvariantCulture);
        BigInteger ten = BigInteger.Pow(10, places);
        Assert.True(enclosure.Low * ten <= (cut + 1) << enclosure.Bits, "its lower end is too high");
        Assert.True(enclosure.High * ten >= cut << enclosure.Bits, "its upper end is too low");
        // And it is narrow: all but a dozen of its bits are right.
        Assert.True(enclosure.High - enclosure.Low < enclosure.High >> (enclosure.Bits - 12));
    }

    [Fact]
    public void Constants_lie_within_narrow_enclosures()
    {
        const int bits = 160;
        Holds("3.14159265358979323846264338327950288419716939937510", Enclosure.Pi(bits));
        Holds("2.71828182845904523536028747135266249775724709369995", Enclosure.Exp(Enclosure.Of(1, bits)));
        Holds("22026.46579480671651695790064528424436635351261855678107423", Enclosure.Exp(Enclosure.Of(10, bits)));
        Holds("1.41421356237309504880168872420969807856967187537694", Enclosure.Sqrt(Enclosure.Of(2, bits)));
        Holds("2.50662827463100050241576528481104525300698674060993", NormalTail.RootTwoPi(bits));
        Enclosure inverse = Enclosure.Of(1, bits) / Enclosure.Exp(Enclosure.Of(1, bits));
        Assert.Null(Enclosure.IsBelow(inverse, Enclosure.Exp(Enclosure.Of(-1, bits))));
    }

    [Fact]
    public void Enclosures_at_two_precisions_always_meet_and_the_finer_is_narrower()
    {
        var random = new PublicRandom(51);
        for (int trial = 0; trial < 200; trial++)
        {
            var x = new Rational(random.NextBelow(1 << 30) - (1 << 28), 1 << 24);
            foreach (Func<Enclosure, Enclosure> f in Functions)
            {
                Enclosure coarse = f(Enclosure.Of(x, 100)), fine = f(Enclosure.Of(x, 300));
                Assert.True(coarse.Low <= coarse.High && fine.Low <= fine.High);
                Assert.True(fine.High >= coarse.Low << 200 && fine.Low <= coarse.High << 200);
                BigInteger width = BigInteger.Max((coarse.High - coarse.Low) << 100, BigInteger.One << 110);
                Assert.True(fine.High - fine.Low < width);
            }
        }
    }

    /// <summary>Of wide operands: rounding hides at which of their ends a bound was taken.</summary>
    [Fact]
    public void Products_and_quotients_reach_from_the_least_to_the_largest_of_their_operands()
    {
        Enclosure one = Of(1, 2), minus = Of(-2, -1), two = Of(2, 4), around = Of(-1, 3);
        Assert.Equal((new Rational(1, 4), new Rational(1, 1)), Ends(one / two));
        Assert.Equal((new Rational(-1, 1), new Rational(-1, 4)), Ends(minus / two));
        Assert.Equal((new Rational(-1, 2), new Rational(3, 2)), Ends(around / two));
        Assert.Equal((new Rational(-8, 1), new Rational(-2, 1)), Ends(minus * two));
        Assert.Equal((new Rational(-6, 1), new Rational(2, 1)), Ends(minus * around));

        static Enclosure Of(int low, int high) => new((BigInteger)low << 8, (BigInteger)high << 8, 8);

        static (Rational, Rational) Ends(Enclosure x) => (Reduced(x.Low), Reduced(x.High));

        static Rational Reduced(BigInteger units)
        {
            BigInteger common = BigInteger.GreatestCommonDivisor(units, 256);
            return new(units / common, 256 / common);
        }
    }

    [Fact]
    public void The_mills_ratio_is_one_function_on_both_sides_of_the_change_of_method()
    {
        // R falls, by less than 2^-20 over a step of 2^-20; the series serves below 4, the continued fraction above.
        const int bits = 200;
        BigInteger four = BigInteger.One << (bits + 2), step = BigInteger.One << (bits - 20);
        Enclosure below = NormalTail.Mills(new(four - 1, four - 1, bits));
        Enclosure above = NormalTail.Mills(new(four, four, bits));
        Enclosure further = NormalTail.Mills(new(four + step, four + step, bits));
        Assert.Null(Enclosure.IsBelow(below, above));
        Assert.True(below.High - below.Low < BigInteger.One << 40);
        Assert.True(above.High - above.Low < BigInteger.One << 40);
        Assert.True(Enclosure.IsBelow(further, above));
        double three = GaussianDp.Tail(3) * Math.Sqrt(2 * Math.PI) * Math.Exp(4.5);
        GoldenFile.Close(three, Value(NormalTail.Mills(Enclosure.Of(3, 90))), 1e-14, "R(3)");
    }

    static double Value(Enclosure x) => Math.ScaleB((double)x.Low, -x.Bits);
}
