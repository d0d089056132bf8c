using System.Runtime.InteropServices;

namespace PrivateKernels.Client;

/// <summary>What the header of a binary file says: rows x columns numbers follow, row after row.</summary>
/// <param name="Element">Type of the numbers.</param>
/// <param name="Rows">Rows in the file.</param>
/// <param name="Columns">Numbers per row.</param>
/// <param name="Scale">Factor on coordinates; labels are never scaled.</param>
readonly record struct BinaryLayout(Element Element, long Rows, int Columns, float Scale);

/// <summary>Rows of a file whose body is a plain matrix (.npy, .idx).</summary>
sealed class BinaryRows : IRowReader
{
    const int ChunkElements = 1 << 16;

    readonly RowSource _source;
    readonly BinaryLayout _layout;
    readonly LabelCodes? _labels;
    readonly int _value = -1;
    readonly byte[] _chunk;
    long _row;

    /// <param name="source">Positioned at the first number.</param>
    /// <param name="layout">From the header.</param>
    /// <param name="wish">Labels are one number per row; a column of values is given by its number.</param>
    public BinaryRows(RowSource source, BinaryLayout layout, RowWish wish)
    {
        LabelCodes? labels = wish.Role == RowRole.Labels ? wish.Labels : null;
        if (layout.Columns < 1 || layout.Columns > Domain.LargestDimension)
            throw source.Error($"has {layout.Columns} numbers per row; 1 to {Domain.LargestDimension} can be read");
        if (labels is not null && layout.Columns != 1)
            throw source.Error($"has {layout.Columns} numbers per row; labels are one per row");
        if (wish.Values is { } values)
        {
            _value = TableColumns.IndexOf(source, new string[layout.Columns].Select(static _ => "").ToArray(), values);
            if (layout.Columns == 1) throw source.Error("has no column of coordinates");
        }
        (_source, _layout, _labels) = (source, layout, labels);
        _chunk = new byte[ChunkElements * layout.Element.Size];
    }

    public int Dimension => _labels is not null ? 0 : HasValues ? _layout.Columns - 1 : _layout.Columns;

    public bool HasLabels => _labels is not null;

    public bool HasValues => _value >= 0;

    public double Fraction => _layout.Rows == 0 ? 1 : (double)_row / _layout.Rows;

    public ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int rows = (int)Math.Min(block.Rows, _layout.Rows - _row);
        if (_labels is not null) ReadLabels(block.Labels.Span[..rows]);
        else if (HasValues) ReadSplit(block, rows, cancellation);
        else ReadCoordinates(block.Values.Span[..(rows * _layout.Columns)], cancellation);
        _row += rows;
        return new(rows);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>Whole rows, their value taken out.</summary>
    void ReadSplit(RowBlock block, int rows, CancellationToken cancellation)
    {
        int columns = _layout.Columns;
        var whole = new float[rows * columns];
        ReadCoordinates(whole, cancellation);
        Span<float> to = block.Values.Span;
        for (int row = 0; row < rows; row++, to = to[Dimension..])
        {
            ReadOnlySpan<float> from = whole.AsSpan(row * columns, columns);
            from[.._value].CopyTo(to);
            from[(_value + 1)..].CopyTo(to[_value..]);
            block.RowValues.Span[row] = from[_value];
        }
    }

    void ReadCoordinates(Span<float> values, CancellationToken cancellation)
    {
        for (int first = 0; first < values.Length; first += ChunkElements)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<float> part = values.Slice(first, Math.Min(ChunkElements, values.Length - first));
            if (_layout.Element.IsNativeFloat)
                Fill(MemoryMarshal.AsBytes(part), first);
            else
                _layout.Element.ToFloat(Fill(_chunk.AsSpan(0, part.Length * _layout.Element.Size), first), part);
            if (_layout.Scale != 1)
                for (int i = 0; i < part.Length; i++) part[i] *= _layout.Scale;
        }
    }

    void ReadLabels(Span<uint> labels)
    {
        int size = _layout.Element.Size;
        for (int first = 0; first < labels.Length; first += ChunkElements)
        {
            int count = Math.Min(ChunkElements, labels.Length - first);
            Span<byte> bytes = Fill(_chunk.AsSpan(0, count * size), first);
            for (int i = 0; i < count; i++)
                if (_layout.Element.ToInteger(bytes.Slice(i * size, size)) is not { } number ||
                    !_labels!.TryFind(number, out labels[first + i]))
                    throw _source.UnknownLabel(_row + first + i, 0);
        }
    }

    Span<byte> Fill(Span<byte> bytes, int firstElement)
    {
        int read = _source.Stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (read < bytes.Length)
            throw _source.Error(
                $"ends here; its header announces {_layout.Rows} rows",
                _row + (firstElement + read / _layout.Element.Size) / _layout.Columns);
        return bytes;
    }
}
