namespace PrivateKernels.Client;

/// <summary>A file of rows breaks a rule. The message names file, row and column (from 0), never the value.</summary>
public sealed class RowFormatException(string path, long? row, int? column, string rule, Exception? inner = null)
    : FormatException(Text(path, row, column, rule), inner)
{
    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>Row, counted from 0 without a header; null if the file as a whole is wrong.</summary>
    public long? Row { get; } = row;

    /// <summary>Column, counted from 0; null if the row as a whole is wrong.</summary>
    public int? Column { get; } = column;

    /// <summary>What is wrong.</summary>
    public string Rule { get; } = rule;

    static string Text(string path, long? row, int? column, string rule)
    {
        string place = row is null ? "" : column is null ? $", row {row}" : $", row {row}, column {column}";
        return $"{path}{place}: {rule}.";
    }
}
