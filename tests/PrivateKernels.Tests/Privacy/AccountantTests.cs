using System.Text.Json;

namespace PrivateKernels.Tests;

public sealed class AccountantTests
{
    static readonly JsonElement Ledger = GoldenFile.Read("ledger.json");

    [Fact]
    public void Compositions_read_as_the_golden_epsilons_and_never_below()
    {
        foreach (JsonElement row in Ledger.Rows("compositions"))
        {
            long units = row.Integer("units_total");
            NotBelow(row.Number("eps_at_1e-6"), Accountant.EpsilonAtMost(units, 1e-6));
            NotBelow(row.Number("eps_at_1e-6_for_groups_of_3"), Accountant.EpsilonAtMost(units, 1e-6, 3));
        }
    }

    [Fact]
    public void An_epsilon_that_is_shown_is_proven()
    {
        foreach (long units in new[] { 1L, 12345, 1L << 30, 1L << 40, 1L << 50, long.MaxValue })
            foreach (double delta in new[] { 1e-300, 1e-15, 1e-6, 0.4 })
            {
                double epsilon = Accountant.EpsilonAtMost(units, delta);
                Rational exact = Rational.OfDecimal(epsilon), limit = Rational.OfDecimal(delta);
                Assert.True(GaussianCurve.Covers(units, exact, limit));
                // Not far above either: a little less is proven too small.
                if (epsilon > 1e-9)
                    Assert.False(GaussianCurve.Covers(units, Rational.OfDecimal(epsilon * (1 - 1e-11)), limit));
            }
    }

    [Fact]
    public void A_budget_that_is_spent_whole_reads_as_no_more_than_the_budget()
    {
        foreach (JsonElement row in Ledger.Rows("budgets"))
        {
            double epsilon = Accountant.EpsilonAtMost(row.Integer("limit_units"), row.Number("delta"));
            Assert.InRange(epsilon, row.Number("eps") * (1 - 1e-6), row.Number("eps"));
        }
    }

    [Fact]
    public void Groups_multiply_mu_and_pure_epsilon()
    {
        long units = Units.OfLoss(new(0.1, 1e-6));
        Assert.Equal(Accountant.EpsilonAtMost(units * 49, 1e-6), Accountant.EpsilonAtMost(units, 1e-6, 7));
        Assert.Equal(0.7, Accountant.PureEpsilonAtMost(Units.OfEpsilon(0.1), 7), 1e-11);
        Assert.True(Accountant.PureEpsilonAtMost(Units.OfEpsilon(0.1), 7) <= 0.7);
    }

    [Fact]
    public void Nothing_spent_reads_as_zero()
    {
        Assert.Equal(0, Accountant.EpsilonAtMost(0, 1e-6));
        Assert.Equal(0, Accountant.PureEpsilonAtMost(0));
        Assert.Throws<InvalidFieldException>(() => Accountant.EpsilonAtMost(1, 0));
    }

    static void NotBelow(double expected, double actual)
    {
        GoldenFile.Close(expected, actual, 1e-12, "epsilon");
        Assert.True(actual >= Math.BitDecrement(expected));
    }
}
