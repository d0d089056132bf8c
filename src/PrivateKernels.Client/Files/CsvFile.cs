using System.Globalization;
using CsvHelper;

namespace PrivateKernels.Client;

/// <summary>Writes .csv files: a header, then rows of numbers that read back to the same bits.</summary>
public static class CsvFile
{
    /// <summary>Writes one line per row.</summary>
    /// <param name="path">File to make or replace.</param>
    /// <param name="header">Names of the columns.</param>
    /// <param name="rows">Rows, one field per column; numbers in invariant round-trip notation.</param>
    public static void Write(string path, IReadOnlyList<string> header, IEnumerable<IReadOnlyList<object>> rows)
    {
        using CsvWriter csv = CsvWriter.ToFile(path);
        csv.WriteHeader([.. header]);
        foreach (IReadOnlyList<object> row in rows)
        {
            foreach (object field in row) csv.WriteField(Convert.ToString(field, CultureInfo.InvariantCulture));
            csv.EndRecord();
        }
    }
}
