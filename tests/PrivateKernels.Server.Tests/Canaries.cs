using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PrivateKernels.Tests;

/// <summary>
/// Coordinates that tests sent to servers, whichever they were. What a server says, in this process or in one of its own, is held
/// against all of them: none may stand in it, and no key.
/// </summary>
static partial class Canaries
{
    /// <summary>Coordinates kept of one batch and of all, and the fewest characters that no public number has by chance.</summary>
    const int OfBatch = 20, Most = 2_000, LeastLength = 7;

    static readonly ConcurrentDictionary<string, bool> All = new();

    internal static void Keep(IEnumerable<float> values)
    {
        foreach (string text in values.Take(OfBatch).Select(static v => v.ToString("R", CultureInfo.InvariantCulture)))
            if (text.Length >= LeastLength && text.Contains('.', StringComparison.Ordinal) && All.Count < Most) Keep(text);
    }

    internal static void Keep(string text) => All[text] = true;

    internal static void Forget(string text) => All.TryRemove(text, out _);

    /// <summary>Fails if a coordinate or a key stands in what a server said.</summary>
    internal static void AssertAbsent(string said)
    {
        string text = Clock.Replace(said, "");
        string[] all = [.. All.Keys];
        int at = text.AsSpan().IndexOfAny(SearchValues.Create(all, StringComparison.Ordinal));
        if (at >= 0) Assert.Fail($"private in a log: {text.Substring(at, Math.Min(40, text.Length - at))}");
        Assert.DoesNotMatch(Key, text);
    }

    /// <summary>Measured times may hold any digits.</summary>
    [GeneratedRegex(""" "time":"[^"]*"|"ms":[0-9.E+-]+ """, RegexOptions.IgnorePatternWhitespace)]
    static partial Regex Clock { get; }

    [GeneratedRegex("pk_[a-z0-9-]+_[A-Za-z0-9_-]{43}")]
    static partial Regex Key { get; }
}
