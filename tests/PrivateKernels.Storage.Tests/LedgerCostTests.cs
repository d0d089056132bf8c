using System.Text.RegularExpressions;

namespace PrivateKernels.Tests;

public sealed partial class LedgerCostTests
{
    [Fact]
    public async Task No_step_of_a_spend_looks_through_a_whole_table()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open()) await Scratch.Create(directory, "people", Scratch.Gaussian);
        using DataDirectory again = scratch.Open();
        string[] before = await Statements(again);
        Measurement measurement = Scratch.Measurement(0.1);
        Build build = (await again.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        await Scratch.Finish(again, build, measurement);
        build = (await again.Ledger.ReserveAsync(Scratch.Request("people", "s", measurement))).Build!;
        await again.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
        string[] used = [.. (await Statements(again)).Except(before).Where(static s => !s.StartsWith("EXPLAIN", StringComparison.Ordinal))];
        Assert.InRange(used.Length, 15, 40);
        string[] scans = await again.Writer.SubmitAsync("plans", t => used
            .SelectMany(sql => t.Database
                .Query(
                    $"EXPLAIN QUERY PLAN {sql}", static r => r.GetString(3),
                    new object?[Parameter().Matches(sql).Select(static m => m.Value).Distinct().Count()])
                .Where(static plan => plan.StartsWith("SCAN", StringComparison.Ordinal)).Select(plan => $"{plan}: {sql}"))
            .ToArray());
        Assert.Empty(scans);
    }

    static Task<string[]> Statements(DataDirectory directory) => directory.Writer.SubmitAsync(
        "statements", static t => t.Database.Statements.Where(static s => s.Contains(' ', StringComparison.Ordinal)
            && !s.StartsWith("BEGIN", StringComparison.Ordinal) && !s.StartsWith("ROLLBACK", StringComparison.Ordinal)
            && !s.StartsWith("RELEASE", StringComparison.Ordinal) && !s.StartsWith("SAVEPOINT", StringComparison.Ordinal)).ToArray());

    [GeneratedRegex(@"\$\d+")]
    private static partial Regex Parameter();
}
