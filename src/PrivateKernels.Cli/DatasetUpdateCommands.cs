using System.CommandLine;
using PrivateKernels.Client;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk dataset update, budget, upload and abort: what may change later, and uploads that were cut off.</summary>
static class DatasetUpdateCommands
{
    static readonly Argument<string> Name = new("NAME") { Description = "Id of the dataset." };

    static readonly Argument<Guid> Upload = new("UPLOAD_ID") { Description = "As 'pk dataset import' named it (--upload-id)." };

    static readonly Option<string?> DisplayName = new("--display-name") { Description = "For people.", HelpName = "TEXT" };

    static readonly Option<string?> Description = new("--description") { Description = "For people.", HelpName = "TEXT" };

    static readonly Option<double> Epsilon = new("--epsilon")
    {
        Description = "New limit of the account.",
        Required = true,
        HelpName = "E",
    };

    static readonly Option<double?> Delta = new("--delta")
    {
        Description = "Delta beside it (default: that of the account).",
        HelpName = "DELTA",
    };

    static readonly Option<string> Reason = new("--reason")
    {
        Description = "Why; stored in the ledger.",
        Required = true,
        HelpName = "TEXT",
    };

    static readonly Option<bool> ValidateOnly = new("--validate-only") { Description = "Check everything, change nothing." };

    public static IEnumerable<Command> Create() =>
    [
        new Command("update", "Change the texts of a dataset.")
            { Name, DisplayName, Description, CommonOptions.Server }.Runs(UpdateAsync),
        new Command("budget", "Set the limit of a dataset's account; the ledger keeps it with the reason.")
            { Name, Epsilon, Delta, Reason, ValidateOnly, CommonOptions.Server }.Runs(BudgetAsync),
        new Command("upload", "Show where an upload stands.") { Name, Upload, CommonOptions.Server }.Runs(UploadAsync),
        new Command("abort", "Discard an upload that is not finished.") { Name, Upload, CommonOptions.Server }.Runs(AbortAsync),
    ];

    static async Task UpdateAsync(Session session, CancellationToken cancellation)
    {
        (string? displayName, string? description) = (session.Get(DisplayName), session.Get(Description));
        if (displayName is null && description is null)
            throw new InvalidFieldException("display-name", null, "give --display-name, --description or both");
        V1.Dataset dataset = await session.Dataset(Name).UpdateAsync(displayName, description, cancellation);
        session.Terminal.Write(new { Dataset = session.Get(Name), dataset.DisplayName, dataset.Description }, console =>
            console.MarkupLineInterpolated($"[bold]{session.Get(Name)}[/]: {dataset.DisplayName} {dataset.Description}"));
    }

    static async Task BudgetAsync(Session session, CancellationToken cancellation)
    {
        DatasetHandle dataset = session.Dataset(Name);
        double delta = session.Get(Delta) ?? (await dataset.GetBudgetAsync(cancellation)).Limit.Delta;
        V1.Budget budget = await dataset.UpdateBudgetAsync(
            new(session.Get(Epsilon), delta), session.Get(Reason)!, session.Get(ValidateOnly), cancellation);
        Account account = Account.Of(budget);
        session.Terminal.Write(new { budget.Population, account.Limit, account.Spent, account.Remaining }, account.Write);
    }

    static async Task UploadAsync(Session session, CancellationToken cancellation)
    {
        V1.GetUploadResponse upload = await session.Dataset(Name).GetUploadAsync(session.Get(Upload), cancellation);
        DateTimeOffset? expires = upload.ExpireTime?.ToDateTimeOffset();
        session.Terminal.Write(new { upload.NextSequence, upload.Finished, Expires = expires }, console =>
            console.MarkupLineInterpolated(upload.Finished
                ? (FormattableString)$"[green]finished[/]: its rows are part of the dataset."
                : $"waits for batch {upload.NextSequence}; discarded after {expires:u}."));
    }

    static async Task AbortAsync(Session session, CancellationToken cancellation)
    {
        Guid upload = session.Get(Upload);
        await session.Dataset(Name).AbortUploadAsync(upload, cancellation);
        session.Terminal.Write(new { UploadId = upload, Aborted = true }, console =>
            console.MarkupLineInterpolated($"{upload} is discarded; none of its rows count."));
    }
}
