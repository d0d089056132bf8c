using System.Globalization;

namespace PrivateKernels.Client;

/// <summary>
/// Roles of the columns of a table. A column named "label", and the one that holds values, are never coordinates. A table
/// read for its labels has a column of that name, or one column in all.
/// </summary>
/// <param name="Coordinates">Indices of the coordinates, in order; empty for a table of labels.</param>
/// <param name="Label">Index of the label, or -1.</param>
/// <param name="Value">Index of the value, or -1.</param>
readonly record struct TableColumns(int[] Coordinates, int Label, int Value = -1)
{
    const string LabelName = "label";

    public static TableColumns Of(RowSource source, IReadOnlyList<string> names, RowWish wish)
    {
        int label = -1;
        for (int c = 0; c < names.Count; c++)
            if (IsLabel(names[c])) label = c;
        if (wish.Role == RowRole.Labels)
            return label >= 0 || names.Count == 1
                ? new([], Math.Max(label, 0))
                : throw source.Error($"has {names.Count} columns, none named '{LabelName}'; labels are one column");
        int value = wish.Values is { } wanted ? IndexOf(source, names, wanted) : -1;
        int[] coordinates = [.. Enumerable.Range(0, names.Count).Where(c => c != label && c != value)];
        return coordinates.Length > 0
            ? new(coordinates, label, value)
            : throw source.Error("has no column of coordinates");
    }

    public static bool IsLabel(string name) => Is(name, LabelName);

    /// <summary>The column of this name, or else of this number, from 0.</summary>
    public static int IndexOf(RowSource source, IReadOnlyList<string> names, string wanted)
    {
        for (int c = 0; c < names.Count; c++)
            if (Is(names[c], wanted.Trim())) return c;
        return int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < names.Count
            ? index
            : throw source.Error($"has no column '{wanted}' for values; name one, or its number from 0");
    }

    static bool Is(string name, string wanted) => name.Trim().Equals(wanted, StringComparison.OrdinalIgnoreCase);
}

/// <summary>What a file is read for.</summary>
enum RowRole
{
    /// <summary>Coordinates, with the label column if there is one and it is wanted.</summary>
    Vectors,

    /// <summary>One label per row.</summary>
    Labels,
}

/// <summary>What is wanted of a file.</summary>
/// <param name="Role">Vectors, or labels alone.</param>
/// <param name="Labels">Classes, if labels are wanted.</param>
/// <param name="Values">Name or number of the column of values, if wanted.</param>
readonly record struct RowWish(RowRole Role, LabelCodes? Labels = null, string? Values = null);
