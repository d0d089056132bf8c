using System.Numerics;
using Parquet;
using Parquet.Data;
using Parquet.Schema;

namespace PrivateKernels.Client;

/// <summary>
/// Rows of a .parquet file: one numeric column per coordinate, or one list column with the same number of values in
/// each
/// row. Holds one row group at a time: its columns lie one after the other in the file.
/// </summary>
sealed class ParquetRows : IRowReader
{
    readonly RowSource _source;
    readonly ParquetReader _parquet;
    readonly LabelCodes? _codes;
    readonly Field[] _fields;
    readonly TableColumns _columns;
    float[] _values = [];
    uint[] _labels = [];
    float[] _rowValues = [];
    int _group;
    int _held;
    int _taken;
    long _row;

    ParquetRows(RowSource source, ParquetReader parquet, RowWish wish)
    {
        (_source, _parquet, _codes) = (source, parquet, wish.Labels);
        _fields = [.. parquet.Schema.Fields];
        _columns = TableColumns.Of(source, [.. _fields.Select(static f => f.Name)], wish);
        Dimension = _columns.Coordinates.Length;
    }

    public int Dimension { get; private set; }

    public bool HasLabels => _codes is not null && _columns.Label >= 0;

    public bool HasValues => _columns.Value >= 0;

    public double Fraction => _parquet.RowGroupCount == 0 ? 1 : (double)_group / _parquet.RowGroupCount;

    public static async Task<ParquetRows> OpenAsync(
        RowSource source, RowWish wish, CancellationToken cancellation)
    {
        ParquetReader parquet = await ParquetReader.CreateAsync(source.Stream, null, true, cancellation);
        var rows = new ParquetRows(source, parquet, wish);
        if (rows.IsList)
        {
            // The length of the first list is the dimension.
            if (!await rows.NextGroupAsync(cancellation)) throw source.Error("has no rows");
        }
        return rows;
    }

