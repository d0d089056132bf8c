namespace PrivateKernels.Storage;

/// <summary>What is public and immutable about a dataset; the ledger holds the SHA-256 of its bytes.</summary>
/// <remarks>Guarantee: no field that privacy depends on can change after creation without the ledger's replay noticing.</remarks>
public sealed class DatasetDefinition
{
    const int Format = 1;

    /// <param name="maxRecords">Public bound on the number of records; 0 = not declared.</param>
    /// <param name="maxAbsValue">Bound on the size of a row's value; 0 = rows have no values.</param>
    /// <param name="accumulators">What rows go into, one pass; null or empty = rows are stored.</param>
    public DatasetDefinition(
        DatasetKind kind, Domain domain, Adjacency adjacency, int maxRecordsPerUnit, long maxRecords,
        IReadOnlyList<string> classes, OutOfDomainPolicy outOfDomain, double maxAbsValue = 0,
        IReadOnlyList<AccumulatorDefinition>? accumulators = null)
    {
        if (maxAbsValue != 0 && !(maxAbsValue >= Canonical.Smallest && maxAbsValue <= Canonical.Largest))
            throw new InvalidFieldException("dataset.max_abs_value", maxAbsValue, "must be 0, or between 2^-40 and 2^40");
        if (maxRecordsPerUnit < 1)
            throw new InvalidFieldException("dataset.max_records_per_unit", maxRecordsPerUnit, "must be at least 1");
        if (maxRecords < 0) throw new InvalidFieldException("dataset.max_records", maxRecords, "must not be negative");
        if (adjacency == Adjacency.ReplaceOne && outOfDomain != OutOfDomainPolicy.Clamp)
            throw new InvalidFieldException("dataset.out_of_domain", outOfDomain, "must be CLAMP with ADJACENCY_REPLACE_ONE");
        if (classes.Count > LargestClassCount)
            throw new InvalidFieldException("dataset.classes", classes.Count, $"must be at most {LargestClassCount} names");
        if (classes.Any(string.IsNullOrEmpty) || classes.Distinct(StringComparer.Ordinal).Count() != classes.Count)
            throw new InvalidFieldException("dataset.classes", classes.Count, "names must be distinct and not empty");
        Accumulators = [.. accumulators ?? []];
        foreach (AccumulatorDefinition accumulator in Accumulators) ResourceId.Check("dataset.accumulators.id", accumulator.Id);
        if (Accumulators.DistinctBy(static a => a.Id).Count() != Accumulators.Count)
            throw new InvalidFieldException("dataset.accumulators", Accumulators.Count, "their ids must be distinct");
        if (IsOnePass && kind != DatasetKind.Private)
            throw new InvalidFieldException("dataset.retention", kind, "only private rows are taken in one pass");
        (Kind, Domain, Adjacency, MaxRecordsPerUnit) = (kind, domain, adjacency, maxRecordsPerUnit);
        (MaxRecords, Classes, OutOfDomain, MaxAbsValue) = (maxRecords, [.. classes], outOfDomain, maxAbsValue);
    }

    public const int LargestClassCount = 4096;

    public DatasetKind Kind { get; }

    public Domain Domain { get; }

    public Adjacency Adjacency { get; }

    /// <summary>Most records one unit may own; the owner's promise.</summary>
    public int MaxRecordsPerUnit { get; }

    /// <summary>Public bound on the number of records; 0 = not declared.</summary>
    public long MaxRecords { get; }

    /// <summary>Classes that labels index; empty = rows have no labels.</summary>
    public IReadOnlyList<string> Classes { get; }

    public OutOfDomainPolicy OutOfDomain { get; }

    /// <summary>V: bound on the size of a row's value; 0 = rows have no values.</summary>
    public double MaxAbsValue { get; }

    /// <summary>Sketches that rows go into as they arrive; empty = rows are stored.</summary>
    public IReadOnlyList<AccumulatorDefinition> Accumulators { get; }

