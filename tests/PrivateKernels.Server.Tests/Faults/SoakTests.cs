using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using PrivateKernels.Storage;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>
/// A real server that works for hours, PK_SOAK_MINUTES=1440 for a day: uploads, spends, queries, streams that are cut off, calls
/// that are refused. In the end it owes what the model says, and its memory is what it was after the first half.
/// </summary>
public sealed class SoakTests
{
    static readonly string? Minutes = Environment.GetEnvironmentVariable("PK_SOAK_MINUTES");

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_works_for_hours_keeps_its_ledger_and_grows_no_further()
    {
        Assert.SkipUnless(Minutes is not null, "A server works for hours when asked to: PK_SOAK_MINUTES=1440 for a day.");
        var time = TimeSpan.FromMinutes(double.Parse(Minutes!, CultureInfo.InvariantCulture));
        string directory = Directory.CreateTempSubdirectory("pk-soak-").FullName;
        try
        {
            // Without a log, which would fill memory. The cache of releases is full soon, and one release is made a second for as
            // long as the dataset takes more.
            using ServerProcess process = await ServerProcess.StartAsync(
                directory, "--json", "--ReleaseCache:Bytes", "2097152", "--Limits:CallsPerSecond", "100000",
                "--Limits:CallBurst", "100000");
            TimeSpan pause = TimeSpan.FromSeconds(Math.Max(1, time.TotalSeconds / 9_000));
            var work = new KillTests.Work();
            var clock = Stopwatch.StartNew();
            List<double> memory = [];
            await work.EndAsync(process.Channel);
            int[] calls = await Task.WhenAll(
                While(clock, time, pause, () => work.EndAsync(process.Channel)),
                While(clock, time, TimeSpan.FromMilliseconds(5), () => QueryAsync(process)),
                While(clock, time, TimeSpan.FromMilliseconds(50), () => CutStreamAsync(process)),
                While(clock, time, TimeSpan.FromMilliseconds(100), () => RefusedAsync(process)),
                While(clock, time, time / 480, () =>
                {
                    memory.Add(process.ResidentBytes / 1e6);
                    return Task.CompletedTask;
                }));
            await work.CheckAsync(process.Channel, atRest: true);
            Assert.Equal(0, await process.TerminateAsync());
            LedgerReport report = LedgerAudit.Verify(directory, new(), []);
            double[] quarters = [.. memory.Chunk((memory.Count / 4) + 1).Select(static q => q.Order().ElementAt(q.Length / 2))];
            Scale.Say(string.Create(
                CultureInfo.InvariantCulture,
                $"{calls[0]} spends, {calls[1]} queries, {calls[2]} streams cut, {calls[3]} refused calls, {report.Head.Sequence} entries"));
            string medians = string.Join(", ", quarters.Select(static q => q.ToString("f1", CultureInfo.InvariantCulture)));
            Scale.Say($"MB resident, median of each quarter: {medians}");
            Assert.InRange(quarters[^1] - quarters[1], double.MinValue, Math.Max(16, time.TotalHours));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    static async Task<int> While(Stopwatch clock, TimeSpan time, TimeSpan pause, Func<Task> call)
    {
        int calls = 0;
        for (; clock.Elapsed < time; calls++)
        {
            await call();
            await Task.Delay(pause, Now);
        }
        return calls;
    }

    static async Task QueryAsync(ServerProcess process)
    {
        var queries = new V1.QueryService.QueryServiceClient(process.Channel);
        QueryResponse answer = await queries.QueryAsync(
            new() { Release = First, Points = new() { Dimension = 4, Values = { Pattern(256, 4) } } }, cancellationToken: Now);
        Assert.Equal(256, answer.Answers.Values.Count);
    }

    static async Task CutStreamAsync(ServerProcess process)
    {
        var queries = new V1.QueryService.QueryServiceClient(process.Channel);
        using AsyncDuplexStreamingCall<StreamQueryRequest, StreamQueryResponse> stream = queries.StreamQuery(cancellationToken: Now);
        await stream.RequestStream.WriteAsync(
            new() { Release = First, Sequence = 1, Points = new() { Dimension = 4, Values = { Pattern(16, 4) } } }, Now);
        Assert.True(await stream.ResponseStream.MoveNext(Now));
    }

    static async Task RefusedAsync(ServerProcess process)
    {
        var releases = new V1.ReleaseService.ReleaseServiceClient(process.Channel);
        Failure dear = await Failure.OfAsync(releases.CreateReleaseAsync(NewRelease("people", "dear", 1_000), cancellationToken: Now));
        Assert.Equal("BUDGET_EXHAUSTED", dear.Reason);
        Failure unknown = await Failure.OfAsync(releases.CreateReleaseAsync(NewRelease("nobody", "r", 0.1), cancellationToken: Now));
        Assert.Equal("RESOURCE_NOT_FOUND", unknown.Reason);
    }

    const string First = "datasets/people/releases/r0";
}
