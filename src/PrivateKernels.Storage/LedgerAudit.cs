namespace PrivateKernels.Storage;

/// <summary>What <see cref="LedgerAudit.Verify"/> found.</summary>
/// <param name="Head">Last entry.</param>
/// <param name="Accounts">What the entries add up to.</param>
/// <param name="IsSealed">A copy from a backup: whole, but not to be served.</param>
/// <param name="IsWitnessed">False for a copy, and for a server yet to come, that has no witness.</param>
/// <param name="CanRewrite">Whether the role of the connection could change entries; null for a file.</param>
/// <param name="Certificates">One for each certificate that was given, in order.</param>
public sealed record LedgerReport(
    LedgerPosition Head, IReadOnlyList<AccountRow> Accounts, bool IsSealed, bool IsWitnessed, bool? CanRewrite,
    IReadOnlyList<CertificateState> Certificates);

/// <summary>One account with all its entries, oldest first, and both as DpEvents in JSON.</summary>
public sealed record AccountReport(AccountRow Account, IReadOnlyList<LedgerRow> Entries, string EventsJson);

/// <summary>Checks and reads a ledger from outside, beside its servers or without one. Nothing is written.</summary>
public static class LedgerAudit
{
    /// <summary>
    /// Verifies what a start verifies: settings and file of the database, the chain, the tables, the witness, the release
    /// files that are here; and certificates against it. Throws <see cref="StorageException"/> with LEDGER_CORRUPT, or with
    /// LEDGER_BEHIND if the witness, a release or a genuine certificate names an entry that the ledger does not have.
    /// </summary>
    /// <param name="path">Data directory, or a backup of one. Where PostgreSQL has the ledger it may be missing.</param>
    /// <param name="options">Where ledger and witness are.</param>
    /// <param name="certificates">From downloads and lists; two with one sequence and different hashes prove a fork.</param>
    public static LedgerReport Verify(string path, StorageOptions options, IReadOnlyList<LedgerCertificate> certificates) =>
        Read(path, options, (dialect, database, identity, seen) =>
        {
            List<CertificateState> states = [.. certificates.Select(c => CertificateCheck.Of(database, identity, c))];
            int lost = states.IndexOf(CertificateState.NotInLedger);
            if (lost >= 0) throw LedgerCheck.Behind(identity.Head, certificates[lost].Position);
            return new LedgerReport(
                identity.Head, [.. AccountTable.All(database).Select(static a => a.Row)], LedgerCheck.IsSealed(database),
                seen.Position is not null, dialect.CanRewrite(database), states);
        });

    /// <summary>
    /// The account of a dataset, after the checks of <see cref="Verify"/>. RESOURCE_NOT_FOUND; ACCOUNT_MISMATCH for a dataset
    /// without an account.
    /// </summary>
    public static AccountReport ReadAccount(string path, StorageOptions options, string datasetId) =>
        Read(path, options, (_, database, identity, _) =>
        {
            long id = DatasetTable.Get(database, datasetId).AccountId ?? throw AccountTable.NoAccount();
            AccountRow account = AccountTable.Get(database, id).Row;
            List<LedgerRow> entries =
                LedgerEntries.Read(database, identity.Head.LedgerId, id, 0, identity.Head.Sequence, int.MaxValue);
            var head = new LedgerCertificate(identity.Head, HashChain.Mac(identity.MacKey, identity.Head));
            return new AccountReport(account, entries, PrivacyEvents.ToJson(account, entries, head));
        });

    static T Read<T>(string path, StorageOptions options, Func<Dialect, DatabaseSession, LedgerIdentity, Sighting, T> read) =>
        LedgerCheck.Reading(() =>
        {
            if (options.Postgres is null) DataDirectory.CheckPresent(path);
            Dialect dialect = DataDirectory.DialectOf(path, options);
            // Read first: a running server may move both on after the snapshot below was taken.
            Sighting seen = Sighting.Of(path, options);
            string[] files = UnpostedFiles.List(path);
            using DatabaseSession database = dialect.Connect(writes: false);
            dialect.CheckServer(database);
            dialect.BeginSnapshot(database);
            LedgerIdentity identity = LedgerCheck.Verify(dialect, database);
            bool isSealed = LedgerCheck.IsSealed(database);
            if (!isSealed || seen.Position is not null) LedgerCheck.CheckAgainst(dialect, database, identity.Head, seen);
            if (!isSealed && UnpostedFiles.Among(files, database, identity.Head).Lost.Count > 0)
                throw LedgerCheck.Behind(identity.Head, null);
            return read(dialect, database, identity, seen);
        });
}
