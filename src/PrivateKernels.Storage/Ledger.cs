namespace PrivateKernels.Storage;

/// <summary>
/// The durable account of what was disclosed: reserve, build, save, post. The only issuer of <see cref="Receipt"/>.
/// </summary>
/// <remarks>
/// Guarantee: a receipt exists only after its RESERVE entry is on disk and in the witness; the sum of posted and held
/// units never exceeds the limit; and each reservation lets one draw of noise be read, because POST needs the current attempt.
/// </remarks>
public sealed class Ledger
{
    /// <summary>Holds the price and gives the right to build. BUDGET_EXHAUSTED if it is above what remains.</summary>
    public Task<Reservation> ReserveAsync(ReserveRequest request) => throw new NotSupportedException();

    /// <summary>Turns the hold into a spend and makes the saved release READY.</summary>
    public Task<ReleaseRow> PostAsync(Build build, SavedRelease saved) => throw new NotSupportedException();

    /// <summary>
    /// Returns the hold of a build that has not entered RELEASING; its release becomes FAILED with this error.
    /// Throws <see cref="InvalidOperationException"/> once noise may exist.
    /// </summary>
    public Task VoidAsync(Build build, string errorReason, string errorMessage) => throw new NotSupportedException();

    /// <summary>
    /// The next attempt of a build that failed after RELEASING in this process: what it drew is deleted unread, and the
    /// old receipt can no longer post.
    /// </summary>
    public Task<Build> RestartAsync(Build build) => throw new NotSupportedException();

    /// <summary>Last entry.</summary>
    public LedgerPosition Head => throw new NotSupportedException();

    /// <summary>Entries after a sequence number, oldest first; of the account of one dataset, or of all if null.</summary>
    public IReadOnlyList<LedgerRow> ListEntries(string? datasetId, long afterSequence, int count) =>
        throw new NotSupportedException();

    /// <summary>Signs a position as it leaves the server.</summary>
    public LedgerCertificate Certify(LedgerPosition position) => throw new NotSupportedException();

    /// <summary>Whether this ledger signed it.</summary>
    public bool IsGenuine(LedgerCertificate certificate) => throw new NotSupportedException();
}
