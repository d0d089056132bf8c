using System.CommandLine;
using PrivateKernels.Server;
using PrivateKernels.Storage;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk ledger role: prepares a PostgreSQL, as its owner, for servers that may read and append.</summary>
static class LedgerRoleCommand
{
    static readonly Argument<string> Role = new("NAME") { Description = "Role of the servers; it exists, and owns nothing of the ledger." };

    public static Command Create() => new Command(
        "role",
        "As the owner (Ledger:ConnectionString), make the tables in PostgreSQL or bring them up, and let NAME read and append.")
    {
        Role,
    }.Runs(RunAsync);

    static Task RunAsync(Session session, CancellationToken cancellation)
    {
        PostgresOptions owner = Configuration.Read([]).ToStorage(null).Postgres
            ?? throw new ConfigurationException("Ledger:Provider is Sqlite: there is no role; rights to the data directory are those of its files.");
        string role = session.Get(Role);
        IReadOnlyList<string> statements = LedgerRole.Grant(owner, role);
        session.Terminal.Write(new { Role = role, Statements = statements }, console =>
        {
            foreach (string statement in statements) console.WriteLine($"{statement};");
            session.Terminal.Remark($"Done. Give servers the connection string of {role}; keep the owner's for upgrades and restores.");
        });
        return Task.CompletedTask;
    }
}
