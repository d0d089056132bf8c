using System.Text;
using CsvHelper;

namespace PrivateKernels.Client;

/// <summary>
/// Rows of a .csv file: numbers in invariant notation, separated by comma, semicolon or tab, with or without header.
/// </summary>
sealed class CsvRows : IRowReader
{
    const int LargestRecordBytes = 1 << 24;

    readonly RowSource _source;
    readonly CsvReader _csv;
    readonly LabelCodes? _codes;
    TableColumns _columns;
    int _fields;
    bool _pending;
    long _row;

    CsvRows(RowSource source, LabelCodes? codes)
    {
        (_source, _codes) = (source, codes);
        var options = new CsvReaderOptions
        {
            HasHeader = false,
            TrimWhitespace = true,
            MaxRecordSize = LargestRecordBytes,
            IncludeValuesInExceptions = false,
        };
        _csv = CsvReader.Create(source.Stream, options, true);
    }

    public int Dimension => _columns.Coordinates.Length;

    public bool HasLabels => _codes is not null && _columns.Label >= 0;

    public bool HasValues => _columns.Value >= 0;

    public double Fraction => _source.Fraction;

    public static async Task<CsvRows> OpenAsync(
        RowSource source, RowWish wish, CancellationToken cancellation)
    {
        var rows = new CsvRows(source, wish.Labels);
        if (!await rows.NextAsync(cancellation)) throw source.Error("is empty");
        rows._fields = rows._csv.FieldCount;
        bool header = rows.IsHeader(wish.Role);
        string[] names = [.. Enumerable.Range(0, rows._fields).Select(c => header ? rows._csv.GetString(c) : "")];
        rows._columns = TableColumns.Of(source, names, wish);
        rows._pending = !header;
        return rows;
    }

    public async ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int count = 0;
        while (count < block.Rows && (_pending || await NextAsync(cancellation)))
        {
            _pending = false;
            ReadRecord(block, count++);
            _row++;
        }
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        await _csv.DisposeAsync();
        await _source.DisposeAsync();
    }

    // A first line that cannot be data names the columns: a coordinate that is no number, a label that is no class.
    bool IsHeader(RowRole role)
    {
        if (role == RowRole.Labels && _fields == 1) return !_codes!.TryFind(_csv.GetString(0), out _);
        for (int c = 0; c < _fields; c++)
            if (!_csv.IsEmpty(c) && !_csv.TryParse(c, out float _)) return true;
        return false;
    }

    void ReadRecord(RowBlock block, int index)
    {
        if (_csv.FieldCount != _fields)
            throw _source.Error($"has {_csv.FieldCount} fields; the first line has {_fields}", _row);
        Span<float> values = block.Values.Span.Slice(index * Dimension, Dimension);
        for (int k = 0; k < values.Length; k++)
            if (!_csv.TryParse(_columns.Coordinates[k], out values[k]))
                throw _source.Error("is no number", _row, _columns.Coordinates[k]);
        if (HasValues && !_csv.TryParse(_columns.Value, out block.RowValues.Span[index]))
            throw _source.Error("is no number", _row, _columns.Value);
        if (HasLabels && !_codes!.TryFind(_csv.GetString(_columns.Label), out block.Labels.Span[index]))
            throw _source.UnknownLabel(_row, _columns.Label);
    }

    async ValueTask<bool> NextAsync(CancellationToken cancellation)
    {
        try
        {
            return await _csv.ReadAsync(cancellation);
        }
        catch (Exception e) when (e is CsvFormatException or DecoderFallbackException or InvalidDataException)
        {
            throw _source.Error("cannot be read as CSV", _row, null, e);
        }
    }
}
