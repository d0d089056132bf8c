using System.Globalization;
using System.Numerics;

namespace PrivateKernels.Tests;

public sealed class ArithmeticTests
{
    static readonly int Sequences = Scale.Of(10_000, 1_000_000);

    /// <summary>
    /// Random limits and spends of a few decimals, holds, posts and returns, against integers without bounds: refused
    /// exactly when the units exceed the limit, and never while the decimals that were asked for fit.
    /// </summary>
    [Fact]
    public async Task Budgets_are_kept_to_the_unit_over_random_sequences()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        int refused = await directory.Writer.SubmitAsync("sequences", t =>
        {
            var random = new PublicRandom(Scale.Seed(20_261_124));
            int count = 0;
            for (int i = 0; i < Sequences; i++) count += RunSequence(t, random, i);
            return count;
        }, dryRun: true);
        Assert.InRange(refused, Sequences / 10, 9 * Sequences);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0.1, 0)]
    [InlineData(2.7, 0)]
    [InlineData(1, 1e-5)]
    [InlineData(0.3, 1e-9)]
    [InlineData(8, 1e-6)]
    public async Task A_release_that_asks_for_the_whole_budget_fits_and_leaves_not_a_unit(double epsilon, double delta)
    {
        var loss = new PrivacyLoss(epsilon, delta);
        CostUnit unit = delta == 0 ? CostUnit.Epsilon : CostUnit.MuSquared;
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", new(unit, Units.OfLoss(loss), delta));
        Measurement measurement = Planner.Plan(
            new ReleaseRequest
            {
                Function = "l2_squared",
                Loss = loss,
                Mechanism = delta == 0 ? MechanismKind.DiscreteLaplace : MechanismKind.RoundedNormal,
            },
            new(Scratch.Definition.Domain, Scratch.Definition.Adjacency, 1, 1 << 20, [], unit), new()).Measurement;
        ReserveRequest request = Scratch.Request("people", "whole", measurement) with { Cost = measurement.Cost(unit) };
        await Scratch.Finish(directory, (await directory.Ledger.ReserveAsync(request)).Build!, measurement);
        Assert.Equal(0, directory.Datasets.GetBudget("people")!.RemainingUnits);
        ReserveRequest one = Scratch.Request("people", "one", measurement) with { Cost = new(unit, 1) };
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(one));
    }

    static int RunSequence(Transaction t, PublicRandom random, int index)
    {
        int places = 1 + random.NextBelow(4);
        bool isPure = random.NextBelow(2) == 0;
        BigInteger limitAsked = 1 + random.NextBelow(3000), asked = 0, spent = 0, held = 0;
        long limit = UnitsOf(limitAsked, places, isPure);
        if (limit == 0) return 0;
        Account account = AccountTable.Open(
            t, $"p{index}", new(isPure ? CostUnit.Epsilon : CostUnit.MuSquared, limit, isPure ? 0 : 1e-6), Adjacency.AddOrRemoveOne);
        int refused = 0;
        var holds = new List<long>();
        for (int step = 0; step < 6; step++)
        {
            BigInteger ask = 1 + random.NextBelow((int)limitAsked);
            long units = UnitsOf(ask, places, isPure);
            bool fits = spent + held + units <= limit;
            // mu^2 adds up, epsilon adds up: in squares, or as they are.
            BigInteger decimals = asked + (isPure ? ask : ask * ask);
            if (decimals <= (isPure ? limitAsked : limitAsked * limitAsked)) Assert.True(fits);
            if (units == 0) continue;
            bool admitted = TryHold(t, account, units);
            Assert.Equal(fits, admitted);
            if (admitted)
            {
                (held, asked) = (held + units, decimals);
                holds.Add(units);
            }
            else refused++;
            if (holds.Count > 0 && random.NextBelow(2) == 0) Resolve(t, account.Id, holds, random, ref spent, ref held);
            account = AccountTable.Get(t.Database, account.Id);
            Assert.Equal((spent, held), (account.Row.SpentUnits, account.Row.ReservedUnits));
        }
        return refused;
    }

    static void Resolve(Transaction t, long account, List<long> holds, PublicRandom random, ref BigInteger spent, ref BigInteger held)
    {
        long units = holds[^1];
        holds.RemoveAt(holds.Count - 1);
        held -= units;
        if (random.NextBelow(3) == 0)
        {
            AccountTable.Return(t, account, units);
            return;
        }
        spent += units;
        AccountTable.Spend(t, account, units);
    }

    static bool TryHold(Transaction t, Account account, long units)
    {
        try
        {
            AccountTable.Hold(t, account, units);
            return true;
        }
        catch (StorageException e) when (e.Reason == Reasons.BudgetExhausted)
        {
            return false;
        }
    }

    /// <summary>Units of a decimal; 0 where it buys none.</summary>
    static long UnitsOf(BigInteger digits, int places, bool isPure)
    {
        double value = double.Parse($"{digits}e-{places}", CultureInfo.InvariantCulture);
        BigInteger scale = BigInteger.Pow(10, places), one = BigInteger.One << 40;
        BigInteger exact = isPure ? one * digits / scale : one * digits * digits / (scale * scale);
        if (exact == 0) return 0;
        long units = isPure ? Units.OfEpsilon(value) : Units.OfMu(value);
        Assert.Equal(exact, units);
        return units;
    }
}
