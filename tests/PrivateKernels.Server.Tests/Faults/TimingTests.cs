using System.Diagnostics;
using System.Globalization;
using Google.Rpc;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>
/// Comparisons of time, for the long run alone, in turns of a moment each: what else the machine does meets both sides alike.
/// </summary>
public sealed class TimingTests
{
    const ulong Seed = 20260116;

    static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public void Welchs_t_sees_a_shift_and_sees_none_where_there_is_none()
    {
        var random = new PublicRandom(Seed);
        double[] Sample(double shift) => [.. Enumerable.Range(0, 20_000).Select(_ => random.NextUnit() + shift)];
        Assert.InRange(Math.Abs(Welch(Sample(0), Sample(0))), 0, 4.5);
        Assert.InRange(Welch(Sample(0.03), Sample(0)), 4.5, 20);
    }

    [Fact]
    public async Task A_query_takes_as_long_whether_a_record_is_there_or_not()
    {
        RequireLong();
        const int Queries = 100_000, WarmUp = 5_000;
        await using TestServer server = await StartAsync(Unlimited);
        float[] rows = Pattern(30, 4);
        string[] releases = [await ReleaseAsync(server, "with", rows, 256), await ReleaseAsync(server, "without", rows[4..], 256)];
        var random = new PublicRandom(Scale.Seed(Seed));
        List<double>[] times = [[], []];
        for (int i = 0; i < Queries + WarmUp; i++)
        {
            int side = random.NextBelow(2);
            QueryRequest query = Query(releases[side], 1);
            long start = Stopwatch.GetTimestamp();
            await server.Queries.QueryAsync(query, cancellationToken: Now);
            if (i >= WarmUp) times[side].Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        double t = Welch(times[0], times[1]);
        Scale.Say(Invariant($"{times[0].Count} and {times[1].Count} queries, {times[0].Average():f1} and {times[1].Average():f1} us, t = {t:f2}"));
        Assert.InRange(Math.Abs(t), 0, 4.5);
    }

    [Fact]
    public async Task Four_times_as_many_callers_as_there_are_places_get_four_fifths_of_the_peak_answered()
    {
        RequireLong();
        const int Turns = 10;
        var time = TimeSpan.FromSeconds(3);
        await using TestServer server = await StartAsync(
            static o => Unlimited(o) with { Query = o.Query with { Concurrency = 1, QueueLength = 7 } });
        string release = await ReleaseAsync(server, "people", Pattern(30, 4), 16_384);
        await AnswersAsync(server, release, 8, time);
        (int peak, int answered, int refused) = (0, 0, 0);
        for (int turn = 0; turn < Turns; turn++)
        {
            peak += (await AnswersAsync(server, release, 8, time)).Answered;
            (int more, int not) = await AnswersAsync(server, release, 32, time);
            (answered, refused) = (answered + more, refused + not);
        }
        Scale.Say(Invariant($"{peak} answers with 8 callers; with 32 {answered}, {refused} refused: {(double)answered / peak:p0}"));
        Assert.True(refused > 0);
        Assert.InRange(answered, 0.8 * peak, double.MaxValue);
    }

    [Fact]
    public async Task Stalled_streams_do_not_double_the_time_of_the_slowest_hundredth_of_queries()
    {
        RequireLong();
        const int Queries = 1_000, Turns = 10;
        await using TestServer server = await StartAsync(static o => Unlimited(o) with
        {
            Limits = Unlimited(o).Limits with { StreamsPerKey = 1_000, Streams = 1_000, Uploads = 10_000 },
        });
        string release = await ReleaseAsync(server, "people", Pattern(30, 4), 256);
        await TimesAsync(server, release, Queries);
        List<double> alone = [], beside = [];
        for (int turn = 0; turn < Turns; turn++)
        {
            alone.AddRange(await TimesAsync(server, release, Queries));
            List<AsyncDuplexStreamingCall<IngestPointsRequest, IngestPointsResponse>> stalled = [];
            for (int i = 0; i < 100; i++)
            {
                stalled.Add(server.Datasets.IngestPoints(cancellationToken: Now));
                await stalled[^1].RequestStream.WriteAsync(Start("people", NewId()), Now);
                Assert.True(await stalled[^1].ResponseStream.MoveNext(Now));
            }
            beside.AddRange(await TimesAsync(server, release, Queries));
            stalled.ForEach(static call => call.Dispose());
        }
        (double p99Alone, double p99Beside) = (Slowest(alone), Slowest(beside));
        Scale.Say(Invariant($"p99 alone {p99Alone:f0} us, beside 100 stalled streams {p99Beside:f0} us"));
        Assert.InRange(p99Beside, 0, 2 * p99Alone);
    }

    static void RequireLong() => Assert.SkipUnless(Scale.IsLong, "Times are compared in the long run (PK_TEST_SCALE=long).");

    static ServerOptions Unlimited(ServerOptions options) => options with
    {
        Log = new() { Level = Microsoft.Extensions.Logging.LogLevel.Error },
        Limits = options.Limits with { CallsPerSecond = 1_000_000, CallBurst = 1_000_000, QueryPointsPerSecond = 1_000_000_000 },
    };

    static async Task<string> ReleaseAsync(TestServer server, string id, float[] rows, uint features)
    {
        await server.Datasets.CreateDatasetAsync(NewDataset(id), cancellationToken: Now);
        await server.IngestAsync(id, rows, 4);
        return (await server.BuildAsync(NewRelease(id, "r", 0.5, r => r.Spec.Sketch.Features = features))).Name;
    }

    static QueryRequest Query(string release, int points) =>
        new() { Release = release, Points = new V1.Points { Dimension = 4, Values = { Pattern(points, 4) } } };

    /// <summary>Callers who ask again at once, or after the time that a refusal tells them to wait.</summary>
    static async Task<(int Answered, int Refused)> AnswersAsync(TestServer server, string release, int callers, TimeSpan time)
    {
        (int answered, int refused) = (0, 0);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async _ =>
        {
            while (watch.Elapsed < time)
                try
                {
                    await server.Queries.QueryAsync(Query(release, 256), cancellationToken: Now);
                    Interlocked.Increment(ref answered);
                }
                catch (RpcException e) when (e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason == "OVERLOADED")
                {
                    Interlocked.Increment(ref refused);
                    await Task.Delay(e.GetRpcStatus()!.GetDetail<RetryInfo>()!.RetryDelay.ToTimeSpan(), Now);
                }
        }));
        return (answered, refused);
    }

    /// <summary>Microseconds of queries one after the other.</summary>
    static async Task<double[]> TimesAsync(TestServer server, string release, int queries)
    {
        var times = new double[queries];
        for (int i = 0; i < queries; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await server.Queries.QueryAsync(Query(release, 1), cancellationToken: Now);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        return times;
    }

    /// <summary>The time within which 99 of 100 are.</summary>
    static double Slowest(List<double> times) => times.Order().ElementAt(times.Count * 99 / 100);

    /// <summary>(mean(a) - mean(b)) / sqrt(var(a)/n(a) + var(b)/n(b)).</summary>
    static double Welch(IReadOnlyCollection<double> a, IReadOnlyCollection<double> b)
    {
        static double Variance(IReadOnlyCollection<double> x)
        {
            double mean = x.Average();
            return x.Sum(v => (v - mean) * (v - mean)) / (x.Count - 1);
        }

        return (a.Average() - b.Average()) / Math.Sqrt((Variance(a) / a.Count) + (Variance(b) / b.Count));
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
