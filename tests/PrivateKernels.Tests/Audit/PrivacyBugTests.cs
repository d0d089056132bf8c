namespace PrivateKernels.Tests;

public sealed class PrivacyBugTests : IDisposable
{
    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    public static TheoryData<string> Names => [.. PrivacyBug.All.Select(static bug => bug.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_seeded_bug_is_caught_by_name(string name)
    {
        PrivacyBug bug = PrivacyBug.All.Single(b => b.Name == name);
        AuditedProduct broken = bug.Break(new AuditedProduct(_engine));
        foreach (string check in bug.CaughtBy)
        {
            AuditEffort effort = AuditEffort.Quick with { Function = bug.Function };
            AuditResult result = PrivacyAudit.Named(check).Run(broken, effort);
            Assert.False(result.Passed, $"{check} does not see it: {result.Detail}");
        }
    }

    [Fact]
    public void Every_check_catches_a_bug_of_its_own()
    {
        Assert.True(PrivacyBug.All.Count >= 25, $"only {PrivacyBug.All.Count} bugs are seeded");
        IEnumerable<string> checks = PrivacyAudit.Checks.Select(static check => check.Name);
        Assert.Empty(checks.Except(PrivacyBug.All.SelectMany(static bug => bug.CaughtBy)));
    }
}
