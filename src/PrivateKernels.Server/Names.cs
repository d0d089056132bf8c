using System.Diagnostics.CodeAnalysis;

namespace PrivateKernels.Server;

/// <summary>
/// Resource names: "datasets/{dataset}", "datasets/{dataset}/releases/{release}",
/// "datasets/{dataset}/classificationJobs/{job}", "operations/{uuid}".
/// </summary>
static class Names
{
    internal static string OfDataset(string dataset) => $"datasets/{dataset}";

    internal static string OfRelease(string dataset, string release) => $"datasets/{dataset}/releases/{release}";

    internal static string OfBudget(string dataset) => $"datasets/{dataset}/budget";

    internal static string OfOperation(Guid operation) => $"operations/{operation:D}";

    /// <summary>Id of "datasets/{dataset}".</summary>
    internal static string Dataset(string name, string field) =>
        Match(name, ["datasets", ""]) is [var dataset] ? dataset : throw Malformed(field, "datasets/{dataset}");

    /// <summary>Id of the dataset in "datasets/{dataset}/budget".</summary>
    internal static string Budget(string name, string field) =>
        Match(name, ["datasets", "", "budget"]) is [var dataset] ? dataset : throw Malformed(field, "datasets/{dataset}/budget");

    internal static (string Dataset, string Release) Release(string name, string field) =>
        Match(name, ["datasets", "", "releases", ""]) is [var dataset, var release]
            ? (dataset, release)
            : throw Malformed(field, "datasets/{dataset}/releases/{release}");

    internal static (string Dataset, string Job) Job(string name, string field) =>
        FindJob(name) ?? throw Malformed(field, "datasets/{dataset}/classificationJobs/{job}");

    /// <summary>The ids in the name of a classification job; null if it is the name of something else.</summary>
    internal static (string Dataset, string Job)? FindJob(string name) =>
        Match(name, ["datasets", "", "classificationJobs", ""]) is [var dataset, var job] ? (dataset, job) : null;

    internal static Guid Operation(string name, string field) =>
        name.StartsWith("operations/", StringComparison.Ordinal) && Guid.TryParseExact(name["operations/".Length..], "D", out Guid id)
            ? id
            : throw Malformed(field, "operations/{uuid}");

    /// <summary>1 to 63 of [a-z0-9-], the first a letter.</summary>
    internal static bool IsId([NotNullWhen(true)] string? text) =>
        text is { Length: >= 1 and <= 63 } && char.IsAsciiLetterLower(text[0])
        && text.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');

    internal static string CheckedId(string id, string field) => IsId(id)
        ? id
        : throw Refusal.Field(field, "must be 1 to 63 lower-case letters, digits and '-', starting with a letter");

    static string[]? Match(string name, string[] pattern)
    {
        string[] parts = name.Split('/');
        if (parts.Length != pattern.Length) return null;
        for (int i = 0; i < parts.Length; i++)
            if (pattern[i].Length == 0 ? !IsId(parts[i]) : parts[i] != pattern[i]) return null;
        return [.. parts.Where((_, i) => pattern[i].Length == 0)];
    }

    static Refusal Malformed(string field, string pattern) => Refusal.Field(field, $"must look like \"{pattern}\"");
}
