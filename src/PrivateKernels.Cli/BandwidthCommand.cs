using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk bandwidth: which bandwidths make sense, from public facts alone; needs no server and costs nothing.</summary>
static class BandwidthCommand
{
    static readonly Option<string> Function = new("--function")
    {
        Description = "A kernel with a bandwidth; see 'pk functions'.",
        DefaultValueFactory = static _ => "gaussian",
        HelpName = "NAME",
    };

    static readonly Option<double> Exponent = new("--exponent")
    {
        Description = "Shape parameter, where the function has one.",
        HelpName = "P",
    };

    static readonly Option<int?> Dimension = new("--dimension")
    {
        Description = "Coordinates per vector (default: those of the sample).",
        HelpName = "D",
    };

    static readonly Option<double?> Lower = new("--lower") { Description = "Smallest coordinate.", HelpName = "X" };

    static readonly Option<double?> Upper = new("--upper") { Description = "Largest coordinate.", HelpName = "X" };

    static readonly Option<string?> Sample = new("--sample")
    {
        Description = "PUBLIC points that resemble the data; without it rows fill the box from --lower to --upper evenly.",
        HelpName = "FILE",
    };

    static readonly Option<long> MaxRecords = new("--max-records")
    {
        Description = "Public bound on the number of rows.",
        Required = true,
        HelpName = "N",
    };

    static readonly Option<double> Epsilon = new("--epsilon")
    {
        Description = "Epsilon of the release.",
        Required = true,
        HelpName = "E",
    };

    static readonly Option<double> Delta = new("--delta")
    {
        Description = "Delta of the release; 0 = pure epsilon, laplace noise.",
        HelpName = "DELTA",
    };

    static readonly Option<double[]> Bandwidths = new("--bandwidth")
    {
        Description = "Bandwidths to look at beside the suggested range.",
        HelpName = "H",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command Create() => new Command(
        "bandwidth", "Suggest bandwidths from the dimension, the number of rows and public points. Spends nothing.")
    {
        Function, Exponent, Dimension, Lower, Upper, Sample, MaxRecords, Epsilon, Delta, Bandwidths,
    }.Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        Points? sample = session.Get(Sample) is { } file ? await RowFile.ReadAllAsync(file, cancellation) : null;
        int dimension = session.Get(Dimension) ?? sample?.Dimension
            ?? throw new InvalidFieldException("dimension", null, "must be given where there is no sample");
        if (sample is { } points && points.Dimension != dimension)
            throw new DimensionMismatchException(dimension, points.Dimension);
        var domain = new Domain(dimension, session.Get(Lower), session.Get(Upper));
        long records = session.Get(MaxRecords);
        if (records < 1) throw new InvalidFieldException("max-records", records, "must be at least 1");
        double noise = NoiseStd(session, domain, records);
        BandwidthAdvice advice = BandwidthAdvisor.Advise(
            session.Get(Function)!, session.Get(Exponent), domain, records, noise, sample);
        BandwidthReading[] readings = [.. Shown(advice, session.Get(Bandwidths) ?? []).Select(advice.Read)];
        Write(session.Terminal, advice, noise, readings);
    }

    /// <summary>Noise of an answer by the planner's own choice; it hardly depends on the bandwidth.</summary>
    static double NoiseStd(Session session, Domain domain, long records)
    {
        double delta = session.Get(Delta);
        CostUnit account = delta > 0 ? CostUnit.MuSquared : CostUnit.Epsilon;
        var request = new ReleaseRequest
        {
            Function = session.Get(Function)!,
            Bandwidth = 1,
            Exponent = session.Get(Exponent),
            Method = SketchMethod.Fourier,
            Loss = new PrivacyLoss(session.Get(Epsilon), delta),
        };
        if (Catalog.Functions.FirstOrDefault(f => f.Name == request.Function) is not { IsKernel: true, UsesBandwidth: true })
            throw new InvalidFieldException("function", request.Function, "must be a kernel with a bandwidth");
        var facts = new DatasetFacts(domain, Adjacency.AddOrRemoveOne, 1, records, [], account);
        return Planner.Plan(request, facts, new()).Accuracy.NoiseStd;
    }

    static IEnumerable<double> Shown(BandwidthAdvice advice, double[] asked)
    {
        foreach (double h in asked)
            if (!(h > 0) || !double.IsFinite(h)) throw new InvalidFieldException("bandwidth", h, "must be above 0");
        IEnumerable<double> range = double.IsNaN(advice.Low) ? [] : [advice.Low, Math.Sqrt(advice.Low * advice.High), advice.High];
        return asked.Concat(range).Order();
    }

    static void Write(Terminal terminal, BandwidthAdvice advice, double noise, BandwidthReading[] readings)
    {
        var document = new
        {
            advice.Low,
            advice.High,
            NoiseStd = noise,
            Source = advice.IsSampled ? "sample" : "box",
            Readings = readings.Select(r => new
            {
                r.Bandwidth,
                r.Mean,
                r.Carriers,
                r.SignalToNoise,
                Warning = advice.Warn(r.Bandwidth),
            }),
        };
        terminal.Write(document, console =>
        {
            if (double.IsNaN(advice.Low)) console.MarkupLineInterpolated($"[yellow]{advice.Warn(1)}[/]");
            else console.MarkupLineInterpolated(
                $"suggested bandwidths: [green]{Show.Number(advice.Low)}[/] to [green]{Show.Number(advice.High)}[/]");
            Table table = terminal.Table("bandwidth", "mean kernel", "rows that carry a sum", "sum / noise std", "");
            foreach (BandwidthReading r in readings)
                table.AddRow(
                    Show.Number(r.Bandwidth), Show.Number(r.Mean), Show.Number(r.Carriers), Show.Number(r.SignalToNoise),
                    terminal.Cell(advice.Warn(r.Bandwidth) ?? ""));
            console.Write(table);
            if (!advice.IsSampled)
                console.MarkupLine("[grey]Rows that fill the box evenly stood in for the data: public points say more (--sample).[/]");
        });
    }
}
