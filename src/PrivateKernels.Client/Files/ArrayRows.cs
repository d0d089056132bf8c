namespace PrivateKernels.Client;

/// <summary>Rows that are in memory already.</summary>
public sealed class ArrayRows : IRowReader
{
    readonly ReadOnlyMemory<float> _values;
    readonly ReadOnlyMemory<uint> _labels;
    readonly ReadOnlyMemory<float> _rowValues;
    readonly int _rows;
    int _row;

    /// <param name="values">Coordinates, row after row; rows x dimension.</param>
    /// <param name="dimension">Coordinates per row, at least 1.</param>
    /// <param name="labels">Class index of each row, or empty.</param>
    /// <param name="rowValues">Value of each row, for weighted sums, or empty.</param>
    public ArrayRows(
        ReadOnlyMemory<float> values, int dimension, ReadOnlyMemory<uint> labels = default,
        ReadOnlyMemory<float> rowValues = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        if (values.Length % dimension != 0)
            throw new InvalidFieldException("values", values.Length,
                $"its length must be a multiple of the dimension {dimension}");
        if (!labels.IsEmpty && labels.Length != values.Length / dimension)
            throw new InvalidFieldException("labels", labels.Length,
                $"there must be none or {values.Length / dimension}, one per row");
        if (!rowValues.IsEmpty && rowValues.Length != values.Length / dimension)
            throw new InvalidFieldException("rowValues", rowValues.Length,
                $"there must be none or {values.Length / dimension}, one per row");
        _rowValues = rowValues;
        (_values, _labels, Dimension, _rows) = (values, labels, dimension, values.Length / dimension);
    }

    public int Dimension { get; }

    public bool HasLabels => !_labels.IsEmpty;

    public bool HasValues => !_rowValues.IsEmpty;

    public double Fraction => _rows == 0 ? 1 : (double)_row / _rows;

    public ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int count = Math.Min(block.Rows, _rows - _row);
        _values.Slice(_row * Dimension, count * Dimension).CopyTo(block.Values);
        if (HasLabels) _labels.Slice(_row, count).CopyTo(block.Labels);
        if (HasValues) _rowValues.Slice(_row, count).CopyTo(block.RowValues);
        _row += count;
        return new(count);
    }

    public ValueTask DisposeAsync() => default;
}
