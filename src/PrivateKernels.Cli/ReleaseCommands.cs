using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk release: list, show, download, delete; creating and estimating have their own files.</summary>
static class ReleaseCommands
{
    static readonly Argument<string> Dataset = new("DATASET") { Description = "Id of the dataset." };

    static readonly Argument<string> Name = new("DATASET/ID") { Description = "The release." };

    static readonly Argument<string> File = new("FILE") { Description = "File to make or replace." };

    static readonly Argument<string> Existing = new("FILE")
    {
        Description = "File from 'pk release download'; its certificate is read beside it, where it was kept.",
    };

    public static Command Create() => new("release", "Build releases: what may leave a private dataset.")
    {
        ReleaseCreateCommand.Create(),
        ReleaseEstimateCommand.Create(),
        new Command("list", "List the releases of a dataset, newest first.") { Dataset, CommonOptions.Server }
            .Runs(ListAsync),
        new Command("show", "Show one release.") { Name, CommonOptions.Server }.Runs(ShowAsync),
        new Command("download", "Fetch the file of a release, for answers without a server.")
            { Name, File, CommonOptions.Server }.Runs(DownloadAsync),
        CombineCommand.Create(),
        new Command("import", "Bring a release file: a lost one back to its place, others into a dataset made with --imported.")
            { Name, Existing, CommonOptions.Server }.Runs(ImportAsync),
        new Command("delete", "Delete the file of a release. Nothing is refunded.") { Name, CommonOptions.Server }
            .Runs(DeleteAsync),
    };

    static async Task ListAsync(Session session, CancellationToken cancellation)
    {
        var releases = new List<V1.Release>();
        await foreach (V1.Release release in session.Dataset(Dataset).ListReleasesAsync(cancellation))
            releases.Add(release);
        session.Terminal.Write(new { Releases = releases.Select(Document) }, console =>
        {
            Table table =
                session.Terminal.Table("release", "state", "function", "features", "cost", "noise std", "bytes");
            foreach (V1.Release r in releases)
                table.AddRow(
                    Markup.Escape(ReleaseName.Short(r.Name)), Show.Name(r.State), Markup.Escape(FunctionOf(r)),
                    Show.Count(r.Spec.Sketch.Features), $"{CostOf(r)}", Show.Number(r.Accuracy.NoiseStd),
                    Show.Count(r.SizeBytes));
            console.Write(table);
        });
    }

    static async Task ShowAsync(Session session, CancellationToken cancellation) =>
        Write(session.Terminal, await session.Release(Name).GetAsync(cancellation));

    static async Task DownloadAsync(Session session, CancellationToken cancellation)
    {
        string file = session.Get(File);
        await session.Terminal.ProgressAsync(session.Get(Name), async progress =>
        {
            await session.Release(Name).DownloadAsync(file, progress, cancellation);
            return true;
        });
        long bytes = new FileInfo(file).Length;
        session.Terminal.Write(new { Release = session.Get(Name), File = file, Bytes = bytes }, console =>
            console.MarkupLineInterpolated(
                $"[green]{file}[/]: {Show.Count(bytes)} bytes. Query it with 'pk query --offline {file} FILE'."));
    }

    static async Task ImportAsync(Session session, CancellationToken cancellation)
    {
        string file = session.Get(Existing), beside = CertificateFile.Beside(file);
        (string dataset, string id) = ReleaseName.Parse(session.Get(Name));
        byte[] bytes = await System.IO.File.ReadAllBytesAsync(file, cancellation);
        V1.LedgerPosition? certificate = System.IO.File.Exists(beside) ? CertificateFile.Read(beside) : null;
        V1.Release release = await session.Terminal.ProgressAsync(Path.GetFileName(file), progress =>
            session.Client.Dataset(dataset).ImportReleaseAsync(id, bytes, certificate, progress, null, cancellation));
        session.Terminal.Write(Document(release), console => console.MarkupLineInterpolated(
            $"[green]{session.Get(Name)}[/] answers now{(release.Imported ? "" : " again")}; no budget changed."));
    }