    public async ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int count = 0;
        while (count < block.Rows && (_taken < _held || await NextGroupAsync(cancellation)))
        {
            int part = Math.Min(block.Rows - count, _held - _taken);
            _values.AsSpan(_taken * Dimension, part * Dimension).CopyTo(block.Values.Span[(count * Dimension)..]);
            if (HasLabels) _labels.AsSpan(_taken, part).CopyTo(block.Labels.Span[count..]);
            if (HasValues) _rowValues.AsSpan(_taken, part).CopyTo(block.RowValues.Span[count..]);
            (count, _taken, _row) = (count + part, _taken + part, _row + part);
        }
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        await _parquet.DisposeAsync();
        await _source.DisposeAsync();
    }

    bool IsList => _columns.Coordinates is [var only] && _fields[only] is not DataField { IsArray: false };

    async Task<bool> NextGroupAsync(CancellationToken cancellation)
    {
        do
        {
            if (_group == _parquet.RowGroupCount) return false;
            using ParquetRowGroupReader group = _parquet.OpenRowGroupReader(_group++);
            if (group.RowCount * Math.Max(1L, Dimension) > Array.MaxLength)
                throw _source.Error("has a row group too large to hold; write it with smaller row groups", _row);
            (_held, _taken) = ((int)group.RowCount, 0);
            if (HasLabels) await ReadLabelsAsync(group, cancellation);
            if (HasValues) await ReadRowValuesAsync(group, cancellation);
            if (IsList)
                await ReadListAsync(group, cancellation);
            else
                await ReadColumnsAsync(group, cancellation);
        }
        while (_held == 0);
        return true;
    }

    async Task ReadRowValuesAsync(ParquetRowGroupReader group, CancellationToken cancellation)
    {
        if (_rowValues.Length < _held) _rowValues = new float[_held];
        if (_fields[_columns.Value] is not DataField { IsArray: false }) throw NotNumeric(_columns.Value);
        using RawColumnData raw = await ReadAsync(group, _columns.Value, cancellation);
        RefuseNulls(raw, _columns.Value);
        if (!TryNarrow(raw, _rowValues, 1, _held)) throw NotNumeric(_columns.Value);
    }

    async Task ReadColumnsAsync(ParquetRowGroupReader group, CancellationToken cancellation)
    {
        if (_values.Length < _held * Dimension) _values = new float[_held * Dimension];
        for (int k = 0; k < Dimension; k++)
        {
            int column = _columns.Coordinates[k];
            using RawColumnData raw = await ReadAsync(group, column, cancellation);
            RefuseNulls(raw, column);
            if (!TryNarrow(raw, _values.AsSpan(k), Dimension, _held)) throw NotNumeric(column);
        }
    }

    async Task ReadListAsync(ParquetRowGroupReader group, CancellationToken cancellation)
    {
        int column = _columns.Coordinates[0];
        using RawColumnData raw = await ReadAsync(group, column, cancellation);
        RefuseNulls(raw, column);
        CheckLengths(raw.RepetitionLevels, column);
        if (_values.Length < _held * Dimension) _values = new float[_held * Dimension];
        if (!TryNarrow(raw, _values, 1, _held * Dimension)) throw NotNumeric(column);
    }

    async Task ReadLabelsAsync(ParquetRowGroupReader group, CancellationToken cancellation)
    {
        if (_labels.Length < _held) _labels = new uint[_held];
        var field = _fields[_columns.Label] as DataField ?? throw NotNumeric(_columns.Label);
        if (field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>))
        {
            var texts = new string?[_held];
            await group.ReadAsync(field, texts.AsMemory()!, null, cancellation);
            for (int row = 0; row < _held; row++)
                if (!_codes!.TryFind(texts[row], out _labels[row]))
                    throw _source.UnknownLabel(_row + row, _columns.Label);
            return;
        }
        using RawColumnData raw = await ReadAsync(group, _columns.Label, cancellation);
        RefuseNulls(raw, _columns.Label);
        var numbers = new long?[_held];
        if (!TryIntegers(raw, numbers)) throw NotNumeric(_columns.Label);
        for (int row = 0; row < _held; row++)
            if (numbers[row] is not { } number || !_codes!.TryFind(number, out _labels[row]))
                throw _source.UnknownLabel(_row + row, _columns.Label);
    }

    async Task<RawColumnData> ReadAsync(ParquetRowGroupReader group, int column, CancellationToken cancellation)
    {
        DataField leaf = Leaf(column);
        try
        {
            return await group.ReadRawColumnDataBaseAsync(leaf, cancellation);
        }
        catch (Exception e) when (
            e is IOException or InvalidOperationException or NotSupportedException or FormatException)
        {
            throw _source.Error($"column '{leaf.Name}' cannot be read", null, column, e);
        }
    }

    DataField Leaf(int column) => _fields[column] switch
    {
        DataField field => field,
        ListField { Item: DataField item } => item,
        _ => throw NotNumeric(column),
    };

    // A level below the deepest one stands for a value, or list, that is not there.
    void RefuseNulls(RawColumnData raw, int column)
    {
        DataField leaf = Leaf(column);
        if (leaf.MaxDefinitionLevel == 0) return;
        ReadOnlySpan<int> levels = raw.DefinitionLevels;
        int gap = levels.IndexOfAnyExcept(leaf.MaxDefinitionLevel);
        if (gap < 0) return;
        long row = leaf.MaxRepetitionLevel == 0 ? gap : raw.RepetitionLevels[..(gap + 1)].Count(0) - 1;
        throw _source.Error("is empty", _row + row, column);
    }

    void CheckLengths(ReadOnlySpan<int> repetition, int column)
    {
        int row = -1, length = 0;
        for (int i = 0; i <= repetition.Length; i++)
        {
            if (i < repetition.Length && repetition[i] != 0)
            {
                length++;
                continue;
            }
            if (row == 0 && Dimension == 1 && _row == 0) Dimension = length;
            if (row >= 0 && length != Dimension)
                throw _source.Error($"has {length} coordinates; the first row has {Dimension}", _row + row, column);
            (row, length) = (row + 1, 1);
        }
    }

    static bool TryNarrow(RawColumnData raw, Span<float> target, int stride, int count) => raw switch
    {
        RawColumnData<float> d => Narrow(d, target, stride, count),
        RawColumnData<double> d => Narrow(d, target, stride, count),
        RawColumnData<int> d => Narrow(d, target, stride, count),
        RawColumnData<long> d => Narrow(d, target, stride, count),
        RawColumnData<byte> d => Narrow(d, target, stride, count),
        RawColumnData<sbyte> d => Narrow(d, target, stride, count),
        RawColumnData<short> d => Narrow(d, target, stride, count),
        RawColumnData<ushort> d => Narrow(d, target, stride, count),
        RawColumnData<uint> d => Narrow(d, target, stride, count),
        RawColumnData<ulong> d => Narrow(d, target, stride, count),
        _ => false,
    };

    static bool Narrow<T>(RawColumnData<T> raw, Span<float> target, int stride, int count)
        where T : unmanaged, INumberBase<T>
    {
        ReadOnlySpan<T> values = raw.Values;
        for (int i = 0; i < count; i++) target[i * stride] = float.CreateSaturating(values[i]);
        return true;
    }

    static bool TryIntegers(RawColumnData raw, Span<long?> target) => raw switch
    {
        RawColumnData<float> d => Integers(d, target),
        RawColumnData<double> d => Integers(d, target),
        RawColumnData<int> d => Integers(d, target),
        RawColumnData<long> d => Integers(d, target),
        RawColumnData<byte> d => Integers(d, target),
        RawColumnData<sbyte> d => Integers(d, target),
        RawColumnData<short> d => Integers(d, target),
        RawColumnData<ushort> d => Integers(d, target),
        RawColumnData<uint> d => Integers(d, target),
        RawColumnData<ulong> d => Integers(d, target),
        _ => false,
    };

    static bool Integers<T>(RawColumnData<T> raw, Span<long?> target)
        where T : unmanaged, INumberBase<T>
    {
        for (int i = 0; i < target.Length; i++) target[i] = Element.Integer(raw.Values[i]);
        return true;
    }

    RowFormatException NotNumeric(int column) =>
        _source.Error($"column '{_fields[column].Name}' does not hold numbers", null, column);
}
