using System.Buffers.Text;
using System.Data.Common;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// Recomputes accounts, reservations, datasets and releases from the entries of the ledger and compares them with the
/// tables, which are caches of it.
/// </summary>
/// <remarks>
/// Guarantee: no budget, price, snapshot, noise scale or immutable field of a dataset can differ from what the hash chain
/// says without the start being refused. A start reads every entry there is, so rows are streamed, and of an entry no
/// more is kept than the bytes of its body.
/// </remarks>
sealed class LedgerReplay
{
    readonly ReadOnlyMemory<byte> _ledgerId;
    readonly Dictionary<long, AccountRow> _accounts = [];
    readonly Dictionary<Guid, Spend> _spends = [];
    readonly Dictionary<Guid, Spend> _spendOfRelease = [];
    readonly Dictionary<string, BoundDataset> _datasets = [];
    readonly BodyFields _body = new(), _reserved = new();
    (long Epoch, long Sequence, byte[] Hash) _at = (1, 0, new byte[HashChain.HashBytes]);
    byte[] _canonical = [];

    LedgerReplay(ReadOnlyMemory<byte> ledgerId) => _ledgerId = ledgerId;

    /// <summary>Throws LEDGER_CORRUPT at the first disagreement.</summary>
    internal static void Verify(DatabaseSession database, LedgerPosition head)
    {
        var replay = new LedgerReplay(head.LedgerId);
        foreach (Entry entry in database.Stream(
            "SELECT seq, epoch, account_id, kind, units, at_s, body, previous_hash, hash FROM ledger ORDER BY seq", Read))
        {
            replay.CheckLink(entry);
            replay._body.Read(entry.Body);
            replay.Apply(entry);
            replay._at = (entry.Epoch, entry.Sequence, entry.Hash);
        }
        if (!Witness.Same(new(head.LedgerId, replay._at.Epoch, replay._at.Sequence, replay._at.Hash), head))
            throw LedgerCheck.Corrupt("its head is not its last entry.");
        replay.CompareAccounts(database);
        replay.CompareReservations(database);
        replay.CompareDatasets(database);
        replay.CompareReleases(database);
    }

    void CheckLink(in Entry entry)
    {
        // Only a recovery that accepted loss begins an epoch; it may concern several accounts.
        bool isNext = entry.Epoch == _at.Epoch || (entry.Epoch == _at.Epoch + 1 && entry.Kind == LedgerEntryKind.Recover);
        bool holds = entry.Sequence == _at.Sequence + 1 && isNext && entry.Previous.AsSpan().SequenceEqual(_at.Hash) && HasItsHash(entry);
        if (!holds) throw LedgerCheck.Corrupt($"the hash chain breaks after entry {_at.Sequence}.");
    }

    bool HasItsHash(in Entry entry)
    {
        int length = HashChain.CanonicalLength(_ledgerId.Span, entry.Body, entry.Previous);
        if (_canonical.Length < length) _canonical = new byte[2 * length];
        Span<byte> bytes = _canonical.AsSpan(0, length), hash = stackalloc byte[HashChain.HashBytes];
        HashChain.WriteCanonical(
            bytes, _ledgerId.Span, entry.Epoch, entry.Sequence, entry.AccountId, entry.Kind, entry.Units, entry.AtSeconds, entry.Body,
            entry.Previous);
        SHA256.HashData(bytes, hash);
        return hash.SequenceEqual(entry.Hash);
    }

