using System.Globalization;
using System.Runtime.InteropServices;

namespace PrivateKernels.Storage;

/// <summary>What a batch must satisfy before it is stored. Names rows, columns and bounds, never a value.</summary>
static class BatchCheck
{
    /// <summary>
    /// Checks a batch, and moves its rows onto the domain where the dataset says so. Throws at the first thing wrong.
    /// </summary>
    internal static void Apply(DatasetDefinition definition, IngestBatch batch)
    {
        int dimension = definition.Domain.Dimension;
        if (batch.Dimension != dimension)
            throw Refused(
                Reasons.DimensionMismatch, $"The vectors have {batch.Dimension} coordinates; the dataset has {dimension}.",
                ("expected", dimension), ("actual", batch.Dimension));
        if (batch.Values.Length == 0 || batch.Values.Length % dimension != 0)
            throw new InvalidFieldException(
                "points.values", batch.Values.Length, $"its length must be a multiple of {dimension}, and not 0");
        CheckLabels(definition, batch, batch.Values.Length / dimension);
        uint crc = Crc32C.Compute(
            MemoryMarshal.AsBytes(batch.Labels.Span), Crc32C.Compute(MemoryMarshal.AsBytes(batch.Values.Span)));
        if (crc != batch.Crc32C)
            throw Refused(
                Reasons.ChecksumMismatch, "The checksum of the batch is wrong: it was damaged on its way; send it again.",
                ("sequence", batch.Sequence));
        if (definition.OutOfDomain == OutOfDomainPolicy.Clamp) Clamp(definition, batch.Values.Span);
        else if (definition.Domain.Check(batch.Values.Span) is { } violation) throw Outside(violation);
    }

    static void CheckLabels(DatasetDefinition definition, IngestBatch batch, int rows)
    {
        int classes = definition.Classes.Count, expected = classes > 0 ? rows : 0;
        if (batch.Labels.Length != expected)
            throw Refused(
                Reasons.ColumnMismatch,
                classes > 0 ? "The dataset has classes: send one label for each row." : "The dataset has no classes: send no labels.",
                ("column", "labels"), ("expected", expected));
        ReadOnlySpan<uint> labels = batch.Labels.Span;
        for (int row = 0; row < labels.Length; row++)
            if (labels[row] >= classes)
                throw Refused(
                    Reasons.LabelOutOfRange, $"Row {row} has a label that is not below the number of classes.",
                    ("row", row), ("classes", classes));
    }

    /// <summary>
    /// Guarantee: under REPLACE_ONE, where the number of rows is public, every row counts whatever is in it; one that
    /// cannot be moved is stored as NaN, to which no sketch adds anything.
    /// </summary>
    static void Clamp(DatasetDefinition definition, Span<float> values)
    {
        Domain domain = definition.Domain;
        for (int first = 0; first < values.Length; first += domain.Dimension)
        {
            Span<float> row = values.Slice(first, domain.Dimension);
            int column = FirstNotFinite(row);
            if (column < 0) domain.Clamp(row);
            if (column < 0 && Canonical.IsValid(row)) continue;
            if (definition.Adjacency == Adjacency.ReplaceOne) row.Fill(float.NaN);
            else throw Outside(new(first / domain.Dimension, Math.Max(0, column), DomainRule.Finite));
        }
    }

    static int FirstNotFinite(ReadOnlySpan<float> row)
    {
        for (int k = 0; k < row.Length; k++)
            if (!float.IsFinite(row[k])) return k;
        return -1;
    }

    static StorageException Outside(DomainViolation violation)
    {
        int row = violation.Row;
        if (violation.Rule == DomainRule.Finite)
            return Refused(
                Reasons.NonFiniteValue, $"Row {row}, column {violation.Column} is not finite, or is beyond 2^40 in size.",
                ("row", row), ("column", violation.Column));
        string bound = violation.Rule switch
        {
            DomainRule.Lower => "lower",
            DomainRule.Upper => "upper",
            _ => "max_norm",
        };
        return violation.Column is { } column
            ? Refused(
                Reasons.OutOfDomain, $"Row {row}, column {column} is beyond the declared bound '{bound}'.",
                ("row", row), ("column", column), ("bound", bound))
            : Refused(Reasons.OutOfDomain, $"Row {row} is beyond the declared bound '{bound}'.", ("row", row), ("bound", bound));
    }

    internal static StorageException Refused(string reason, string message, params ReadOnlySpan<(string Key, object? Value)> metadata)
    {
        var texts = new Dictionary<string, string>();
        foreach ((string key, object? value) in metadata) texts[key] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        return new(reason, message, texts);
    }
}
