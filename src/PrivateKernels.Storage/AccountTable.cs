using System.Globalization;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>An account with its key in the database.</summary>
sealed record Account(long Id, AccountRow Row);

/// <summary>Accounts inside a transaction: everything that moves units, each with its ledger entry.</summary>
static class AccountTable
{
    const string Columns = "account_id, population, unit, adjacency, display_delta, limit_units, spent_units, reserved_units";

    internal static Account? Find(DatabaseSession database, string population) =>
        database.First($"SELECT {Columns} FROM accounts WHERE population = $1", Read, population);

    internal static Account Get(DatabaseSession database, long id) =>
        database.First($"SELECT {Columns} FROM accounts WHERE account_id = $1", Read, id)
        ?? throw Missing();

    internal static List<Account> All(DatabaseSession database) =>
        database.Query($"SELECT {Columns} FROM accounts ORDER BY account_id", Read);

    internal static Account Open(Transaction t, string population, AccountTerms terms, Adjacency adjacency)
    {
        long id = t.Database.Number("SELECT COALESCE(MAX(account_id), 0) + 1 FROM accounts");
        t.Database.Execute(
            "INSERT INTO accounts (account_id, population, unit, adjacency, display_delta, limit_units) VALUES ($1, $2, $3, $4, $5, $6)",
            id, population, terms.Unit, adjacency, terms.DisplayDelta, terms.LimitUnits);
        Account account = Get(t.Database, id);
        t.Append(account, LedgerEntryKind.Open, terms.LimitUnits, new() { Unit = terms.Unit, DisplayDelta = terms.DisplayDelta });
        return account;
    }

    internal static Account SetLimit(Transaction t, Account account, AccountTerms terms, string reason)
    {
        if (terms.Unit != account.Row.Unit) throw Mismatch("limit", "the kind of an account cannot change");
        long used = account.Row.SpentUnits + account.Row.ReservedUnits;
        if (terms.LimitUnits < used)
            throw new StorageException(
                Reasons.LimitBelowUsed, "The new limit is below what is spent and held; ask for a higher one.",
                new Dictionary<string, string> { ["used"] = Invariant(used), ["requested"] = Invariant(terms.LimitUnits) });
        t.Database.Execute(
            "UPDATE accounts SET limit_units = $1, display_delta = $2 WHERE account_id = $3",
            terms.LimitUnits, terms.DisplayDelta, account.Id);
        account = Get(t.Database, account.Id);
        t.Append(account, LedgerEntryKind.Limit, terms.LimitUnits, new() { Reason = reason, DisplayDelta = terms.DisplayDelta });
        return account;
    }

    /// <summary>
    /// Holds units. Guarantee: the one condition that admits a spend, in integers that cannot overflow:
    /// units &lt;= limit - spent - reserved.
    /// </summary>
    internal static Account Hold(Transaction t, Account account, long units) =>
        t.Database.First(
            $"""
            UPDATE accounts SET reserved_units = reserved_units + $1 WHERE account_id = $2
              AND $1 <= limit_units - spent_units - reserved_units RETURNING {Columns}
            """,
            Read, units, account.Id)
        ?? throw Exhausted(account.Row, units);

    /// <summary>Turns a hold into a spend (POST).</summary>
    internal static Account Spend(Transaction t, long accountId, long units) => t.Database.First(
        $"""
        UPDATE accounts SET reserved_units = reserved_units - $1, spent_units = spent_units + $1 WHERE account_id = $2
          RETURNING {Columns}
        """,
        Read, units, accountId) ?? throw Missing();

    /// <summary>Returns a hold (VOID).</summary>
    internal static Account Return(Transaction t, long accountId, long units) => t.Database.First(
        $"UPDATE accounts SET reserved_units = reserved_units - $1 WHERE account_id = $2 RETURNING {Columns}", Read, units, accountId)
        ?? throw Missing();

    /// <summary>Charges all that is left and all that is held: what was spent in the lost time is not known (RECOVER).</summary>
    internal static Account Exhaust(Transaction t, long accountId) => t.Database.First(
        $"UPDATE accounts SET spent_units = limit_units, reserved_units = 0 WHERE account_id = $1 RETURNING {Columns}", Read, accountId)
        ?? throw Missing();

    internal static StorageException NoAccount() => Mismatch("population", "the dataset is not private and has no account");

    static StorageException Missing() => new(Reasons.LedgerCorrupt, "An account of the ledger is missing.");

    internal static StorageException Mismatch(string field, string rule) => new(
        Reasons.AccountMismatch, $"The account does not fit: {rule}.", new Dictionary<string, string> { ["field"] = field });

    static StorageException Exhausted(AccountRow account, long units) => new(
        Reasons.BudgetExhausted,
        "The privacy budget does not allow this release; ask for less, or have the owner raise the limit.",
        new Dictionary<string, string>
        {
            ["limit"] = Invariant(account.LimitUnits),
            ["spent"] = Invariant(account.SpentUnits),
            ["reserved"] = Invariant(account.ReservedUnits),
            ["requested"] = Invariant(units),
            ["remaining"] = Invariant(account.RemainingUnits),
            ["unit"] = account.Unit == CostUnit.MuSquared ? "mu_squared_2^-40" : "epsilon_2^-40",
            ["delta"] = account.DisplayDelta.ToString("R", CultureInfo.InvariantCulture),
        });

    static Account Read(DbDataReader r) => new(
        r.GetInt64(0),
        new(r.GetString(1), (CostUnit)r.GetInt64(2), (Adjacency)r.GetInt64(3), r.GetDouble(4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7)));

    static string Invariant(long number) => number.ToString(CultureInfo.InvariantCulture);
}