    void Apply(in Entry entry)
    {
        BodyFields body = _body;
        AccountRow? before = _accounts.GetValueOrDefault(entry.AccountId);
        if (before is null != (entry.Kind == LedgerEntryKind.Open)) throw Inconsistent(entry);
        AccountRow after = before ?? new(
            body.Text(BodyField.Population), (CostUnit)body.Int64(BodyField.Unit), (Adjacency)body.Int64(BodyField.Adjacency),
            body.Double(BodyField.DisplayDelta), entry.Units, 0, 0);
        after = entry.Kind switch
        {
            LedgerEntryKind.Open => after,
            LedgerEntryKind.Limit => after with { LimitUnits = entry.Units, DisplayDelta = body.Double(BodyField.DisplayDelta) },
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
        bool agrees = body.Is(BodyField.Population, after.Population) && (long)after.Adjacency == body.Int64(BodyField.Adjacency)
            && after.LimitUnits == body.Int64(BodyField.LimitUnits) && after.SpentUnits == body.Int64(BodyField.SpentUnits)
            && after.ReservedUnits == body.Int64(BodyField.ReservedUnits)
            && after.SpentUnits <= after.LimitUnits - after.ReservedUnits && after is { SpentUnits: >= 0, ReservedUnits: >= 0 };
        if (!agrees) throw Inconsistent(entry);
        _accounts[entry.AccountId] = after;
        ApplyToCatalog(entry);
    }

    void ApplyToCatalog(in Entry entry)
    {
        switch (entry.Kind)
        {
            case LedgerEntryKind.Reserve:
                var made = new Spend(entry, _body.Bytes(BodyField.ReleaseUid));
                if (!_spends.TryAdd(ReservationOf(entry), made) || !_spendOfRelease.TryAdd(ReleaseOf(entry), made)) throw Inconsistent(entry);
                break;
            case LedgerEntryKind.Post or LedgerEntryKind.Void:
                Spend spend = _spends.GetValueOrDefault(ReservationOf(entry)) ?? throw Inconsistent(entry);
                bool fits = spend.ResolveSequence is null && spend.Units == entry.Units && spend.AccountId == entry.AccountId
                    && spend.ReleaseUid.Span.SequenceEqual(_body.Bytes(BodyField.ReleaseUid).Span);
                if (!fits) throw Inconsistent(entry);
                spend.Resolve(entry, _body.Bytes(BodyField.ReleaseSha256));
                break;
            case LedgerEntryKind.Recover:
                foreach (Spend open in _spends.Values)
                    if (open.ResolveSequence is null && open.AccountId == entry.AccountId) open.Resolve(entry, default);
                break;
            case LedgerEntryKind.Retire:
                (_spendOfRelease.GetValueOrDefault(ReleaseOf(entry)) ?? throw Inconsistent(entry)).IsRetired = true;
                break;
            case LedgerEntryKind.Dataset:
                var bound = new BoundDataset(entry.AccountId, _body.Text(BodyField.Dataset), _body.Bytes(BodyField.DefinitionSha256));
                if (!_datasets.TryAdd(_body.Text(BodyField.DatasetUid), bound)) throw Inconsistent(entry);
                break;
            case LedgerEntryKind.Tombstone:
                (_datasets.GetValueOrDefault(_body.Text(BodyField.DatasetUid)) ?? throw Inconsistent(entry)).IsDeleted = true;
                break;
        }
    }

    Guid ReservationOf(in Entry entry) =>
        _body.Bytes(BodyField.ReservationId) is { Length: 16 } id ? new(id.Span) : throw Inconsistent(entry);

    Guid ReleaseOf(in Entry entry) =>
        Utf8Parser.TryParse(_body.Bytes(BodyField.ReleaseUid).Span, out Guid uid, out _, 'D') ? uid : throw Inconsistent(entry);

    void CompareAccounts(DatabaseSession database)
    {
        List<Account> stored = AccountTable.All(database);
        if (stored.Count != _accounts.Count || stored.Any(a => a.Row != _accounts.GetValueOrDefault(a.Id)))
            throw LedgerCheck.Corrupt("an account is not what its entries add up to.");
    }

    void CompareReservations(DatabaseSession database)
    {
        if (!AreAll(ReservationTable.Stream(database).Select(Agrees), _spends.Count))
            throw LedgerCheck.Corrupt("a reservation is not what its entries say.");
    }

    bool Agrees(ReservationRow row)
    {
        if (row.Id.Length != 16 || _spends.GetValueOrDefault(new(row.Id.Span)) is not { } spend) return false;
        _reserved.Read(spend.Body);
        return row.AccountId == spend.AccountId && row.Parent.StartsWith("datasets/", StringComparison.Ordinal)
            && _reserved.Is(BodyField.Dataset, row.Parent.AsSpan("datasets/".Length))
            && _reserved.Is(BodyField.RequestId, row.RequestId)
            && row.RequestHash.Span.SequenceEqual(_reserved.Bytes(BodyField.RequestHash).Span)
            && row.Units == spend.Units && row.State == spend.State && row.ReserveSequence == spend.Sequence
            && row.SnapshotDigest.Span.SequenceEqual(_reserved.Bytes(BodyField.SnapshotDigest).Span)
            && row.ResolveSequence == spend.ResolveSequence && _reserved.Is(BodyField.ReleaseUid, row.ReleaseUid)
            && row.ReleaseSha256.Span.SequenceEqual(spend.ReleaseSha256.Span);
    }

    void CompareDatasets(DatabaseSession database)
    {
        if (!AreAll(DatasetTable.All(database).Where(static d => d.AccountId is not null).Select(Agrees), _datasets.Count))
            throw LedgerCheck.Corrupt("a dataset is not what was bound into the ledger.");
    }

    bool Agrees(StoredDataset dataset)
    {
        if (_datasets.GetValueOrDefault(dataset.Row.Uid) is not { } bound) return false;
        return dataset.AccountId == bound.AccountId && dataset.Row.Id == bound.Id
            && (dataset.Row.State == DatasetState.Deleted) == bound.IsDeleted
            && SHA256.HashData(dataset.Row.Definition.ToBytes()).AsSpan().SequenceEqual(bound.DefinitionSha256.Span);
    }

    void CompareReleases(DatabaseSession database)
    {
        if (!AreAll(
            database.Stream(
                """
                SELECT reservation_id, uid, dataset_id, dataset_uid, id, mechanism, noise_scale, sensitivity, state, sha256 FROM releases
                """,
                AgreesAsRelease),
            _spends.Count))
            throw LedgerCheck.Corrupt("a release is not what its entries say.");
    }

    bool AgreesAsRelease(DbDataReader r)
    {
        var id = (byte[])r[0];
        if (id.Length != 16 || _spends.GetValueOrDefault(new(id)) is not { } spend) return false;
        _reserved.Read(spend.Body);
        ReleaseState state = spend.State switch
        {
            ReservationState.Reserved => ReleaseState.Building,
            ReservationState.Void => ReleaseState.Failed,
            ReservationState.ChargedByRecover => ReleaseState.Deleted,
            _ => spend.IsRetired ? ReleaseState.Deleted : ReleaseState.Ready,
        };
        return _reserved.Is(BodyField.ReleaseUid, r.GetString(1)) && _reserved.Is(BodyField.Dataset, r.GetString(2))
            && _reserved.Is(BodyField.DatasetUid, r.GetString(3)) && _reserved.Is(BodyField.Release, r.GetString(4))
            && r.GetInt64(5) == _reserved.Int64(BodyField.Mechanism) && r.GetDouble(6).Equals(_reserved.Double(BodyField.NoiseScale))
            && r.GetDouble(7).Equals(_reserved.Double(BodyField.Sensitivity)) && (ReleaseState)r.GetInt64(8) == state
            && ((byte[])r[9]).AsSpan().SequenceEqual(spend.ReleaseSha256.Span);
    }

    /// <summary>Whether there are as many rows as entries made, each of them as its entries say.</summary>
    static bool AreAll(IEnumerable<bool> agreements, int count)
    {
        int rows = 0;
        foreach (bool agrees in agreements)
        {
            if (!agrees) return false;
            rows++;
        }
        return rows == count;
    }

    static Entry Read(DbDataReader r) => new(
        r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), (LedgerEntryKind)r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), (byte[])r[6],
        (byte[])r[7], (byte[])r[8]);

    static StorageException Inconsistent(in Entry entry) =>
        LedgerCheck.Corrupt($"entry {entry.Sequence} does not follow from those before it.");

    readonly record struct Entry(
        long Sequence, long Epoch, long AccountId, LedgerEntryKind Kind, long Units, long AtSeconds, byte[] Body, byte[] Previous,
        byte[] Hash);

    sealed class Spend(in Entry reserve, ReadOnlyMemory<byte> releaseUid)
    {
        LedgerEntryKind _resolvedBy;

        internal long Sequence { get; } = reserve.Sequence;

        internal long AccountId { get; } = reserve.AccountId;

        internal long Units { get; } = reserve.Units;

        internal byte[] Body { get; } = reserve.Body;

        internal ReadOnlyMemory<byte> ReleaseUid { get; } = releaseUid;

        internal long? ResolveSequence { get; private set; }

        internal ReadOnlyMemory<byte> ReleaseSha256 { get; private set; }

        internal bool IsRetired { get; set; }

        internal ReservationState State => ResolveSequence is null
            ? ReservationState.Reserved
            : _resolvedBy switch
            {
                LedgerEntryKind.Post => ReservationState.Posted,
                LedgerEntryKind.Recover => ReservationState.ChargedByRecover,
                _ => ReservationState.Void,
            };

        internal void Resolve(in Entry by, ReadOnlyMemory<byte> sha256) =>
            (_resolvedBy, ResolveSequence, ReleaseSha256) = (by.Kind, by.Sequence, sha256);
    }

    sealed class BoundDataset(long accountId, string id, ReadOnlyMemory<byte> definitionSha256)
    {
        internal long AccountId => accountId;

        internal string Id => id;

        internal ReadOnlyMemory<byte> DefinitionSha256 => definitionSha256;

        internal bool IsDeleted { get; set; }
    }
}
