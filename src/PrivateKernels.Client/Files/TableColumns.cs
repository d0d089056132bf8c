namespace PrivateKernels.Client;

/// <summary>
/// Roles of the columns of a table. A column named "label" is never a coordinate. A table read for its labels has such
/// a
/// column, or one column in all.
/// </summary>
/// <param name="Coordinates">Indices of the coordinates, in order; empty for a table of labels.</param>
/// <param name="Label">Index of the label, or -1.</param>
readonly record struct TableColumns(int[] Coordinates, int Label)
{
    const string LabelName = "label";

    public static TableColumns Of(RowSource source, IReadOnlyList<string> names, RowRole role)
    {
        int label = -1;
        for (int c = 0; c < names.Count; c++)
            if (IsLabel(names[c])) label = c;
        if (role == RowRole.Labels)
            return label >= 0 || names.Count == 1
                ? new([], Math.Max(label, 0))
                : throw source.Error($"has {names.Count} columns, none named '{LabelName}'; labels are one column");
        int[] coordinates = [.. Enumerable.Range(0, names.Count).Where(c => c != label)];
        return coordinates.Length > 0 ? new(coordinates, label) : throw source.Error("has no column of coordinates");
    }

    public static bool IsLabel(string name) => name.Trim().Equals(LabelName, StringComparison.OrdinalIgnoreCase);
}

/// <summary>What a file is read for.</summary>
enum RowRole
{
    /// <summary>Coordinates, with the label column if there is one and it is wanted.</summary>
    Vectors,

    /// <summary>One label per row.</summary>
    Labels,
}
