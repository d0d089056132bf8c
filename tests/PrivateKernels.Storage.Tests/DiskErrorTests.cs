using System.Diagnostics;

namespace PrivateKernels.Tests;

/// <summary>The system refuses one write or one fsync of a process, by strace: it must end without saying what is not so.</summary>
public sealed class DiskErrorTests
{
    /// <summary>Calls of one thread: the N-th fsync or pwrite64 of whichever thread comes to it first.</summary>
    static IEnumerable<(string Call, string Error, int Position)> Positions()
    {
        string[] errors = ["EIO", "ENOSPC"];
        if (Scale.IsLong)
        {
            foreach (string error in errors)
                foreach (string call in (string[])["fsync", "pwrite64"])
                    for (int i = 1; i <= 400; i++)
                        yield return (call, error, i);
            yield break;
        }
        for (int i = 0; i < 20; i++)
        {
            yield return ("fsync", errors[i % 2], i + 1);
            yield return ("pwrite64", errors[i % 2], 1 + (i * 9));
        }
    }

    [Fact]
    public async Task An_injected_disk_error_ends_the_process_and_no_reply_is_sent_for_it()
    {
        RequireTracer();
        int ended = 0, tried = 0;
        string over = "";
        foreach ((string call, string error, int position) in Positions())
        {
            if (over == $"{call} {error}") continue;
            using var scratch = new Scratch();
            tried++;
            CrashTests.Life life = await CrashTests.Run(
                scratch, "none", "kill", tracer: ["--inject", $"{call}:error={error}:when={position}"]);
            string where = $"{call} {error} {position}";
            string[] injected = [.. File.ReadAllLines(scratch.Trace).Where(static l => l.Contains("INJECTED", StringComparison.Ordinal))];
            // No thread of this life made so many of these calls.
            if (injected.Length == 0 && Scale.IsLong) over = $"{call} {error}";
            // SQLite leaves the sync of the directory, which only names its log, at that.
            bool isHeard = injected.Any(l => !l.Contains($"<{scratch.Path}>", StringComparison.Ordinal));
            Assert.True(life.ExitCode == 74 || (life.ExitCode == 0 && !isHeard), $"{where}: exit code {life.ExitCode}, {string.Join(" ", injected)}");
            if (life.ExitCode == 74) ended++;
            CheckSaid(scratch, life, where);
            if (tried % 4 > 0) continue;
            CrashTests.Life next = await CrashTests.Run(scratch, "none", "kill");
            Assert.Equal(0, next.ExitCode);
            CrashTests.CheckEnd(scratch, life, next);
        }
        Scale.Say($"{tried} positions, {ended} ended with 74");
        Assert.InRange(ended, 30, tried);
    }

    /// <summary>Everything that the process said is so.</summary>
    static void CheckSaid(Scratch scratch, CrashTests.Life life, string where)
    {
        using DataDirectory directory = scratch.Open();
        foreach (string line in life.Lines)
        {
            bool holds = line.Split(' ') switch
            {
                ["created"] => directory.Datasets.Get("people").Uid.Length > 0 && directory.Datasets.Get("gone").Uid.Length > 0,
                ["ack", CrashHost.UploadId or CrashHost.LateUploadId, var sequence] => IsStored(directory, line.Split(' ')[1], ulong.Parse(sequence)),
                ["reserved", var release] => directory.Releases.Get("people", release).Uid.Length > 0,
                ["release", var sha256] =>
                    Convert.ToHexString(directory.Releases.Get("people", "first").Sha256.Span) == sha256
                    && Scratch.Content(directory, directory.Releases.Get("people", "first")).Length > 0,
                ["posted"] => directory.Releases.Get("people", "first").State == ReleaseState.Ready,
                ["voided"] => directory.Releases.Get("people", "second").State == ReleaseState.Failed,
                ["deleted"] => directory.Datasets.Get("gone").State == DatasetState.Deleted,
                _ => true,
            };
            Assert.True(holds, $"{where}: the process said '{line}', and it is not so");
        }
    }

    static bool IsStored(DataDirectory directory, string uploadId, ulong sequence) =>
        directory.Datasets.GetUpload("people", uploadId) is var upload && (upload.Finished || upload.NextSequence > sequence);

    /// <summary>Skips where strace is missing or may not trace.</summary>
    internal static void RequireTracer()
    {
        bool works;
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("strace", ["-qq", "-o", "/dev/null", "true"]))!;
            process.WaitForExit();
            works = process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            works = false;
        }
        if (!works && Environment.GetEnvironmentVariable("PK_REQUIRE_STRACE") == "1")
            Assert.Fail("PK_REQUIRE_STRACE is set, and strace is missing or may not trace.");
        Assert.SkipUnless(works, "strace is missing here, or may not trace.");
    }
}
