using System.Globalization;

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
        int rows = batch.Values.Length / dimension;
        CheckLabels(definition, batch, rows);
        CheckCount(batch.RowValues.Length, definition.MaxAbsValue > 0 ? rows : 0, "values", "values");
        if (batch.ComputeCrc() != batch.Crc32C)
            throw Refused(
                Reasons.ChecksumMismatch, "The checksum of the batch is wrong: it was damaged on its way; send it again.",
                ("sequence", batch.Sequence));
        if (definition.OutOfDomain == OutOfDomainPolicy.Clamp) Clamp(definition, batch.Values.Span, batch.RowValues.Span);
        else if (definition.Domain.Check(batch.Values.Span) is { } violation) throw Outside(violation);
        else CheckRowValues(definition, batch.RowValues.Span);
    }

    static void CheckCount(int sent, int expected, string column, string declared)
    {
        if (sent != expected)
            throw Refused(
                Reasons.ColumnMismatch,
                expected > 0
                    ? $"The dataset has {declared}: send {column}, one for each row."
                    : $"The dataset has no {declared}: send no {column}.",
                ("column", column), ("expected", expected));
    }

    static void CheckLabels(DatasetDefinition definition, IngestBatch batch, int rows)
    {
        int classes = definition.Classes.Count;
        CheckCount(batch.Labels.Length, classes > 0 ? rows : 0, "labels", "classes");
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
    static void Clamp(DatasetDefinition definition, Span<float> values, Span<float> rowValues)
    {
        Domain domain = definition.Domain;
        float bound = (float)definition.MaxAbsValue;
        for (int first = 0; first < values.Length; first += domain.Dimension)
        {
            Span<float> row = values.Slice(first, domain.Dimension);
            int index = first / domain.Dimension, column = FirstNotFinite(row);
            bool hasValue = rowValues.IsEmpty || float.IsFinite(rowValues[index]);
            if (column < 0) domain.Clamp(row);
            if (!rowValues.IsEmpty && hasValue)
                rowValues[index] = Math.Clamp(rowValues[index], -bound, bound);
            if (column < 0 && hasValue && Canonical.IsValid(row)) continue;
            if (definition.Adjacency == Adjacency.ReplaceOne) Erase(row, index, rowValues);
            else if (!hasValue) throw ValueNotFinite(index);
            else throw Outside(new(index, Math.Max(0, column), DomainRule.Finite));
        }
    }

    static void Erase(Span<float> row, int index, Span<float> rowValues)
    {
        row.Fill(float.NaN);
        if (!rowValues.IsEmpty) rowValues[index] = 0;
    }

    static void CheckRowValues(DatasetDefinition definition, ReadOnlySpan<float> rowValues)
    {
        for (int row = 0; row < rowValues.Length; row++)
        {
            if (!float.IsFinite(rowValues[row])) throw ValueNotFinite(row);
            if (Math.Abs(rowValues[row]) > (float)definition.MaxAbsValue)
                throw Refused(
                    Reasons.OutOfDomain, $"Row {row}: its value is beyond the declared bound 'max_abs_value'.",
                    ("row", row), ("bound", "max_abs_value"));
        }
    }

    static StorageException ValueNotFinite(int row) => Refused(
        Reasons.NonFiniteValue, $"Row {row}: its value is not finite.", ("row", row), ("column", "values"));

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
