using System.Diagnostics;
using PrivateKernels.Client;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>
/// The steps of the demo. The budget of epsilon 1 at delta 1e-5 is split by mu squared, which is what adds up: 70 % for
/// the classes, where accuracy needs it, 15 % for each distance, whose sums are large beside their noise.
/// </summary>
sealed class Demo(Terminal terminal, string directory)
{
    const string Dataset = "digits";
    const string Classes = "by-class";

    /// <summary>Length scale of the gaussian: near the distance of two images of one digit.</summary>
    const double Bandwidth = 7;

    /// <summary>All that the demo may spend.</summary>
    public static PrivacyLoss Budget { get; } = new(1, 1e-5);

    static readonly string[] Digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

    readonly Dictionary<string, double> _seconds = [];

    public async Task<DemoFindings> RunAsync(CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        var options = new ServerOptions
        {
            Data = new() { Directory = directory },
            Grpc = new() { Listen = "127.0.0.1:0" },
            Shutdown = new() { Drain = TimeSpan.Zero },
        };
        await using ServerHost host = await StepAsync(
            "start", "start the server on a free loopback port",
            () => ServerHost.StartAsync(options, null, cancellation));
        using var client = new PrivateKernelsClient($"{host.Address}");

        DatasetHandle digits = await client.CreateDatasetAsync(Dataset, new()
        {
            Domain = new(784, 0, 1, 28),
            Budget = Budget,
            Classes = Digits,
            MaxRecords = 10_000,
        }, cancellation);
        long rows = await StepAsync("import", "import 9,000 images and labels, as private rows", () =>
            digits.IngestFileAsync(Sample("private-images"), Sample("private-labels"), null, cancellation));
        var releases = new List<DemoRelease>
        {
            await BuildAsync(
                digits, Classes, new() { Function = "gaussian", Bandwidth = Bandwidth, PerClass = true }, 0.7,
                cancellation),
            await BuildAsync(digits, "l1", new() { Function = "l1" }, 0.15, cancellation),
            await BuildAsync(digits, "l2-squared", new() { Function = "l2_squared" }, 0.15, cancellation),
        };

        Points queries = await RowFile.ReadAllAsync(Sample("public-images"), cancellation);
        uint[] truth = await RowFile.ReadLabelsAsync(Sample("public-labels"), new(Digits), cancellation);
        Answers[] answers = await StepAsync(
            "query", "query 1,000 public images, 3 sums each", () => QueryAsync(client, releases, queries));
        double[][] exact = await StepAsync(
            "exact", "compute the same sums exactly, for comparison", () => ExactAsync(releases, queries));
        (double mean, double nearest) = await StepAsync(
            "classify", "classify 1,000 public images by two rules", async () =>
            (await AccuracyAsync(ClassScore.Mean), await AccuracyAsync(ClassScore.NearestKernelMean)));
        PrivateKernelsException refusal = await StepAsync(
            "refuse", "ask for one release more than the budget pays for", () => RefusedAsync(digits, cancellation));
        Account account = Account.Of(await digits.GetBudgetAsync(cancellation));
        _seconds["total"] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        DemoSums[] sums = [.. releases.Select((r, i) => new DemoSums(r, answers[i], exact[i]))];
        return new(rows, sums, mean, nearest, account, refusal, _seconds);

        async Task<double> AccuracyAsync(ClassScore score)
        {
            Classification found =
                await client.Release(Dataset, Classes).ClassifyAsync(queries, score, cancellation: cancellation);
            return Enumerable.Range(0, truth.Length).Count(i => found.Labels[i] == truth[i]) / (double)truth.Length;
        }
    }

    async Task<DemoRelease> BuildAsync(
        DatasetHandle dataset, string id, ReleaseRequest request, double share, CancellationToken cancellation)
    {
        // A few units less than the share, so that three roundings never pass the limit.
        double mu = Math.Sqrt(share * (Units.OfLoss(Budget) - 8) / (1L << 40));
        string function = request.Function + (request.PerClass ? " per class" : "");
        string what = $"release {id}: {function}, {Show.Percent(share)} of the budget";
        V1.Release release = await StepAsync($"release_{request.Function}", what, () =>
            dataset.CreateReleaseAsync(id, request with { Mu = mu }, cancellation: cancellation));
        return new(id, request, release);
    }

    static async Task<Answers[]> QueryAsync(PrivateKernelsClient client, List<DemoRelease> releases, Points queries)
    {
        var answers = new Answers[releases.Count];
        for (int i = 0; i < answers.Length; i++)
            answers[i] = await client.Release(Dataset, releases[i].Id).QueryAsync(queries);
        return answers;
    }

    static async Task<double[][]> ExactAsync(List<DemoRelease> releases, Points queries)
    {
        Points rows = await RowFile.ReadAllAsync(Sample("private-images"));
        using var engine = new SimdEngine();
        return [.. releases.Select(release =>
        {
            var sums = new double[queries.Count];
            PairFunction function =
                Catalog.Create(release.Request.Function, release.Request.Bandwidth, release.Request.Exponent);
            engine.AddExactSums(function, rows, queries, sums);
            return sums;
        })];
    }

    static async Task<PrivateKernelsException> RefusedAsync(DatasetHandle dataset, CancellationToken cancellation)
    {
        var request = new ReleaseRequest { Function = "laplacian", Bandwidth = 100, Loss = new(0.1, Budget.Delta) };
        try
        {
            await dataset.CreateReleaseAsync("one-too-many", request, cancellation: cancellation);
        }
        catch (PrivateKernelsException e) when (e.Reason == "BUDGET_EXHAUSTED")
        {
            return e;
        }
        throw new InvalidOperationException("the request beyond the budget was not refused");
    }

    async Task<T> StepAsync<T>(string key, string what, Func<Task<T>> work)
    {
        long start = Stopwatch.GetTimestamp();
        T result = await terminal.WaitAsync(what, work);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _seconds[key] = seconds;
        terminal.Note(console =>
            console.MarkupLineInterpolated($"[green]✓[/] {what} [grey]{Show.Seconds(seconds)}[/]"));
        return result;
    }

    static string Sample(string name) => Path.Combine(AppContext.BaseDirectory, "Samples", name + ".idx.gz");
}

/// <summary>A release of the demo.</summary>
sealed record DemoRelease(string Id, ReleaseRequest Request, V1.Release Release);

/// <summary>Private answers of one release beside the exact sums.</summary>
sealed record DemoSums(DemoRelease Release, Answers Private, double[] Exact)
{
    public string Function => Release.Request.Function;

    /// <summary>Root of the mean squared difference.</summary>
    public double Rmse =>
        Math.Sqrt(Exact.Select((e, q) => (Private.Values[q] - e) * (Private.Values[q] - e)).Average());

    public double MeanExact => Exact.Average();

    /// <summary>Part of the exact sums that lie within the private 95 % interval.</summary>
    public double Coverage =>
        Exact.Where((e, q) => Math.Abs(Private.Values[q] - e) <= Private.HalfWidth95[q]).Count() / (double)Exact.Length;
}

/// <summary>What the demo found.</summary>
sealed record DemoFindings(
    long Rows, DemoSums[] Sums, double AccuracyByMean, double AccuracyByNearest, Account Account,
    PrivateKernelsException Refusal,
    IReadOnlyDictionary<string, double> Seconds);
