namespace PrivateKernels.Storage;

/// <summary>What <see cref="LedgerAudit.Verify"/> found.</summary>
/// <param name="Head">Last entry.</param>
/// <param name="Accounts">What the entries add up to.</param>
/// <param name="IsSealed">A copy from a backup: whole, but not to be served.</param>
/// <param name="IsWitnessed">False for a copy that has no witness beside it.</param>
/// <param name="Certificates">One for each certificate that was given, in order.</param>
public sealed record LedgerReport(
    LedgerPosition Head, IReadOnlyList<AccountRow> Accounts, bool IsSealed, bool IsWitnessed,
    IReadOnlyList<CertificateState> Certificates);

/// <summary>Checks a ledger from outside, beside a running server or without one. Nothing is written.</summary>
public static class LedgerAudit
{
    /// <summary>
    /// Verifies the file, the chain, the tables, the witness, and certificates against it. Throws
    /// <see cref="StorageException"/> with LEDGER_CORRUPT, or with LEDGER_BEHIND if the witness or a genuine certificate
    /// names an entry that the ledger does not have.
    /// </summary>
    /// <param name="path">Data directory, or a backup of one.</param>
    /// <param name="witnessPath">Null = "witness" in the directory.</param>
    /// <param name="certificates">From downloads and lists; two with one sequence and different hashes prove a fork.</param>
    public static LedgerReport Verify(string path, string? witnessPath, IReadOnlyList<LedgerCertificate> certificates) =>
        LedgerCheck.Reading(() => Check(path, witnessPath, certificates));

    static LedgerReport Check(string path, string? witnessPath, IReadOnlyList<LedgerCertificate> certificates)
    {
        DataDirectory.CheckPresent(path);
        var dialect = new SqliteDialect(DataDirectory.DatabasePath(path));
        // Read first: a running server may move it on after the snapshot below was taken.
        LedgerPosition? seen = Witness.ReadFile(witnessPath ?? DataDirectory.WitnessPath(path));
        using DatabaseSession database = dialect.Connect(writes: false);
        database.Execute("BEGIN");
        LedgerIdentity identity = LedgerCheck.Verify(dialect, database);
        bool isSealed = LedgerCheck.IsSealed(database);
        if (seen is not null) LedgerCheck.CheckAgainst(database, identity.Head, seen);
        else if (!isSealed && identity.Head.Sequence > 0) throw LedgerCheck.Corrupt("The witness of the ledger is missing or altered.");
        List<CertificateState> states = [.. certificates.Select(c => CertificateCheck.Of(database, identity, c))];
        int lost = states.IndexOf(CertificateState.NotInLedger);
        if (lost >= 0) throw LedgerCheck.Behind(identity.Head, certificates[lost].Position);
        return new(identity.Head, [.. AccountTable.All(database).Select(static a => a.Row)], isSealed, seen is not null, states);
    }
}
