namespace PrivateKernels.Tests;

/// <summary>
/// Broken variants of the protocol, each in one step. What checks the ledger must notice each of them by name, and nothing where
/// no step is broken: a check that never fails would prove nothing.
/// </summary>
public sealed class MutantTests
{
    const ulong Seed = 20260115;

    public static TheoryData<string> Mutants => [.. MutantHost.Noticed.Keys];

    [Theory]
    [MemberData(nameof(Mutants))]
    public async Task A_broken_step_is_noticed_for_what_it_is(string mutant)
    {
        ulong seed = Scale.Seed(Seed);
        for (int i = 0; i < Scale.Of(1, 10); i++)
        {
            List<string> violations = await new MutantHost(mutant, seed + (ulong)i).RunAsync();
            if (mutant == "none") Assert.Empty(violations);
            else Assert.Contains(MutantHost.Noticed[mutant], violations);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_fsync_that_is_left_out_is_noticed(bool isMutant)
    {
        DiskErrorTests.RequireTracer();
        using var scratch = new Scratch();
        string[] tracer = ["-e", "trace=fsync,write", .. isMutant ? (string[])["--inject", "fsync:retval=0"] : []];
        Assert.Equal(0, (await CrashTests.Run(scratch, "none", "kill", tracer: tracer)).ExitCode);
        (int acknowledged, int early, bool isSynced) = (0, 0, false);
        foreach (string line in File.ReadAllLines(scratch.Trace))
        {
            // A call that another thread interrupts has two lines; only the second says how it ended.
            bool isReal = line.Contains(" = 0", StringComparison.Ordinal) && !line.Contains("INJECTED", StringComparison.Ordinal);
            if (isReal && line.Contains("fsync", StringComparison.Ordinal)) isSynced = true;
            if (!line.Contains("\"ack ", StringComparison.Ordinal)) continue;
            acknowledged++;
            if (!isSynced) early++;
            isSynced = false;
        }
        Assert.InRange(acknowledged, 6, 20);
        Assert.Equal(isMutant ? acknowledged : 0, early);
    }
}