    /// <summary>Rows are folded into <see cref="Accumulators"/> and never stored.</summary>
    public bool IsOnePass => Accumulators.Count > 0;

    /// <summary>The same with accumulators, which are planned from the rest.</summary>
    public DatasetDefinition With(IReadOnlyList<AccumulatorDefinition> accumulators) =>
        new(Kind, Domain, Adjacency, MaxRecordsPerUnit, MaxRecords, Classes, OutOfDomain, MaxAbsValue, accumulators);

    /// <summary>The bytes that are stored and hashed: the same definition always gives the same bytes.</summary>
    public byte[] ToBytes()
    {
        var writer = new RecipeWriter();
        writer.WriteInt32(Format);
        writer.WriteInt32((int)Kind);
        writer.WriteInt32(Domain.Dimension);
        writer.WriteDouble(Domain.Lower ?? double.NaN);
        writer.WriteDouble(Domain.Upper ?? double.NaN);
        writer.WriteDouble(Domain.MaxNorm ?? double.NaN);
        writer.WriteSingles(Domain.Center);
        writer.WriteInt32((int)Adjacency);
        writer.WriteInt32(MaxRecordsPerUnit);
        writer.WriteInt64(MaxRecords);
        writer.WriteInt32(Classes.Count);
        foreach (string name in Classes) writer.WriteText(name);
        writer.WriteInt32((int)OutOfDomain);
        if (MaxAbsValue > 0 || IsOnePass) writer.WriteDouble(MaxAbsValue);
        if (!IsOnePass) return writer.Written.ToArray();
        writer.WriteInt32(Accumulators.Count);
        foreach (AccumulatorDefinition accumulator in Accumulators)
        {
            writer.WriteText(accumulator.Id);
            writer.WriteBytes(accumulator.Spec.Span);
        }
        return writer.Written.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote; throws <see cref="InvalidDataException"/> on anything else.</summary>
    public static DatasetDefinition FromBytes(ReadOnlyMemory<byte> bytes)
    {
        var reader = new RecipeReader(bytes);
        if (reader.ReadInt32() != Format) throw new InvalidDataException("unknown format of a dataset definition");
        var kind = (DatasetKind)reader.ReadInt32();
        int dimension = reader.ReadInt32();
        double lower = reader.ReadDouble(), upper = reader.ReadDouble(), maxNorm = reader.ReadDouble();
        float[] center = reader.ReadSingles();
        var adjacency = (Adjacency)reader.ReadInt32();
        int maxRecordsPerUnit = reader.ReadInt32();
        long maxRecords = reader.ReadInt64();
        var classes = new string[reader.ReadLength(4)];
        for (int i = 0; i < classes.Length; i++) classes[i] = reader.ReadText();
        var outOfDomain = (OutOfDomainPolicy)reader.ReadInt32();
        double maxAbsValue = reader.Remaining > 0 ? reader.ReadDouble() : 0;
        var accumulators = new AccumulatorDefinition[reader.Remaining > 0 ? reader.ReadLength(8) : 0];
        for (int i = 0; i < accumulators.Length; i++) accumulators[i] = new(reader.ReadText(), reader.ReadBytes());
        if (reader.Remaining != 0) throw new InvalidDataException("a dataset definition is too long");
        var domain = new Domain(dimension, Declared(lower), Declared(upper), Declared(maxNorm), center);
        return new(kind, domain, adjacency, maxRecordsPerUnit, maxRecords, classes, outOfDomain, maxAbsValue, accumulators);
    }

    static double? Declared(double value) => double.IsNaN(value) ? null : value;
}

/// <summary>A sketch that a one-pass dataset fills while rows arrive.</summary>
/// <param name="Id">Unique in the dataset.</param>
/// <param name="Spec">Opaque bytes from which the caller can make the same sketch for ever.</param>
public sealed record AccumulatorDefinition(string Id, ReadOnlyMemory<byte> Spec);
