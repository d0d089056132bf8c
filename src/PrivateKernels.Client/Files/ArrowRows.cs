using System.Numerics;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Memory;
using Apache.Arrow.Types;

namespace PrivateKernels.Client;

/// <summary>
/// Rows of an Arrow IPC file or stream (.arrow, Feather 2): one numeric column per coordinate, or one list column with
/// the
/// same number of values in each row. Holds one record batch at a time.
/// </summary>
sealed class ArrowRows : IRowReader
{
    readonly RowSource _source;
    readonly ArrowStreamReader _arrow;
    readonly LabelCodes? _codes;
    readonly Schema _schema;
    readonly TableColumns _columns;
    RecordBatch? _batch;
    int _taken;
    long _row;

    ArrowRows(RowSource source, ArrowStreamReader arrow, Schema schema, RowWish wish)
    {
        (_source, _arrow, _schema, _codes) = (source, arrow, schema, wish.Labels);
        _columns = TableColumns.Of(source, [.. schema.FieldsList.Select(static f => f.Name)], wish);
    }

    public int Dimension { get; private set; }

    public bool HasLabels => _codes is not null && _columns.Label >= 0;

    public bool HasValues => _columns.Value >= 0;

    public double Fraction => _source.Fraction;

    public static async Task<ArrowRows> OpenAsync(
        RowSource source, bool isFile, RowWish wish, CancellationToken cancellation)
    {
        var codecs = new CompressionCodecFactory();
        ArrowStreamReader arrow = isFile
            ? new ArrowFileReader(source.Stream, MemoryAllocator.Default.Value, codecs, leaveOpen: true)
            : new ArrowStreamReader(source.Stream, codecs, leaveOpen: true);
        var rows = new ArrowRows(source, arrow, await arrow.GetSchema(cancellation), wish);
        rows.Dimension = await rows.FindDimensionAsync(cancellation);
        return rows;
    }

