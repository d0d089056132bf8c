using System.CommandLine;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk dataset: import, list, show, delete; creating has its own file.</summary>
static class DatasetCommands
{
    static readonly Argument<string> Name = new("NAME") { Description = "Id of the dataset." };

    public static Command Create()
    {
        Command command = CreateOwn();
        foreach (Command more in DatasetUpdateCommands.Create()) command.Add(more);
        return command;
    }

    static Command CreateOwn() => new("dataset", "Create datasets and bring in rows.")
    {
        DatasetCreateCommand.Create(),
        ImportCommand.Create(),
        new Command("list", "List the datasets.") { CommonOptions.Server }.Runs(ListAsync),
        new Command("show", "Show one dataset and its account.") { Name, CommonOptions.Server }.Runs(ShowAsync),
        new Command("delete", "Destroy the rows. Name and spent budget remain.") { Name, Force, CommonOptions.Server }
            .Runs(DeleteAsync),
    };

    static readonly Option<bool> Force = new("--force") { Description = "Also delete the releases of the dataset." };

    static async Task ListAsync(Session session, CancellationToken cancellation)
    {
        var datasets = new List<V1.Dataset>();
        await foreach (V1.Dataset dataset in session.Client.ListDatasetsAsync(cancellation: cancellation))
            datasets.Add(dataset);
        session.Terminal.Write(new { Datasets = datasets.Select(static d => Document(d)) }, console =>
        {
            Table table = session.Terminal.Table("dataset", "kind", "dimension", "rows", "classes", "adjacency");
            foreach (V1.Dataset d in datasets)
                table.AddRow(
                    Markup.Escape(IdOf(d)), Show.Name(d.Kind), $"{d.Domain.Dimension}", d.HasRecordCount ? Show.Count(d.RecordCount) : "",
                    $"{d.Classes.Count}",
                    Show.Name(d.Adjacency));
            console.Write(table);
        });
    }

    static async Task ShowAsync(Session session, CancellationToken cancellation)
    {
        V1.Dataset dataset = await session.Dataset(Name).GetAsync(cancellation);
        V1.Budget? budget = dataset.Kind == V1.DatasetKind.Private
            ? await session.Dataset(Name).GetBudgetAsync(cancellation)
            : null;
        Write(session.Terminal, dataset, budget);
    }

    static async Task DeleteAsync(Session session, CancellationToken cancellation)
    {
        V1.Dataset dataset = await session.Dataset(Name).DeleteAsync(session.Get(Force), cancellation);
        session.Terminal.Write(Document(dataset), console =>
            console.MarkupLineInterpolated(
                $"[bold]{IdOf(dataset)}[/] is deleted; its name and its spent budget remain."));
    }

    /// <summary>Shows a dataset with its account.</summary>
    public static void Write(Terminal terminal, V1.Dataset d, V1.Budget? budget)
    {
        Account? account = budget is null ? null : Account.Of(budget);
        terminal.Write(Document(d, account), console =>
        {
            Table table = terminal.Table("dataset", IdOf(d));
            if (d.DisplayName.Length > 0) table.AddRow("name", Markup.Escape(d.DisplayName));
            if (d.Description.Length > 0) table.AddRow("description", Markup.Escape(d.Description));
            table.AddRow("kind", Show.Name(d.Kind));
            table.AddRow("dimension", $"{d.Domain.Dimension}");
            if (d.Domain.HasLower)
                table.AddRow("box", $"{Show.Number(d.Domain.Lower)} to {Show.Number(d.Domain.Upper)}");
            if (d.Domain.HasMaxNorm) table.AddRow("largest norm", Show.Number(d.Domain.MaxNorm));
            table.AddRow("outside the domain", d.OutOfDomain == V1.OutOfDomainPolicy.Clamp ? "clamped" : "refused");
            if (d.HasRecordCount) table.AddRow("rows", $"{Show.Count(d.RecordCount)} ({Show.Count(d.StoredBytes)} bytes)");
            if (d.MaxRecords > 0) table.AddRow("most rows", Show.Count(d.MaxRecords));
            if (d.Classes.Count > 0) table.AddRow("classes", Markup.Escape(string.Join(", ", d.Classes)));
            if (d.MaxAbsValue > 0) table.AddRow("largest value", Show.Number(d.MaxAbsValue));
            table.AddRow("neighbours", $"{Show.Name(d.Adjacency)}, {d.MaxRecordsPerUnit} per unit");
            foreach (V1.Accumulator a in d.Accumulators)
                table.AddRow("accumulator", Markup.Escape($"{a.Id}: {ReleaseCommands.FunctionOf(a.Sketch)}"));
            if (account is not null)
            {
                table.AddRow("population", Markup.Escape(d.Population));
                table.AddRow("budget", $"{account.Limit}");
                table.AddRow("spent", $"{account.Spent}");
                table.AddRow("remaining", $"{account.Remaining}");
            }
            console.Write(table);
        });
    }

    static object Document(V1.Dataset d, Account? account = null) => new
    {
        Dataset = IdOf(d),
        d.DisplayName,
        d.Description,
        Kind = Show.Name(d.Kind),
        State = Show.Name(d.State),
        d.Domain.Dimension,
        Lower = d.Domain.HasLower ? d.Domain.Lower : (double?)null,
        Upper = d.Domain.HasUpper ? d.Domain.Upper : (double?)null,
        MaxNorm = d.Domain.HasMaxNorm ? d.Domain.MaxNorm : (double?)null,
        OutOfDomain = Show.Name(d.OutOfDomain),
        Adjacency = Show.Name(d.Adjacency),
        d.MaxRecordsPerUnit,
        d.MaxRecords,
        Classes = d.Classes.ToArray(),
        MaxAbsValue = d.MaxAbsValue > 0 ? d.MaxAbsValue : (double?)null,
        Retention = Show.Name(d.Retention),
        Accumulators = d.Accumulators.Select(static a => new
        {
            a.Id,
            Function = a.Sketch.Function.Name,
            a.Sketch.Function.Bandwidth,
            Method = Show.Name(a.Sketch.Method),
            a.Sketch.Features,
            a.Sketch.PerClass,
        }).ToArray(),
        d.Population,
        Rows = d.HasRecordCount ? d.RecordCount : (long?)null,
        StoredBytes = d.HasStoredBytes ? d.StoredBytes : (long?)null,
        Budget = account?.Limit,
        account?.Spent,
        account?.Remaining,
    };

    static string IdOf(V1.Dataset dataset) => dataset.Name["datasets/".Length..];
}

/// <summary>The three amounts of an account, for people and scripts.</summary>
sealed record Account(Loss Limit, Loss Spent, Loss Remaining)
{
    public static Account Of(V1.Budget b) => new(
        Show.Amount(b.Unit, b.LimitUnits, b.Limit.Delta),
        Show.Amount(b.Unit, b.SpentUnits + b.ReservedUnits, b.Limit.Delta),
        Show.Amount(b.Unit, b.RemainingUnits, b.Limit.Delta));

    public void Write(IAnsiConsole console)
    {
        console.MarkupLineInterpolated($"limit      {Limit}");
        console.MarkupLineInterpolated($"spent      [yellow]{Spent}[/]");
        console.MarkupLineInterpolated($"remaining  [green]{Remaining}[/]");
    }
}
