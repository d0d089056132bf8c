using System.CommandLine;
using PrivateKernels.Client;
using PrivateKernels.Server;
using PrivateKernels.Storage;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>
/// pk ledger verify, pk backup, pk restore: work on a data directory itself, and on the PostgreSQL that has its ledger, where
/// one is configured. The first two may run beside a server.
/// </summary>
static class LedgerFiles
{
    internal static readonly Option<string?> DataDirectory = new("--data")
    {
        Description = "Data directory (default: Data:Directory of the configuration, or ./pk-data).",
        HelpName = "DIR",
    };

    internal static readonly Option<string?> Witness = new("--witness")
    {
        Description = "File of the witness, where it is not in the data directory (the server's Witness:Path).",
        HelpName = "FILE",
    };

    static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "Certificates that were saved beside downloads, or exports of the ledger.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = static _ => [],
    };

    static readonly Argument<string> Target = new("DIR") { Description = "Where the copy goes; empty, or not there yet." };

    static readonly Option<bool> AcceptLoss = new("--accept-loss")
    {
        Description = "Go on from a ledger that may lack entries: every account is charged its whole limit.",
    };

    static readonly Option<string?> From = new("--from")
    {
        Description = "Copy to load first, into a PostgreSQL that has no ledger.",
        HelpName = "DIR",
    };

    static readonly Option<string[]> Certificates = new("--certificates")
    {
        Description = "Certificates to check and to record.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command CreateVerify() => new Command(
        "verify", "Check a ledger: its chain, its tables, its witness, and certificates against it.")
    {
        Files, DataDirectory, Witness,
    }.Runs(VerifyAsync);

    public static Command CreateBackup() => new Command(
        "backup", "Copy a data directory, or the ledger in PostgreSQL with its rows and releases, beside servers or without one.")
    {
        Target, DataDirectory,
    }.Runs(BackupAsync);

    public static Command CreateRestore() => new Command(
        "restore", "Take a copy, or a ledger that is behind, into service again. Never leaves more to spend.")
    {
        DataDirectory, Witness, AcceptLoss, Certificates, From,
    }.Runs(RestoreAsync);

    static Task VerifyAsync(Session session, CancellationToken cancellation)
    {
        string[] files = session.Get(Files);
        LedgerCertificate[] certificates = [.. files.Select(Read)];
        (string path, StorageOptions options) = Place(session);
        LedgerReport report = LedgerAudit.Verify(path, options, certificates);
        foreach ((string file, CertificateState state) in files.Zip(report.Certificates))
            if (state == CertificateState.NotGenuine)
                throw new InvalidDataException($"{file} was not signed by this ledger; it proves nothing. The ledger is whole.");
        var document = new
        {
            Entries = report.Head.Sequence,
            report.Head.Epoch,
            Hash = Convert.ToHexStringLower(report.Head.Hash.Span),
            Sealed = report.IsSealed,
            Witnessed = report.IsWitnessed,
            report.CanRewrite,
            Accounts = report.Accounts.Select(Document),
            Certificates = files.Zip(report.Certificates, static (file, state) => new { File = file, State = Name(state) }),
        };
        session.Terminal.Write(document, console =>
        {
            console.MarkupLineInterpolated(
                $"[green]The ledger is whole[/]: {report.Head.Sequence} entries, epoch {report.Head.Epoch}, head {document.Hash}.");
            console.WriteLine(report.IsWitnessed ? "It has what its witness saw." : "No witness lies beside it.");
            if (report.CanRewrite is { } can)
                console.WriteLine(
                    $"The role of the connection {(can ? "could rewrite it: see 'pk ledger role'" : "reads and appends")}.");
            if (report.IsSealed) console.WriteLine("It is a sealed copy: restore it before a server starts on it.");
            Show(session.Terminal, console, report.Accounts);
            foreach ((string file, CertificateState state) in files.Zip(report.Certificates))
                console.MarkupLineInterpolated($"{file}: {Name(state)}");
        });
        return Task.CompletedTask;
    }

    static Task BackupAsync(Session session, CancellationToken cancellation)
    {
        string target = session.Get(Target);
        (string path, StorageOptions options) = Place(session);
        BackupReport report = Backup.Create(path, options, target);
        session.Terminal.Write(
            new { Directory = target, Entries = report.Head.Sequence, report.Segments, report.Releases, report.Bytes },
            console => console.MarkupLineInterpolated(
                $"[green]{target}[/]: {report.Head.Sequence} ledger entries, {report.Segments} segments, {report.Releases} releases; sealed."));
        return Task.CompletedTask;
    }

    static Task RestoreAsync(Session session, CancellationToken cancellation)
    {
        LedgerCertificate[] certificates = [.. (session.Get(Certificates) ?? []).Select(Read)];
        (string path, StorageOptions options) = Place(session);
        RestoreReport report = Restore.Run(path, options, certificates, session.Get(AcceptLoss), session.Get(From));
        var document = new
        {
            report.AcceptedLoss,
            Entries = report.Head.Sequence,
            report.Head.Epoch,
            Accounts = report.Accounts.Select(Document),
            report.Unposted,
        };
        session.Terminal.Write(document, console =>
        {
            if (report.AcceptedLoss)
                console.MarkupLineInterpolated($"[yellow]Entries may be lost[/]: epoch {report.Head.Epoch} begins, and every account is spent.");
            else console.MarkupLine("[green]Nothing is lost[/]: the ledger is where its witness saw it last. It may be served.");
            Show(session.Terminal, console, report.Accounts);
            foreach (string name in report.Unposted) console.MarkupLineInterpolated($"moved to unposted/: {name}");
        });
        return Task.CompletedTask;
    }

    /// <summary>
    /// Where ledger and witness are: by the variables and the file that configure a server, since secrets are in no command
    /// line, and by the options of the command.
    /// </summary>
    internal static (string Path, StorageOptions Options) Place(Session session)
    {
        ServerOptions configured = Configuration.Read([]);
        StorageOptions options = configured.ToStorage(null);
        if (session.Get(Witness) is { } witness) options = options with { WitnessPath = witness, WitnessConnectionString = null };
        return (session.Get(DataDirectory) ?? configured.Data.Directory, options);
    }

    static LedgerCertificate Read(string file)
    {
        V1.LedgerPosition p = CertificateFile.Read(file);
        return new(new(p.LedgerId.Memory, p.Epoch, p.Sequence, p.Hash.Memory), p.Mac.Memory);
    }

    static object Document(AccountRow a) => new { a.Population, Unit = UnitName(a), a.LimitUnits, a.SpentUnits, a.ReservedUnits };

    static void Show(Terminal terminal, IAnsiConsole console, IReadOnlyList<AccountRow> accounts)
    {
        Table table = terminal.Table("account", "unit", "limit", "spent", "held");
        foreach (AccountRow a in accounts)
            table.AddRow(Markup.Escape(a.Population), UnitName(a), $"{a.LimitUnits}", $"{a.SpentUnits}", $"{a.ReservedUnits}");
        if (accounts.Count > 0) console.Write(table);
    }

    static string UnitName(AccountRow a) => a.Unit == CostUnit.MuSquared ? "mu^2 / 2^40" : "epsilon / 2^40";

    static string Name(CertificateState state) => state switch
    {
        CertificateState.InLedger => "genuine, and in the ledger",
        CertificateState.LostInRecovery => "genuine; its entry went with a loss that was accepted",
        CertificateState.NotInLedger => "genuine, but not in the ledger",
        _ => "not signed by this ledger",
    };
}
