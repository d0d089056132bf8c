using System.Globalization;

namespace PrivateKernels.Storage;

/// <summary>What a restore came to.</summary>
/// <param name="AcceptedLoss">
/// False: the ledger is where its witness saw it last, and was only unsealed. True: a new epoch, every account spent.
/// </param>
/// <param name="Head">Last entry now.</param>
/// <param name="Accounts">As they are now.</param>
/// <param name="Unposted">Release files that no entry accounts for; moved to "unposted", since they are out in the world.</param>
public sealed record RestoreReport(
    bool AcceptedLoss, LedgerPosition Head, IReadOnlyList<AccountRow> Accounts, IReadOnlyList<string> Unposted);

/// <summary>Takes a copy, or a ledger that is behind, into service again.</summary>
/// <remarks>
/// Guarantee: no restore leaves more to spend than there was. Where the ledger is not the newest one that its witness
/// saw, every account is charged its whole limit in the transaction that begins the new epoch, because what was spent in
/// the lost time is not known; certificates are recorded and lower nothing.
/// </remarks>
public static class Restore
{
    /// <summary>
    /// Offline: DIRECTORY_LOCKED while a server has the directory, or any server the ledger in PostgreSQL. May be interrupted
    /// and run again. Where servers share the ledger, one restore is for all of them.
    /// </summary>
    /// <param name="path">Data directory: a backup copied into place, or what is left of one.</param>
    /// <param name="options">Where ledger and surviving witness are. The witness is replaced.</param>
    /// <param name="certificates">Positions that left the server; one that is not its own is refused.</param>
    /// <param name="acceptLoss">Without it, LEDGER_BEHIND where entries may be lost.</param>
    /// <param name="from">A copy to load first into a PostgreSQL that has no ledger; null = what is there is restored.</param>
    public static RestoreReport Run(
        string path, StorageOptions options, IReadOnlyList<LedgerCertificate> certificates, bool acceptLoss, string? from = null) =>
        LedgerCheck.Reading(() => Take(path, options, certificates, acceptLoss, from));

    static RestoreReport Take(
        string path, StorageOptions options, IReadOnlyList<LedgerCertificate> certificates, bool acceptLoss, string? from)
    {
        if (options.Postgres is null) DataDirectory.CheckPresent(path);
        else Disk.MakeDirectory(path);
        using FileStream held = DataDirectory.TakeLock(path);
        Dialect dialect = DataDirectory.DialectOf(path, options);
        if (from is not null) Load(dialect, from);
        using WitnessRow? row = options.WitnessConnectionString is { } elsewhere ? new WitnessRow(elsewhere, options.AllowInsecureWitness) : null;
        string witnessPath = options.WitnessPath ?? DataDirectory.WitnessPath(path);
        using DatabaseSession database = dialect.Connect(writes: true);
        if (!dialect.TryHold(database, alone: true))
            throw new StorageException(Reasons.DirectoryLocked, "Servers use the ledger: stop all of them, then restore it.");
        dialect.CheckServer(database);
        if (dialect.HasTables(database)) Migration.Run(dialect, database);
        LedgerIdentity identity = LedgerCheck.Verify(dialect, database);
        LedgerPosition? seen = row is null ? Witness.Look(witnessPath).Position : row.Read();
        UnpostedFiles files = UnpostedFiles.Among(UnpostedFiles.List(path), database, identity.Head);
        CertificateState[] states = [.. certificates.Select(c => CertificateCheck.Of(database, identity, c))];
        if (states.Contains(CertificateState.NotGenuine))
            throw new InvalidFieldException(
                "certificates", Array.IndexOf(states, CertificateState.NotGenuine), "that certificate was not signed by this ledger");
        // Of servers that share a ledger each may have a witness that saw more than that of another one.
        bool sawAll = row is not null || !dialect.IsShared;
        bool isNewest = sawAll && Witness.Same(seen, identity.Head) && files.Lost.Count == 0
            && !states.Contains(CertificateState.NotInLedger);
        if (!isNewest && !acceptLoss)
            throw sawAll ? LedgerCheck.Behind(identity.Head, seen) : new StorageException(
                Reasons.LedgerBehind,
                "Entries may be lost: only a witness that all servers share (Witness:ConnectionString) would show that none are.");
        LedgerPosition head = isNewest ? identity.Head : Recover(dialect, database, identity.Head, certificates, options.Clock);
        if (!isNewest)
        {
            Failpoint.Hit("restore.after_recover");
            DeletePending(path);
            ReplaceWitness(row, witnessPath, head);
        }
        string[] unposted = [.. files.Lost, .. files.Accepted];
        UnpostedFiles.MoveAside(path, unposted);
        Failpoint.Hit("restore.before_unseal");
        database.Execute("UPDATE ledger_head SET sealed = 0");
        dialect.Settle(database);
        return new(
            !isNewest, head, [.. AccountTable.All(database).Select(static a => a.Row)],
            [.. unposted.Select(static f => Path.GetFileName(f))]);
    }

    static void Load(Dialect dialect, string from)
    {
        if (dialect is not PostgresDialect postgres)
            throw new InvalidFieldException("from", from, "is for a ledger in PostgreSQL; a copy of a data directory is restored where it lies");
        // On a connection of its own: what a refusal leaves half done is undone with it.
        using PostgresSession database = postgres.Connect(writes: true);
        postgres.CheckServer(database);
        PostgresCopy.Load(postgres, database, from);
    }

    static LedgerPosition Recover(
        Dialect dialect, DatabaseSession database, LedgerPosition head, IReadOnlyList<LedgerCertificate> certificates, TimeProvider time)
    {
        head = dialect.Begin(database, head);
        var transaction = new Transaction(dialect, database, head with { Epoch = head.Epoch + 1 }, time.GetUtcNow());
        // Until the witness and the files have followed, no server may start.
        database.Execute("UPDATE ledger_head SET sealed = 1");
        string reason = string.Create(CultureInfo.InvariantCulture, $"restored; entries after {head.Sequence} of epoch {head.Epoch} may be lost");
        byte[] shown = CertificateCheck.ToBytes(certificates);
        foreach (Account account in AccountTable.All(database)) ReservationTable.Recover(transaction, account, reason, shown);
        transaction.WriteHead();
        database.Execute("COMMIT");
        // Without an account there is nothing to charge and no entry that could begin an epoch.
        return transaction.Head.Sequence == head.Sequence ? head : transaction.Head;
    }

    static void DeletePending(string path)
    {
        string pending = Path.Combine(path, "pending");
        if (!Directory.Exists(pending)) return;
        foreach (string file in Directory.GetFiles(pending)) Disk.Delete(file);
    }

    static void ReplaceWitness(WitnessRow? row, string path, LedgerPosition head)
    {
        if (row is not null)
        {
            row.TryAdvance(row.Read(), head);
            return;
        }
        Disk.Delete(path);
        using var witness = new Witness(path);
        witness.TryAdvance(null, head);
    }
}
