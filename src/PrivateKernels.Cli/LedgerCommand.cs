using System.CommandLine;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>
/// pk ledger show and export: what was spent, what remains, every entry; and the same for others to price. Asked of a server,
/// or read from the ledger itself.
/// </summary>
static class LedgerCommand
{
    static readonly Argument<string> Dataset = new("DATASET") { Description = "A dataset of the account." };

    static readonly Option<string?> Out = new("--out")
    {
        Description = "File to write; standard output otherwise.",
        HelpName = "FILE",
    };

    static readonly Option<bool> Offline = new("--offline")
    {
        Description = "Verify and read the ledger itself, in --data or in the PostgreSQL that is configured, and ask no server.",
    };

    public static Command Create() => new("ledger", "Look at accounts.")
    {
        new Command("show", "Show what was spent, what remains, and every entry.")
            { Dataset, CommonOptions.Server, Offline, LedgerFiles.DataDirectory, LedgerFiles.Witness }.Runs(RunAsync),
        new Command("export", "Write the account as DpEvents in JSON, as dp_accounting reads them.")
            { Dataset, Out, CommonOptions.Server, Offline, LedgerFiles.DataDirectory, LedgerFiles.Witness }.Runs(ExportAsync),
        LedgerFiles.CreateVerify(),
        LedgerRoleCommand.Create(),
    };

    static async Task ExportAsync(Session session, CancellationToken cancellation)
    {
        string json = session.Get(Offline)
            ? Stored(session).EventsJson
            : (await session.Dataset(Dataset).ExportEventsAsync(cancellation)).EventsJson;
        if (session.Get(Out) is not { } file)
        {
            session.Terminal.WriteDocument(json);
            return;
        }
        await File.WriteAllTextAsync(file, json, cancellation);
        session.Terminal.Write(new { File = file }, console => console.MarkupLineInterpolated($"[green]{file}[/]"));
    }

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        if (session.Get(Offline))
        {
            StoredLedger stored = Stored(session);
            Write(session.Terminal, stored.Budget, stored.Entries);
            return;
        }
        V1.Budget budget = await session.Dataset(Dataset).GetBudgetAsync(cancellation);
        var entries = new List<V1.LedgerEntry>();
        await foreach (V1.LedgerEntry entry in session.Dataset(Dataset).ListLedgerAsync(cancellation))
            entries.Add(entry);
        Write(session.Terminal, budget, entries);
    }

    static StoredLedger Stored(Session session)
    {
        (string path, Storage.StorageOptions options) = LedgerFiles.Place(session);
        return StoredLedger.Read(path, options, session.Get(Dataset));
    }

    static void Write(Terminal terminal, V1.Budget budget, IReadOnlyList<V1.LedgerEntry> entries)
    {
        Account account = Account.Of(budget);
        Loss Amount(V1.LedgerEntry e) => Show.Amount(budget.Unit, e.Units, budget.Limit.Delta);
        var document = new
        {
            account.Spent,
            account.Remaining,
            account.Limit,
            budget.Population,
            Entries = entries.Select(e => new
            {
                e.Position.Sequence,
                Kind = Show.Name(e.Kind),
                e.Dataset,
                e.Release,
                e.Units,
                Amount(e).Mu,
                Amount(e).Epsilon,
                e.SpentUnits,
                e.ReservedUnits,
                e.LimitUnits,
                Mechanism = Show.Name(e.Mechanism),
                e.NoiseScale,
                e.Reason,
                Time = e.Time.ToDateTimeOffset(),
                Hash = Convert.ToHexStringLower(e.Position.Hash.Span),
            }),
        };
        terminal.Write(document, console =>
        {
            Table table = terminal.Table("entry", "time", "kind", "release", "amount", "spent after it");
            foreach (V1.LedgerEntry e in entries)
                table.AddRow(
                    $"{e.Position.Sequence}", $"{e.Time.ToDateTimeOffset():u}", Show.Name(e.Kind),
                    Markup.Escape(e.Release.Length == 0 ? e.Dataset : ReleaseName.Short(e.Release)),
                    e.Units == 0 ? "" : $"{Amount(e)}",
                    $"{Show.Amount(budget.Unit, e.SpentUnits, budget.Limit.Delta)}");
            console.Write(table);
            terminal.Sentences(
                console, entries.Where(static e => e.Reason.Length > 0).Select(static e => ($"entry {e.Position.Sequence}", e.Reason)));
            account.Write(console);
        });
    }
}
