namespace PrivateKernels.Tests;

public sealed class PrivacyAuditTests(ITestOutputHelper output) : IDisposable
{
    readonly SimdEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    public static TheoryData<string> Checks => [.. PrivacyAudit.Checks.Select(static check => check.Name)];

    public static TheoryData<string> Functions => [.. Catalog.Functions.Select(static entry => entry.Name)];

    [Theory]
    [MemberData(nameof(Checks))]
    public void The_product_passes_every_check_in_full(string name)
    {
        AuditResult result = PrivacyAudit.Named(name).Run(new AuditedProduct(_engine), AuditEffort.Full);
        output.WriteLine($"{result.Seconds:0.0} s: {result.Detail}");
        Assert.True(result.Passed, result.Detail);
    }

    [Fact]
    public void The_plain_reference_engine_has_the_golden_cells()
    {
        var product = new AuditedProduct(new ReferenceEngine());
        AuditResult result = PrivacyAudit.Named("engine").Run(product, AuditEffort.Quick);
        Assert.True(result.Passed, result.Detail);
    }

    /// <summary>A new sketch that the generic requests of the audit do not reach needs a case of its own.</summary>
    [Fact]
    public void Every_sketch_of_the_catalog_is_audited_under_both_adjacencies()
    {
        var product = new AuditedProduct(_engine);
        foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
        {
            // Some sketches take one kind of noise only.
            AuditSetting[] settings = [.. Enum.GetValues<MechanismKind>().Select(kind => new AuditSetting(1, kind, adjacency))];
            IEnumerable<(string, SketchMethod)> reached = AuditCase.Of(AuditEffort.Quick)
                .SelectMany(audited => settings.Select(setting => audited.Plan(product, setting))).OfType<Measurement>()
                .Select(static m => (m.Sketch.Function.Entry.Name, m.Sketch.Method));
            // The paper's structures are for one adjacency.
            Func<SketchMethod, bool> serves = adjacency == Adjacency.AddOrRemoveOne
                ? static _ => true : static m => m is not (SketchMethod.Paper or SketchMethod.PaperPlus);
            Assert.Empty(Catalog.Functions.SelectMany(e => e.Methods.Where(serves).Select(m => (e.Name, m))).Except(reached));
        }
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void A_contribution_twice_as_large_is_caught_for_every_function(string name)
    {
        var broken = new AuditedProduct(new DoublingEngine(_engine));
        AuditResult result = PrivacyAudit.Named("neighbours").Run(broken, AuditEffort.Quick with { Function = name });
        Assert.False(result.Passed, result.Detail);
    }
}