    public async ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int count = 0;
        while (count < block.Rows && (_taken < (_batch?.Length ?? 0) || await NextBatchAsync(cancellation)))
        {
            int part = Math.Min(block.Rows - count, _batch!.Length - _taken);
            if (HasLabels) CopyLabels(block.Labels.Span.Slice(count, part));
            if (HasValues)
                Copy(_batch.Column(_columns.Value), _taken, block.RowValues.Span.Slice(count, part), 1, part, _columns.Value, null);
            if (Dimension > 0) CopyCoordinates(block.Values.Span.Slice(count * Dimension, part * Dimension), part);
            (count, _taken, _row) = (count + part, _taken + part, _row + part);
        }
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        _batch?.Dispose();
        _arrow.Dispose();
        await _source.DisposeAsync();
    }

    async Task<int> FindDimensionAsync(CancellationToken cancellation)
    {
        if (_columns.Coordinates is not [var only]) return _columns.Coordinates.Length;
        switch (_schema.GetFieldByIndex(only).DataType)
        {
            case FixedSizeListType list:
                return list.ListSize;
            case ListType or LargeListType:
                // The length of the first list is the dimension.
                do
                {
                    if (!await NextBatchAsync(cancellation)) throw _source.Error("has no rows");
                }
                while (_batch!.Length == 0);
                return (int)ListAt(_batch.Column(only), 0).Length;
            default:
                return 1;
        }
    }

    async ValueTask<bool> NextBatchAsync(CancellationToken cancellation)
    {
        _batch?.Dispose();
        try
        {
            _batch = await _arrow.ReadNextRecordBatchAsync(cancellation);
        }
        catch (Exception e) when (e is InvalidDataException or NotSupportedException or NotImplementedException)
        {
            throw _source.Error("cannot be read as Arrow", _row, null, e);
        }
        _taken = 0;
        return _batch is not null;
    }

    void CopyCoordinates(Span<float> values, int rows)
    {
        for (int k = 0; k < _columns.Coordinates.Length; k++)
        {
            int column = _columns.Coordinates[k];
            IArrowArray array = _batch!.Column(column);
            if (array is FixedSizeListArray or ListArray or LargeListArray)
                CopyLists(array, column, values, rows);
            else
                Copy(array, _taken, values[k..], Dimension, rows, column, null);
        }
    }

    void CopyLists(IArrowArray array, int column, Span<float> values, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            if (array.IsNull(_taken + i)) throw _source.Error("is empty", _row + i, column);
            IArrowArray list = ListAt(array, _taken + i);
            if (list.Length != Dimension)
                throw _source.Error($"has {list.Length} coordinates; the first row has {Dimension}", _row + i, column);
            Copy(list, 0, values.Slice(i * Dimension, Dimension), 1, Dimension, column, _row + i);
        }
    }

    void CopyLabels(Span<uint> labels)
    {
        IArrowArray array = _batch!.Column(_columns.Label);
        if (array is DictionaryArray packed)
        {
            for (int i = 0; i < labels.Length; i++)
                labels[i] = Label(packed.Dictionary, (int)(IntegerAt(packed.Indices, _taken + i) ?? -1), i);
            return;
        }
        for (int i = 0; i < labels.Length; i++) labels[i] = Label(array, _taken + i, i);
    }

    uint Label(IArrowArray array, int index, int row)
    {
        uint code = 0;
        bool found = index >= 0 && array switch
        {
            StringArray texts => texts.GetString(index) is { } text && _codes!.TryFind(text, out code),
            _ => IntegerAt(array, index) is { } number && _codes!.TryFind(number, out code),
        };
        return found ? code : throw _source.UnknownLabel(_row + row, _columns.Label);
    }

    // Row null: the rows of a plain column, from the current one on; otherwise all values belong to that row.
    void Copy(IArrowArray array, int first, Span<float> target, int stride, int count, int column, long? row)
    {
        if (array.NullCount > 0)
            for (int i = 0; i < count; i++)
                if (array.IsNull(first + i)) throw _source.Error("is empty", row ?? _row + i, column);
        bool known = array switch
        {
            FloatArray a => Narrow(a.Values, first, target, stride, count),
            DoubleArray a => Narrow(a.Values, first, target, stride, count),
            HalfFloatArray a => Narrow(a.Values, first, target, stride, count),
            Int8Array a => Narrow(a.Values, first, target, stride, count),
            Int16Array a => Narrow(a.Values, first, target, stride, count),
            Int32Array a => Narrow(a.Values, first, target, stride, count),
            Int64Array a => Narrow(a.Values, first, target, stride, count),
            UInt8Array a => Narrow(a.Values, first, target, stride, count),
            UInt16Array a => Narrow(a.Values, first, target, stride, count),
            UInt32Array a => Narrow(a.Values, first, target, stride, count),
            UInt64Array a => Narrow(a.Values, first, target, stride, count),
            _ => false,
        };
        if (!known)
            throw _source.Error($"column '{_schema.GetFieldByIndex(column).Name}' does not hold numbers", null, column);
    }

    static IArrowArray ListAt(IArrowArray array, int index) => array switch
    {
        FixedSizeListArray lists => lists.GetSlicedValues(index),
        ListArray lists => lists.GetSlicedValues(index),
        _ => ((LargeListArray)array).GetSlicedValues(index),
    };

    static long? IntegerAt(IArrowArray array, int index) => array switch
    {
        _ when array.IsNull(index) => null,
        Int8Array a => a.Values[index],
        Int16Array a => a.Values[index],
        Int32Array a => a.Values[index],
        Int64Array a => a.Values[index],
        UInt8Array a => a.Values[index],
        UInt16Array a => a.Values[index],
        UInt32Array a => a.Values[index],
        UInt64Array a => Element.Integer(a.Values[index]),
        FloatArray a => Element.Integer(a.Values[index]),
        DoubleArray a => Element.Integer(a.Values[index]),
        _ => null,
    };

    static bool Narrow<T>(ReadOnlySpan<T> values, int first, Span<float> target, int stride, int count)
        where T : unmanaged, INumberBase<T>
    {
        for (int i = 0; i < count; i++) target[i * stride] = float.CreateSaturating(values[first + i]);
        return true;
    }
}
