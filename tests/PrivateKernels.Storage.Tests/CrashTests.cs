using System.Diagnostics;

namespace PrivateKernels.Tests;

/// <summary>A process is stopped by an error at a named point; the next one must come to the same end.</summary>
public sealed class CrashTests
{
    public static TheoryData<string> DurableSteps =>
    [
        "ingest.before_fsync", "finish.before_commit", "reserve.before_commit", "witness.mid_write", "release.before_fsync",
        "release.before_dirsync", "post.before_commit", "post.before_witness", "post.before_rename", "post.before_dirsync",
    ];

    [Theory]
    [MemberData(nameof(DurableSteps))]
    public async Task A_failed_durable_step_ends_the_process_without_a_reply(string failpoint)
    {
        using var scratch = new Scratch();
        Life first = await Run(scratch, failpoint, "fail");
        Assert.Equal(74, first.ExitCode);
        if (failpoint.StartsWith("post.", StringComparison.Ordinal)) Assert.DoesNotContain("posted", first.Lines);
        Life second = await Run(scratch, "none", "fail");
        Assert.Equal(0, second.ExitCode);
        CheckEnd(scratch, first, second);
    }

    [Fact]
    public async Task Of_two_processes_on_one_directory_one_has_it_and_the_other_is_refused()
    {
        for (int pair = 0; pair < Scale.Of(10, 1_000); pair++)
        {
            using var scratch = new Scratch();
            using Process left = Start([], ["crash-host", scratch.Path, "none", "hold"]);
            using Process right = Start([], ["crash-host", scratch.Path, "none", "hold"]);
            // Who has it says so and keeps it until told to end; the other ends at once.
            string?[] said = await Task.WhenAll(left.StandardOutput.ReadLineAsync(), right.StandardOutput.ReadLineAsync());
            Assert.Equal([null, "open"], said.Order());
            foreach (Process process in (Process[])[left, right])
            {
                process.StandardInput.Close();
                await process.WaitForExitAsync();
            }
            Assert.Equal((said[0] is null ? 75 : 0, said[1] is null ? 75 : 0), (left.ExitCode, right.ExitCode));
        }
    }

    internal static void CheckEnd(Scratch scratch, Life first, Life second)
    {
        using DataDirectory directory = scratch.Open();
        Assert.Empty(directory.TakeInterruptedBuilds());
        ReleaseRow release = directory.Releases.Get("people", "first");
        Scratch.Content(directory, release);
        AccountRow account = directory.Datasets.GetBudget("people")!;
        Assert.Equal((release.Cost.Units, 0), (account.SpentUnits, account.ReservedUnits));
        Assert.Equal(ReleaseState.Failed, directory.Releases.Get("people", "second").State);
        Assert.Equal(DatasetState.Deleted, directory.Datasets.Get("gone").State);
        Assert.Equal(120, directory.Datasets.Get("people").RecordCount);
        LedgerEntryKind[] kinds = [.. directory.Ledger.ListEntries(null, 0, 100).Select(static e => e.Kind).Order()];
        Assert.Equal(
            [
                LedgerEntryKind.Open, LedgerEntryKind.Open, LedgerEntryKind.Reserve, LedgerEntryKind.Reserve, LedgerEntryKind.Post,
                LedgerEntryKind.Void, LedgerEntryKind.Tombstone, LedgerEntryKind.Dataset, LedgerEntryKind.Dataset,
            ],
            kinds);
        Assert.Single(Directory.GetFiles(scratch.FileOf("releases")));
        Assert.Empty(Directory.GetFiles(scratch.FileOf("pending")));
        Assert.Single(Directory.GetDirectories(scratch.FileOf("datasets")));
        string[] lines = [.. first.Lines, .. second.Lines];
        // Every attempt summed the same rows, and every draw that was ever announced is the one that is kept.
        Assert.InRange(lines.Where(static l => l.StartsWith("rows ", StringComparison.Ordinal)).Distinct().Count(), 0, 1);
        Assert.All(
            lines.Where(static l => l.StartsWith("release ", StringComparison.Ordinal)),
            l => Assert.Equal($"release {Convert.ToHexString(release.Sha256.Span)}", l));
    }

    internal sealed record Life(int ExitCode, IReadOnlyList<string> Lines);

    internal static async Task<Life> Run(
        Scratch scratch, string failpoint, string action, string host = "crash-host", string? connection = null,
        string[]? tracer = null)
    {
        // Disk calls only, so that the tracer stops nothing else.
        string[] under = tracer is null ? [] :
            ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-o", scratch.Trace, "-e", "trace=fsync,fdatasync,pwrite64", .. tracer];
        string[] more = connection is null ? [] : [connection];
        using Process process = Start(under, [host, scratch.Path, failpoint, action, .. more]);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        string text = await errors;
        if (process.ExitCode is not (0 or 74 or 75 or 76 or 137)) Assert.Fail(text);
        return new(process.ExitCode, output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>This program as a host (<see cref="Program"/>), which may be killed.</summary>
    internal static Process Start(string[] under, string[] arguments)
    {
        // Compiled beforehand, where the build can.
        string compiled = Path.Combine(AppContext.BaseDirectory, "host");
        string host = Path.Combine(Directory.Exists(compiled) ? compiled : AppContext.BaseDirectory, "PrivateKernels.Storage.Tests.dll");
        string[] command = [.. under, "dotnet", host, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // The process lives for a moment: quick code at once is worth more than fast code later.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        // Otherwise one that is killed leaves two files in the temporary folder.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        return Process.Start(start)!;
    }
}
