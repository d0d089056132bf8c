using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Datasets, accounts and the ledger between the wire and the core.</summary>
static class DatasetWire
{
    const int LongestClassName = 256;

    /// <summary>
    /// Checks a dataset that is to be created, but for its accumulators (<see cref="Accumulators.Parse"/>). Output-only fields
    /// are ignored.
    /// </summary>
    internal static NewDataset Parse(V1.CreateDatasetRequest request, LimitsOptions limits)
    {
        string id = Names.CheckedId(request.DatasetId, "dataset_id");
        V1.Dataset asked = request.Dataset ?? throw Refusal.Field("dataset", "must be set");
        DatasetKind kind = asked.Kind switch
        {
            V1.DatasetKind.Unspecified or V1.DatasetKind.Private => DatasetKind.Private,
            V1.DatasetKind.Public => DatasetKind.Public,
            V1.DatasetKind.Imported => DatasetKind.Imported,
            _ => throw Refusal.Field("dataset.kind", "is not a known value"),
        };
        if (asked.Retention is not (V1.Retention.Unspecified or V1.Retention.Stored or V1.Retention.OnePass))
            throw Refusal.Field("dataset.retention", "is not a known value");
        if (asked.Accumulators.Count > 0 && asked.Retention != V1.Retention.OnePass)
            throw Refusal.Field("dataset.accumulators", "must be empty unless the dataset is one pass");
        if (asked.Population.Length > 0) Names.CheckedId(asked.Population, "dataset.population");
        var definition = new DatasetDefinition(
            kind, Domain(asked.Domain, limits), ParseAdjacency(asked.Adjacency), RecordsPerUnit(asked.MaxRecordsPerUnit),
            Records(asked.MaxRecords, limits), Classes(asked.Classes, limits), Policy(asked.OutOfDomain),
            asked.MaxAbsValue);
        if (kind != DatasetKind.Private && request.Budget is not null)
            throw Refusal.Field("budget", "must be unset for a dataset that is not private: it has no account");
        return new NewDataset(
            id, definition, kind == DatasetKind.Private ? asked.Population : "",
            Requests.CheckedText(asked.DisplayName, 256, "dataset.display_name"),
            Requests.CheckedText(asked.Description, 4096, "dataset.description"),
            request.Budget is null ? null : Terms(request.Budget, "budget"));
    }

    /// <summary>
    /// Unit, limit and display delta of an account; delta 0 counts epsilon, delta above 0 counts mu squared.
    /// </summary>
    internal static AccountTerms Terms(V1.PrivacyLoss limit, string field)
    {
        PrivacyLoss loss = Loss(limit, field);
        long units;
        try
        {
            units = loss.Delta == 0 ? Units.OfEpsilon(loss.Epsilon) : Units.OfLoss(loss);
        }
        catch (InvalidFieldException wrong)
        {
            throw wrong.Within(field);
        }
        return new(loss.Delta == 0 ? CostUnit.Epsilon : CostUnit.MuSquared, units, loss.Delta);
    }

    internal static PrivacyLoss Loss(V1.PrivacyLoss loss, string field)
    {
        try
        {
            return new PrivacyLoss(loss.Epsilon, loss.Delta);
        }
        catch (InvalidFieldException wrong)
        {
            throw wrong.Within(field);
        }
    }

    /// <param name="row">As stored.</param>
    /// <param name="owner">Whether the reader may see what is private (how many rows there are), and what only changes need.</param>
    internal static V1.Dataset ToWire(DatasetRow row, bool owner)
    {
        DatasetDefinition d = row.Definition;
        var dataset = new V1.Dataset
        {
            Name = row.Name,
            Uid = row.Uid,
            DisplayName = row.DisplayName,
            Description = row.Description,
            Kind = (V1.DatasetKind)d.Kind,
            Retention = d.IsOnePass ? V1.Retention.OnePass : V1.Retention.Stored,
            Accumulators =
            {
                d.Accumulators.Select(static a => new V1.Accumulator { Id = a.Id, Sketch = StoredAccumulator.Read(a.Spec).Spec.Sketch }),
            },
            Domain = ToWire(d.Domain),
            Population = row.Population,
            Adjacency = (V1.Adjacency)d.Adjacency,
            MaxRecordsPerUnit = (uint)d.MaxRecordsPerUnit,
            Classes = { d.Classes },
            State = (V1.DatasetState)row.State,
            CreateTime = WholeSeconds(row.CreateTime),
            MaxRecords = d.MaxRecords,
            OutOfDomain = (V1.OutOfDomainPolicy)d.OutOfDomain,
            MaxAbsValue = d.MaxAbsValue,
        };
        if (!owner) return dataset;
        dataset.Etag = row.Etag;
        dataset.RecordCount = row.RecordCount;
        dataset.StoredBytes = row.StoredBytes;
        return dataset;
    }

    /// <param name="account">As stored.</param>
    /// <param name="dataset">Id of the dataset that it is asked for.</param>
    /// <param name="holds">Whether the reader may see what is held for builds under way.</param>
    internal static V1.Budget ToWire(AccountRow account, string dataset, bool holds) => new()
    {
        Name = Names.OfBudget(dataset),
        Population = account.Population,
        Unit = (V1.CostUnit)account.Unit,
        LimitUnits = account.LimitUnits,
        SpentUnits = account.SpentUnits,
        ReservedUnits = holds ? account.ReservedUnits : 0,
        RemainingUnits = Remaining(account, holds),
        Limit = Losses.Display(account.Unit, account.LimitUnits, account.DisplayDelta),
        Used = Losses.Display(account.Unit, account.SpentUnits + (holds ? account.ReservedUnits : 0), account.DisplayDelta),
        Adjacency = (V1.Adjacency)account.Adjacency,
    };

