using System.Text.Json;
using PrivateKernels.Cli;

namespace PrivateKernels.Tests;

public sealed class CliAuditTests
{
    [Fact]
    public async Task An_installation_passes_its_own_audit()
    {
        var output = new StringWriter();
        CancellationToken now = TestContext.Current.CancellationToken;
        Assert.Equal(0, await CommandLine.RunAsync(["audit", "--json"], output, TextWriter.Null, now));
        using var document = JsonDocument.Parse(output.ToString());
        Assert.True(document.RootElement.GetProperty("passed").GetBoolean());
        Assert.All(
            document.RootElement.GetProperty("checks").EnumerateArray(),
            static check => Assert.True(check.GetProperty("passed").GetBoolean(), check.ToString()));
    }

    [Fact]
    public void A_failed_audit_exits_with_1_and_says_which_promise_is_broken()
    {
        var failure = Cli.Failure.From(new AuditFailedException(new("noise", "promise", false, "blocks share noise", 1)));
        Assert.Equal((1, "AUDIT_FAILED"), (failure.ExitCode, failure.Reason));
        Assert.StartsWith("noise: blocks share noise.", failure.Message, StringComparison.Ordinal);
    }
}
