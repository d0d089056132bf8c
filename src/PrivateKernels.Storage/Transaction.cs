namespace PrivateKernels.Storage;

/// <summary>What the commands of one group commit see: the database, the head of the chain, and one time for all.</summary>
/// <remarks>On the writer's thread only.</remarks>
sealed class Transaction(Dialect dialect, DatabaseSession database, LedgerPosition head, DateTimeOffset time)
{
    internal Dialect Dialect { get; } = dialect;

    internal DatabaseSession Database { get; } = database;

    internal DateTimeOffset Time { get; } = time;

    /// <summary>The time as rows keep it.</summary>
    internal DateTimeOffset Second => DateTimeOffset.FromUnixTimeSeconds(Time.ToUnixTimeSeconds());

    /// <summary>Last entry before this transaction.</summary>
    internal LedgerPosition Begun { get; } = head;

    /// <summary>Until when a build that is begun now is its server's own, in seconds; null where there is one server.</summary>
    internal long? LeaseUntil => Dialect.IsShared ? Time.ToUnixTimeSeconds() + Dialect.LeaseSeconds : null;

    /// <summary>
    /// As <see cref="LeaseUntil"/> for a classification job: no other server has its predictions so far, so it waits longer
    /// for a server that only restarts.
    /// </summary>
    internal long? JobLeaseUntil => Dialect.IsShared ? Time.ToUnixTimeSeconds() + Dialect.JobLeaseSeconds : null;

    /// <summary>Last entry, those of this transaction included.</summary>
    internal LedgerPosition Head { get; private set; } = head;

    /// <summary>Undoes a command: its entries are gone from the chain, as they are from the database.</summary>
    internal void ResetHead(LedgerPosition head) => Head = head;

    /// <summary>Appends an entry for an account as it is now, after the change that the entry records.</summary>
    internal LedgerPosition Append(Account account, LedgerEntryKind kind, long units, LedgerEntryBody body)
    {
        AccountRow row = account.Row;
        byte[] bytes = (body with
        {
            Population = row.Population,
            Adjacency = row.Adjacency,
            LimitUnits = row.LimitUnits,
            SpentUnits = row.SpentUnits,
            ReservedUnits = row.ReservedUnits,
        }).ToBytes();
        long sequence = Head.Sequence + 1, atSeconds = Time.ToUnixTimeSeconds();
        byte[] hash = System.Security.Cryptography.SHA256.HashData(HashChain.Canonical(
            Head.LedgerId.Span, Head.Epoch, sequence, account.Id, kind, units, atSeconds, bytes, Head.Hash.Span));
        Database.Execute(
            "INSERT INTO ledger (seq, epoch, account_id, kind, units, at_s, body, previous_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            sequence, Head.Epoch, account.Id, kind, units, atSeconds, bytes, Head.Hash, hash);
        return Head = new(Head.LedgerId, Head.Epoch, sequence, hash);
    }

    /// <summary>
    /// The last step before the commit: makes the last entry the head, if it still is where this transaction found it.
    /// LEDGER_CORRUPT, and nothing may be committed, if it is not.
    /// </summary>
    internal void WriteHead()
    {
        if (Head.Sequence == Begun.Sequence) return;
        if (Database.Execute(
            "UPDATE ledger_head SET epoch = $1, seq = $2, hash = $3 WHERE id = 1 AND seq = $4",
            Head.Epoch, Head.Sequence, Head.Hash, Begun.Sequence) != 1)
            throw LedgerCheck.Corrupt("its head moved under its writer.");
    }

    /// <summary>The stored reply of an earlier call with this id, or null; REQUEST_ID_REUSED if that was another call.</summary>
    internal byte[]? FindReply(Call call) => FindReply(Database, call);

    internal static byte[]? FindReply(DatabaseSession database, Call call)
    {
        if (call.ValidateOnly) return null;
        (byte[] Hash, byte[] Reply)? found = database.Query(
            "SELECT request_hash, response FROM idempotency WHERE method = $1 AND parent = $2 AND request_id = $3",
            static r => ((byte[])r[0], (byte[])r[1]), call.Method, call.Parent, call.RequestId)
            .Select(static r => ((byte[], byte[])?)r).FirstOrDefault();
        if (found is null) return null;
        return call.RequestHash.Span.SequenceEqual(found.Value.Hash) ? found.Value.Reply : throw Reused();
    }

    /// <summary>Stores the reply of a call with its effect.</summary>
    internal byte[] KeepReply(Call call, byte[] reply)
    {
        if (!call.ValidateOnly)
            Database.Execute(
                "INSERT INTO idempotency (method, parent, request_id, request_hash, response, at_s) VALUES ($1, $2, $3, $4, $5, $6)",
                call.Method, call.Parent, call.RequestId, call.RequestHash, reply, Time);
        return reply;
    }

    internal static StorageException Reused() =>
        new(Reasons.RequestIdReused, "This request id was used for another request; a new request needs a new id.");
}
