using System.Collections.Concurrent;
using Google.Protobuf;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Accumulators of one-pass datasets: planned when the dataset is created, filled by uploads, priced for releases.</summary>
/// <param name="directory">Where datasets are.</param>
/// <param name="engine">Sums rows as they arrive.</param>
/// <param name="limits">Of the server.</param>
sealed class Accumulators(DataDirectory directory, IEngine engine, LimitsOptions limits)
{
    /// <summary>Sketches may take long to draw: each is drawn once.</summary>
    readonly ConcurrentDictionary<(string DatasetUid, string Id), ReleasePlan> _plans = new();

    /// <summary>Checks a dataset that is to be created, with its accumulators if it is one pass.</summary>
    internal NewDataset Parse(V1.CreateDatasetRequest request)
    {
        NewDataset dataset = DatasetWire.Parse(request, limits);
        V1.Dataset asked = request.Dataset;
        if (asked.Retention != V1.Retention.OnePass) return dataset;
        if (!directory.HasKey)
            throw new Refusal("ENCRYPTION_REQUIRED", "one pass keeps exact cells on disk: have the operator configure an encryption key.");
        if (asked.Accumulators.Count == 0) throw Refusal.Field("dataset.accumulators", "must name what the rows go into");
        if (asked.Accumulators.Count > limits.Accumulators)
            throw Refusal.Limit("Limits:Accumulators", limits.Accumulators, "accumulators of a dataset");
        if (dataset.Definition.Kind != DatasetKind.Private) throw Refusal.Field("dataset.retention", "is for private datasets only");
        AccountTerms terms = dataset.Terms ?? directory.Datasets.FindTerms(dataset.Id, dataset.Population)
            ?? throw Refusal.Field("budget", "must be set to open an account");
        var definitions = new List<AccumulatorDefinition>();
        long cells = 0;
        for (int i = 0; i < asked.Accumulators.Count; i++)
        {
            (AccumulatorDefinition definition, Measurement measurement) =
                Plan(asked.Accumulators[i], $"dataset.accumulators[{i}]", dataset.Definition, terms);
            definitions.Add(definition);
            cells += measurement.CellCount;
        }
        if (cells > limits.Cells) throw Refusal.Limit("Limits:Cells", limits.Cells, "cells of all accumulators together");
        return dataset with { Definition = dataset.Definition.With(definitions) };
    }

    /// <summary>Empty accumulators for an upload.</summary>
    internal IReadOnlyList<Accumulator> Open(DatasetRow dataset) =>
        [.. dataset.Definition.Accumulators.Select(a => new Accumulator(PlanOf(dataset, a.Id, "accumulator").Measurement, engine))];

    /// <summary>The plan of a release of an accumulator: its sketch, at the strength that is asked.</summary>
    internal ReleasePlan Plan(V1.ReleaseSpec? spec, string field, DatasetRow dataset, DatasetFacts facts)
    {
        if (spec is null) throw Refusal.Field(field, "must be set");
        ReleasePlan planned = PlanOf(dataset, spec.Accumulator, $"{field}.accumulator");
        if (spec.Sketch is { } sketch && !sketch.Equals(ReleaseWire.ToSpec(planned).Sketch))
            throw Refusal.Field($"{field}.sketch", "must be unset: the accumulator says what it is");
        var named = new ReleaseRequest { Function = "", Accumulator = spec.Accumulator };
        return Planner.PlanAccumulated(ReleaseWire.ParseStrength(named, spec.Privacy, field), planned, facts);
    }

    ReleasePlan PlanOf(DatasetRow dataset, string id, string field)
    {
        if (_plans.TryGetValue((dataset.Uid, id), out ReleasePlan? known)) return known;
        AccumulatorDefinition definition = dataset.Definition.Accumulators.FirstOrDefault(a => a.Id == id)
            ?? throw Refusal.Field(
                field, "must be one of " + string.Join(", ", dataset.Definition.Accumulators.Select(static a => a.Id)));
        return _plans[(dataset.Uid, id)] = StoredAccumulator.Read(definition.Spec).Plan(directory, dataset.Definition);
    }

    (AccumulatorDefinition, Measurement) Plan(V1.Accumulator asked, string field, DatasetDefinition definition, AccountTerms terms)
    {
        Names.CheckedId(asked.Id, $"{field}.id");
        bool isPure = terms.Unit == CostUnit.Epsilon;
        double limit = Math.ScaleB((double)terms.LimitUnits, -40);
        // The strength of a release is not known yet, so sizes that depend on it are chosen for the whole budget at once.
        var spec = new V1.ReleaseSpec { Sketch = asked.Sketch, Privacy = new() };
        if (isPure) spec.Privacy.Loss = new() { Epsilon = limit };
        else spec.Privacy.Mu = Math.Sqrt(limit);
        var landmarks = new LandmarkRows(directory);
        ReleaseRequest request = ReleaseWire.Parse(spec, field, landmarks);
        long records = definition.MaxRecords > 0 ? definition.MaxRecords : limits.Records;
        ReleasePlan plan = Planner.Plan(
            request with { Seed = request.Seed ?? PublicRandom.DrawSeed() }, StoredBuild.Facts(definition, terms.Unit, records),
            new(limits.Features, limits.Cells));
        var stored = new StoredAccumulator(records, landmarks.Rows, plan.Measurement.Fingerprint, ReleaseWire.ToSpec(plan));
        return (new(asked.Id, stored.ToBytes()), plan.Measurement);
    }
}

/// <summary>
/// What the definition of a dataset keeps of an accumulator: bound on the records and rows of landmarks as in
/// <see cref="StoredBuild"/>, the fingerprint of what it was planned as, and the spec that asks for exactly that.
/// </summary>
readonly record struct StoredAccumulator(long MaxRecords, long PublicRows, ReadOnlyMemory<byte> Fingerprint, V1.ReleaseSpec Spec)
{
    const int FingerprintBytes = 32;

    internal byte[] ToBytes() =>
    [
        .. BitConverter.GetBytes(MaxRecords), .. BitConverter.GetBytes(PublicRows), .. Fingerprint.Span, .. Spec.ToByteArray(),
    ];

    internal static StoredAccumulator Read(ReadOnlyMemory<byte> bytes) => new(
        BitConverter.ToInt64(bytes.Span), BitConverter.ToInt64(bytes.Span[8..]), bytes.Slice(16, FingerprintBytes),
        V1.ReleaseSpec.Parser.ParseFrom(bytes.Span[(16 + FingerprintBytes)..]));

    /// <summary>The same plan as when the dataset was created; FILE_CORRUPT if its public dataset was replaced since.</summary>
    internal ReleasePlan Plan(DataDirectory directory, DatasetDefinition definition)
    {
        CostUnit unit = Spec.Privacy.StrengthCase == V1.PrivacySpec.StrengthOneofCase.Mu ? CostUnit.MuSquared : CostUnit.Epsilon;
        ReleaseRequest request = ReleaseWire.Parse(Spec, "accumulator", new LandmarkRows(directory, PublicRows));
        ReleasePlan plan = Planner.Plan(request, StoredBuild.Facts(definition, unit, MaxRecords), StoredBuild.NoLimits);
        return Fingerprint.Span.SequenceEqual(plan.Measurement.Fingerprint.Span)
            ? plan
            : throw new StorageException(Storage.Reasons.FileCorrupt, "The public dataset of an accumulator is not what it was.");
    }
}
