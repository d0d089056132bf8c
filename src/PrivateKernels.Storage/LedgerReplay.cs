using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// Recomputes accounts, reservations, datasets and releases from the entries of the ledger and compares them with the
/// tables, which are caches of it.
/// </summary>
/// <remarks>
/// Guarantee: no budget, price, snapshot, noise scale or immutable field of a dataset can differ from what the hash chain
/// says without the start being refused.
/// </remarks>
sealed class LedgerReplay
{
    const int PageSize = 1_000;

    readonly Dictionary<long, AccountRow> _accounts = [];
    readonly Dictionary<string, Spend> _spends = [];
    readonly Dictionary<string, string> _spendOfRelease = [];
    readonly Dictionary<string, BoundDataset> _datasets = [];

    /// <summary>Throws LEDGER_CORRUPT at the first disagreement.</summary>
    internal static void Verify(DatabaseSession database, LedgerPosition head)
    {
        var replay = new LedgerReplay();
        LedgerPosition at = new(head.LedgerId, 1, 0, new byte[HashChain.HashBytes]);
        while (LedgerEntries.Read(database, head.LedgerId, null, at.Sequence, long.MaxValue, PageSize) is { Count: > 0 } page)
            foreach (LedgerRow entry in page)
            {
                CheckLink(at, entry);
                replay.Apply(entry);
                at = entry.Position;
            }
        if (!Witness.Same(at, head)) throw LedgerCheck.Corrupt("its head is not its last entry.");
        replay.CompareAccounts(database);
        replay.CompareReservations(database);
        replay.CompareDatasets(database);
        replay.CompareReleases(database);
    }

    static void CheckLink(LedgerPosition before, LedgerRow entry)
    {
        LedgerPosition at = entry.Position;
        // Only a recovery that accepted loss begins an epoch; it may concern several accounts.
        bool isNext = at.Epoch == before.Epoch || (at.Epoch == before.Epoch + 1 && entry.Kind == LedgerEntryKind.Recover);
        bool holds = at.Sequence == before.Sequence + 1 && isNext
            && entry.PreviousHash.Span.SequenceEqual(before.Hash.Span)
            && SHA256.HashData(entry.Canonical.Span).AsSpan().SequenceEqual(at.Hash.Span);
        if (!holds) throw LedgerCheck.Corrupt($"the hash chain breaks after entry {before.Sequence}.");
    }

    void Apply(LedgerRow entry)
    {
        LedgerEntryBody body = entry.Body;
        AccountRow? before = _accounts.GetValueOrDefault(entry.AccountId);
        if (before is null != (entry.Kind == LedgerEntryKind.Open)) throw Inconsistent(entry);
        AccountRow after = before ?? new(body.Population, body.Unit, body.Adjacency, body.DisplayDelta, entry.Units, 0, 0);
        after = entry.Kind switch
        {
            LedgerEntryKind.Open => after,
            LedgerEntryKind.Limit => after with { LimitUnits = entry.Units, DisplayDelta = body.DisplayDelta },
            LedgerEntryKind.Reserve => after with { ReservedUnits = after.ReservedUnits + entry.Units },
            LedgerEntryKind.Post => after with
            {
                ReservedUnits = after.ReservedUnits - entry.Units,
                SpentUnits = after.SpentUnits + entry.Units,
            },
            LedgerEntryKind.Void => after with { ReservedUnits = after.ReservedUnits - entry.Units },
            LedgerEntryKind.Recover => after with { SpentUnits = after.LimitUnits, ReservedUnits = 0 },
            LedgerEntryKind.Dataset or LedgerEntryKind.Tombstone or LedgerEntryKind.Retire => after,
            _ => throw Inconsistent(entry),
        };
        if (entry.Kind == LedgerEntryKind.Recover && entry.Units != after.SpentUnits - before!.SpentUnits) throw Inconsistent(entry);
        bool agrees = after.Population == body.Population && after.Adjacency == body.Adjacency && after.LimitUnits == body.LimitUnits
            && after.SpentUnits == body.SpentUnits && after.ReservedUnits == body.ReservedUnits
            && after.SpentUnits <= after.LimitUnits - after.ReservedUnits && after is { SpentUnits: >= 0, ReservedUnits: >= 0 };
        if (!agrees) throw Inconsistent(entry);
        _accounts[entry.AccountId] = after;
        ApplyToCatalog(entry);
    }

    void ApplyToCatalog(LedgerRow entry)
    {
        LedgerEntryBody body = entry.Body;
        string reservation = Convert.ToHexString(body.ReservationId.Span);
        switch (entry.Kind)
        {
            case LedgerEntryKind.Reserve:
                if (!_spends.TryAdd(reservation, new Spend { Reserve = Kept(entry) })) throw Inconsistent(entry);
                _spendOfRelease.Add(body.ReleaseUid, reservation);
                break;
            case LedgerEntryKind.Post or LedgerEntryKind.Void:
                Spend spend = _spends.GetValueOrDefault(reservation) ?? throw Inconsistent(entry);
                bool fits = spend.Resolve is null && spend.Reserve.Units == entry.Units
                    && spend.Reserve.AccountId == entry.AccountId && spend.Reserve.Body.ReleaseUid == body.ReleaseUid;
                if (!fits) throw Inconsistent(entry);
                spend.Resolve = Kept(entry);
                break;
            case LedgerEntryKind.Recover:
                foreach (Spend open in _spends.Values.Where(s => s.Resolve is null && s.Reserve.AccountId == entry.AccountId))
                    open.Resolve = Kept(entry);
                break;
            case LedgerEntryKind.Retire:
                if (!_spendOfRelease.TryGetValue(body.ReleaseUid, out string? owner)) throw Inconsistent(entry);
                _spends[owner].IsRetired = true;
                break;
            case LedgerEntryKind.Dataset:
                if (!_datasets.TryAdd(body.DatasetUid, new BoundDataset { Entry = entry })) throw Inconsistent(entry);
                break;
            case LedgerEntryKind.Tombstone:
                (_datasets.GetValueOrDefault(body.DatasetUid) ?? throw Inconsistent(entry)).IsDeleted = true;
                break;
        }
    }