    static async Task DeleteAsync(Session session, CancellationToken cancellation)
    {
        V1.Release release = await session.Release(Name).DeleteAsync(cancellation);
        session.Terminal.Write(Document(release), console =>
            console.MarkupLineInterpolated($"[bold]{session.Get(Name)}[/] is deleted; nothing is refunded."));
    }

    static void Write(Terminal terminal, V1.Release r) => terminal.Write(Document(r), console =>
    {
        Table table = terminal.Table("release", Markup.Escape(ReleaseName.Short(r.Name)));
        table.AddRow("state", Show.Name(r.State));
        table.AddRow("function", Markup.Escape(FunctionOf(r)));
        table.AddRow("sketch", $"{Show.Name(r.Spec.Sketch.Method)}, {Show.Count(r.Spec.Sketch.Features)} features");
        if (r.Spec.Sketch.Seed != 0) table.AddRow("seed", $"{r.Spec.Sketch.Seed}");
        if (r.Classes.Count > 0) table.AddRow("classes", Markup.Escape(string.Join(", ", r.Classes)));
        table.AddRow("cost", $"{CostOf(r)}");
        table.AddRow("noise", Show.Name(r.Spec.Privacy.Mechanism));
        table.AddRow("noise std of an answer", Show.Number(r.Accuracy.NoiseStd));
        table.AddRow("approximation std per record", Show.Number(r.Accuracy.ApproximationStdPerRecord));
        table.AddRow("file", $"{Show.Count(r.SizeBytes)} bytes, SHA-256 {Convert.ToHexStringLower(r.Sha256.Span)}");
        if (r.PostedAt is not null) table.AddRow("ledger entry", $"{r.PostedAt.Sequence}");
        console.Write(table);
    });

    static object Document(V1.Release r)
    {
        Loss cost = CostOf(r);
        V1.SketchSpec sketch = r.Spec.Sketch;
        return new
        {
            Release = ReleaseName.Short(r.Name),
            State = Show.Name(r.State),
            Function = sketch.Function.Name,
            sketch.Function.Bandwidth,
            sketch.Function.Exponent,
            Method = Show.Name(sketch.Method),
            sketch.Features,
            sketch.Seed,
            sketch.ProjectedDimension,
            sketch.PerClass,
            Weighted = sketch.Weighting == V1.Weighting.Value,
            LeastSquares = sketch.ClassLeastSquares,
            Classes = r.Classes.ToArray(),
            Mechanism = Show.Name(r.Spec.Privacy.Mechanism),
            cost.Epsilon,
            cost.Delta,
            cost.Mu,
            r.Accuracy.NoiseStd,
            r.Accuracy.ApproximationStdPerRecord,
            r.SizeBytes,
            Sha256 = Convert.ToHexStringLower(r.Sha256.Span),
            LedgerSequence = r.PostedAt?.Sequence,
        };
    }

    /// <summary>The price at the account's delta.</summary>
    public static Loss CostOf(V1.Release r) => Show.Amount(r.Cost.Unit, r.Cost.Units, r.Cost.Loss.Delta);

    static string FunctionOf(V1.Release r) => FunctionOf(r.Spec.Sketch);

    public static string FunctionOf(V1.SketchSpec sketch)
    {
        V1.PairFunction f = sketch.Function;
        string bandwidth = f.Bandwidth != 0 ? $", h = {Show.Number(f.Bandwidth)}" : "";
        string exponent = f.Exponent != 0 ? $", p = {Show.Number(f.Exponent)}" : "";
        return f.Name + bandwidth + exponent + (sketch.Weighting == V1.Weighting.Value ? ", times the values of rows" : "")
            + (sketch.PerClass ? ", per class" : "") + (sketch.ClassLeastSquares ? ", with second moments" : "");
    }
}