    /// <summary>What is left, as far as the reader may know.</summary>
    internal static long Remaining(AccountRow account, bool holds) => account.RemainingUnits + (holds ? 0 : account.ReservedUnits);

    internal static V1.LedgerEntry ToWire(LedgerRow row) => new()
    {
        Position = ToWire(row.Position),
        PreviousHash = Bytes(row.PreviousHash),
        Kind = (V1.LedgerEntryKind)row.Kind,
        Population = row.Body.Population,
        Dataset = row.Body.Dataset.Length == 0 ? "" : Names.OfDataset(row.Body.Dataset),
        Release = row.Body.Release.Length == 0 ? "" : Names.OfRelease(row.Body.Dataset, row.Body.Release),
        ReservationId = Bytes(row.Body.ReservationId),
        Units = row.Units,
        LimitUnits = row.Body.LimitUnits,
        SpentUnits = row.Body.SpentUnits,
        ReservedUnits = row.Body.ReservedUnits,
        Mechanism = (V1.Mechanism)row.Body.Mechanism,
        NoiseScale = row.Body.NoiseScale,
        Sensitivity = row.Body.Sensitivity,
        ReleaseSha256 = Bytes(row.Body.ReleaseSha256),
        Time = WholeSeconds(row.Time),
        Canonical = Bytes(row.Canonical),
        Reason = row.Body.Reason,
    };

    internal static V1.LedgerPosition ToWire(LedgerPosition position) => new()
    {
        LedgerId = Bytes(position.LedgerId),
        Epoch = position.Epoch,
        Sequence = position.Sequence,
        Hash = Bytes(position.Hash),
    };

    /// <summary>A position as it leaves the server: with the proof that it came from here.</summary>
    internal static V1.LedgerPosition ToWire(LedgerCertificate certificate)
    {
        V1.LedgerPosition position = ToWire(certificate.Position);
        position.Mac = Bytes(certificate.Mac);
        return position;
    }

    internal static Timestamp WholeSeconds(DateTimeOffset time) => new() { Seconds = time.ToUnixTimeSeconds() };

    /// <summary>The bytes are immutable once they are in a row, so the message may share them.</summary>
    internal static ByteString Bytes(ReadOnlyMemory<byte> bytes) => UnsafeByteOperations.UnsafeWrap(bytes);

    static Domain Domain(V1.Domain? domain, LimitsOptions limits)
    {
        if (domain is null) throw Refusal.Field("dataset.domain", "must be set");
        if (domain.Dimension > limits.Dimension) throw Refusal.Limit("Limits:Dimension", limits.Dimension, "dimension of a dataset");
        return new Domain(
            (int)domain.Dimension, domain.HasLower ? domain.Lower : null, domain.HasUpper ? domain.Upper : null,
            domain.HasMaxNorm ? domain.MaxNorm : null, UnsafeCollectionOperations.AsSpan(domain.Center));
    }

    static V1.Domain ToWire(Domain domain)
    {
        var wire = new V1.Domain { Dimension = (uint)domain.Dimension };
        if (domain.Lower is { } lower) wire.Lower = lower;
        if (domain.Upper is { } upper) wire.Upper = upper;
        if (domain.MaxNorm is { } radius) wire.MaxNorm = radius;
        wire.Center.AddRange(domain.Center);
        return wire;
    }

    static Adjacency ParseAdjacency(V1.Adjacency adjacency) => adjacency switch
    {
        V1.Adjacency.Unspecified or V1.Adjacency.AddOrRemoveOne => Adjacency.AddOrRemoveOne,
        V1.Adjacency.ReplaceOne => Adjacency.ReplaceOne,
        _ => throw Refusal.Field("dataset.adjacency", "is not a known value"),
    };

    static OutOfDomainPolicy Policy(V1.OutOfDomainPolicy policy) => policy switch
    {
        V1.OutOfDomainPolicy.Unspecified or V1.OutOfDomainPolicy.Refuse => OutOfDomainPolicy.Refuse,
        V1.OutOfDomainPolicy.Clamp => OutOfDomainPolicy.Clamp,
        _ => throw Refusal.Field("dataset.out_of_domain", "is not a known value"),
    };

    static int RecordsPerUnit(uint records) => records <= int.MaxValue
        ? Math.Max(1, (int)records)
        : throw Refusal.Field("dataset.max_records_per_unit", "must be below 2^31");

    static long Records(long records, LimitsOptions limits) => records <= limits.Records
        ? records
        : throw Refusal.Limit("Limits:Records", limits.Records, "records of a dataset");

    static string[] Classes(RepeatedField<string> classes, LimitsOptions limits)
    {
        if (classes.Count > limits.Classes) throw Refusal.Limit("Limits:Classes", limits.Classes, "classes of a dataset");
        foreach (string name in classes) Requests.CheckedText(name, LongestClassName, "dataset.classes");
        return [.. classes];
    }
}