    /// <summary>What is compared later, without the bytes that were hashed: a long ledger is held in memory.</summary>
    static LedgerRow Kept(LedgerRow entry) => entry with { Canonical = default };

    void CompareAccounts(DatabaseSession database)
    {
        List<Account> stored = AccountTable.All(database);
        if (stored.Count != _accounts.Count || stored.Any(a => a.Row != _accounts.GetValueOrDefault(a.Id)))
            throw LedgerCheck.Corrupt("an account is not what its entries add up to.");
    }

    void CompareReservations(DatabaseSession database)
    {
        List<ReservationRow> stored = ReservationTable.All(database);
        if (stored.Count != _spends.Count || !stored.All(Agrees))
            throw LedgerCheck.Corrupt("a reservation is not what its entries say.");
    }

    bool Agrees(ReservationRow row)
    {
        if (_spends.GetValueOrDefault(Convert.ToHexString(row.Id.Span)) is not { } spend) return false;
        LedgerRow reserve = spend.Reserve;
        ReadOnlyMemory<byte> sha256 = spend.Resolve?.Body.ReleaseSha256 ?? default;
        return row.AccountId == reserve.AccountId && row.Parent == $"datasets/{reserve.Body.Dataset}"
            && row.RequestId == reserve.Body.RequestId && row.RequestHash.Span.SequenceEqual(reserve.Body.RequestHash.Span)
            && row.Units == reserve.Units && row.State == spend.State && row.ReserveSequence == reserve.Position.Sequence
            && row.SnapshotDigest.Span.SequenceEqual(reserve.Body.SnapshotDigest.Span)
            && row.ResolveSequence == spend.Resolve?.Position.Sequence && row.ReleaseUid == reserve.Body.ReleaseUid
            && row.ReleaseSha256.Span.SequenceEqual(sha256.Span);
    }

    void CompareDatasets(DatabaseSession database)
    {
        List<StoredDataset> stored = [.. DatasetTable.All(database).Where(static d => d.AccountId is not null)];
        if (stored.Count != _datasets.Count || !stored.All(Agrees))
            throw LedgerCheck.Corrupt("a dataset is not what was bound into the ledger.");
    }

    bool Agrees(StoredDataset dataset)
    {
        if (_datasets.GetValueOrDefault(dataset.Row.Uid) is not { } bound) return false;
        return dataset.AccountId == bound.Entry.AccountId && dataset.Row.Id == bound.Entry.Body.Dataset
            && (dataset.Row.State == DatasetState.Deleted) == bound.IsDeleted
            && SHA256.HashData(dataset.Row.Definition.ToBytes()).AsSpan().SequenceEqual(bound.Entry.Body.DefinitionSha256.Span);
    }

    void CompareReleases(DatabaseSession database)
    {
        List<ReleaseRow> stored = ReleaseTable.All(database);
        if (stored.Count != _spends.Count || !stored.All(Agrees))
            throw LedgerCheck.Corrupt("a release is not what its entries say.");
    }

    bool Agrees(ReleaseRow row)
    {
        if (!_spendOfRelease.TryGetValue(row.Uid, out string? owner)) return false;
        Spend spend = _spends[owner];
        LedgerEntryBody body = spend.Reserve.Body;
        ReleaseState state = spend.State switch
        {
            ReservationState.Reserved => ReleaseState.Building,
            ReservationState.Void => ReleaseState.Failed,
            ReservationState.ChargedByRecover => ReleaseState.Deleted,
            _ => spend.IsRetired ? ReleaseState.Deleted : ReleaseState.Ready,
        };
        ReadOnlyMemory<byte> sha256 = spend.Resolve?.Body.ReleaseSha256 ?? default;
        return row.State == state && row.DatasetId == body.Dataset && row.DatasetUid == body.DatasetUid && row.Id == body.Release
            && row.Mechanism == body.Mechanism && row.NoiseScale.Equals(body.NoiseScale) && row.Sensitivity.Equals(body.Sensitivity)
            && row.Sha256.Span.SequenceEqual(sha256.Span);
    }

    static StorageException Inconsistent(LedgerRow entry) =>
        LedgerCheck.Corrupt($"entry {entry.Position.Sequence} does not follow from those before it.");

    sealed class Spend
    {
        internal required LedgerRow Reserve { get; init; }

        internal LedgerRow? Resolve { get; set; }

        internal bool IsRetired { get; set; }

        internal ReservationState State => Resolve?.Kind switch
        {
            null => ReservationState.Reserved,
            LedgerEntryKind.Post => ReservationState.Posted,
            LedgerEntryKind.Recover => ReservationState.ChargedByRecover,
            _ => ReservationState.Void,
        };
    }

    sealed class BoundDataset
    {
        internal required LedgerRow Entry { get; init; }

        internal bool IsDeleted { get; set; }
    }
}
