using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class UnitsTests
{
    static readonly JsonElement Ledger = GoldenFile.Read("ledger.json");

    [Fact]
    public void Units_of_a_loss_are_the_golden_integers()
    {
        foreach (JsonElement row in Ledger.Rows("gaussian"))
            Assert.Equal(row.Integer("units"), Units.OfLoss(new(row.Number("eps"), row.Number("delta"))));
        foreach (JsonElement row in Ledger.Rows("budgets"))
            Assert.Equal(row.Integer("limit_units"), Units.OfLoss(new(row.Number("eps"), row.Number("delta"))));
        foreach (JsonElement row in Ledger.Rows("compositions"))
            Assert.Equal(
                row.Rows("units_each").Select(u => long.Parse(u.GetString()!, CultureInfo.InvariantCulture)),
                row.Rows("asked").Select(pair => Units.OfLoss(new(pair[0].GetDouble(), pair[1].GetDouble()))));
    }

    [Fact]
    public void Units_of_every_golden_noise_ratio_are_exact()
    {
        foreach (JsonElement row in GoldenFile.Read("gaussian_sigma.json").Rows("rows"))
        {
            // sigma to 20 digits settles 2^40 / sigma^2 to all but the last half unit of its last digit.
            string digits = row.GetProperty("digits20").GetString()!;
            int places = digits.Length - digits.IndexOf('.', StringComparison.Ordinal) - 1;
            string without = digits.Replace(".", "", StringComparison.Ordinal);
            var sigma = BigInteger.Parse(without, CultureInfo.InvariantCulture);
            BigInteger square = BigInteger.Pow(10, 2 * places) << 40;
            BigInteger low = square / BigInteger.Pow(sigma + 1, 2), high = square / BigInteger.Pow(sigma - 1, 2);
            BigInteger units = Units.OfLoss(new(row.Number("eps"), row.Number("delta")));
            Assert.InRange(units, low, high);
        }
    }

    [Fact]
    public void Pure_units_and_their_price_in_a_gaussian_account_are_the_golden_integers()
    {
        foreach (JsonElement row in Ledger.Rows("pure"))
        {
            string asked = row.GetProperty("eps").GetString()!;
            if (!asked.Contains('/', StringComparison.Ordinal))
                Assert.Equal(row.Integer("units"), Units.OfEpsilon(double.Parse(asked, CultureInfo.InvariantCulture)));
            Assert.Equal(row.Integer("units_in_gaussian_account"), Units.OfPureInGaussian(row.Integer("units")));
        }
        foreach (JsonElement row in GoldenFile.Read("pure_to_mu.json").Rows("rows"))
        {
            // The row prices eps itself; its floor in units can only cost less, by what one unit of eps is worth.
            long price = Units.OfPureInGaussian(Units.OfEpsilon(row.Number("eps")));
            Assert.InRange(price, row.Integer("mu_squared_units") - 10, row.Integer("mu_squared_units"));
        }
    }

    [Fact]
    public void Ten_spends_of_a_tenth_fit_a_budget_of_one_and_six_units_remain()
    {
        JsonElement row = Ledger.GetProperty("ten_of_0.1_fit_1");
        long each = Units.OfEpsilon(0.1), limit = Units.OfLoss(new(1, 0));
        Assert.Equal(row.Integer("units_each"), each);
        Assert.Equal(row.Integer("limit_units"), limit);
        long spent = 0, fitted = 0;
        for (; each <= limit - spent; fitted++) spent += each;
        Assert.Equal(10, fitted);
        Assert.Equal(row.Integer("units_total"), spent);
        Assert.Equal(6, limit - spent);
    }

    [Fact]
    public void Doubles_stand_for_their_shortest_decimal()
    {
        // 0.1 as a double is above one tenth, 0.7 below seven tenths; the units know neither.
        foreach (int tenths in Enumerable.Range(1, 2000))
            Assert.Equal(
                (long)((BigInteger)tenths * (1L << 40) / 10),
                Units.OfEpsilon(double.Parse($"{tenths}e-1", CultureInfo.InvariantCulture)));
        Assert.Equal((long)((BigInteger.One << 40) / 9), Units.OfMu(0.3333333333333333));
        Assert.Equal(4L << 40, Units.OfMu(2));
        Assert.Equal(new Rational(5, BigInteger.Pow(10, 324)), Rational.OfDecimal(double.Epsilon));
        Assert.Equal(new Rational(12 * BigInteger.Pow(10, 20), 1), Rational.OfDecimal(1.2e21));
        Assert.Equal(new Rational(-25, 10), Rational.OfDecimal(-2.5));
    }

    [Fact]
    public void Spends_whose_decimals_sum_to_the_limit_always_fit()
    {
        ulong state = 12345;
        for (int sequence = 0; sequence < 10_000; sequence++)
        {
            var asked = new List<long>();
            int count = 1 + (int)(Next(ref state) % 20);
            for (int i = 0; i < count; i++) asked.Add(1 + (long)(Next(ref state) % 1_000_000));
            double limit = double.Parse($"{asked.Sum()}e-6", CultureInfo.InvariantCulture);
            long spent = 0;
            BigInteger exact = 0;
            foreach (long millionths in asked)
            {
                long units = Units.OfEpsilon(double.Parse($"{millionths}e-6", CultureInfo.InvariantCulture));
                Assert.Equal(((BigInteger)millionths << 40) / 1_000_000, units);
                spent += units;
                exact += (BigInteger)millionths << 40;
            }
            Assert.True(spent <= Units.OfEpsilon(limit));
            Assert.True((BigInteger)spent * 1_000_000 <= exact && exact < ((BigInteger)spent + count) * 1_000_000);
        }
    }

    [Fact]
    public void The_units_of_a_loss_are_the_largest_that_the_curve_covers()
    {
        foreach ((double epsilon, double delta) in new[]
            { (1e-5, 1e-3), (0.01, 1e-300), (1, 0.999999999999), (300, 1e-5), (1e4, 0.25), (0.5, 0.19) })
        {
            BigInteger units = Units.OfLoss(new(epsilon, delta));
            Rational e = Rational.OfDecimal(epsilon), d = Rational.OfDecimal(delta);
            Assert.True(GaussianCurve.Covers(units, e, d));
            Assert.False(GaussianCurve.Covers(units + 1, e, d));
        }
    }

    [Fact]
    public void The_price_of_a_pure_release_is_the_least_that_covers_it()
    {
        foreach (long units in new[] { 1L, 1000, 1L << 40, 50L << 40, 3000L << 40, 500_000L << 40 })
        {
            BigInteger price = Units.OfPureInGaussian(units);
            var epsilon = new Rational(units, BigInteger.One << 40);
            Assert.True(GaussianCurve.CoversPure(price, epsilon));
            Assert.False(GaussianCurve.CoversPure(price - 1, epsilon));
        }
    }

    [Fact]
    public void No_delta_covers_a_mu_that_hides_nothing()
    {
        // mu = 2048: delta is 1 to hundreds of thousands of digits, far beyond what the curve is computed for.
        Assert.False(GaussianCurve.Covers(1L << 62, Rational.OfDecimal(1), Rational.OfDecimal(1 - 1e-15)));
        Assert.True(GaussianCurve.Covers(1, Rational.OfDecimal(1), Rational.OfDecimal(1e-300)));
    }

    [Fact]
    public void What_is_below_a_unit_or_above_int64_is_refused()
    {
        Assert.Throws<InvalidFieldException>(() => Units.OfEpsilon(9e-13));
        Assert.Throws<InvalidFieldException>(() => Units.OfEpsilon(8388608.1));
        Assert.Throws<InvalidFieldException>(() => Units.OfEpsilon(double.NaN));
        Assert.Throws<InvalidFieldException>(() => Units.OfEpsilon(-1));
        Assert.Throws<InvalidFieldException>(() => Units.OfMu(9e-7));
        Assert.Throws<InvalidFieldException>(() => Units.OfMu(2897));
        Assert.Throws<InvalidFieldException>(() => Units.OfMu(double.PositiveInfinity));
        Assert.Throws<InvalidFieldException>(() => Units.OfLoss(new(1e-9, 1e-15)));
        Assert.Throws<InvalidFieldException>(() => Units.OfLoss(new(1e8, 1e-5)));
        Assert.Throws<InvalidFieldException>(() => Units.OfPureInGaussian(0));
        Assert.Throws<InvalidFieldException>(() => Units.OfPureInGaussian(long.MaxValue));
        Assert.Equal(1, Units.OfEpsilon(9.1e-13));
        Assert.True(Units.OfMu(2896) > 0);
    }

    static ulong Next(ref ulong state) => (state = (state * 6364136223846793005) + 1442695040888963407) >> 33;
}
