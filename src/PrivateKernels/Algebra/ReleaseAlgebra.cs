namespace PrivateKernels;

/// <summary>
/// Adds and subtracts releases of disjoint data, cell by cell: cells are sums over records, so the result is what one release
/// of the union (or the difference) would hold, with the noise of all. The maps must be the same: function, seed, size and what
/// else shapes them. Post-processing: no budget is spent.
/// </summary>
public static class ReleaseAlgebra
{
    /// <summary>Sums over the records of all; per-class releases must have the same classes in the same order.</summary>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs twice: its noise would not be independent.</exception>
    public static CombinedRelease Add(params IReadOnlyList<ReleasedSums> releases) =>
        Combine([.. releases.Select(static r => (r, 1))], sameClasses: true);

    /// <summary>Sums over the records of the first less those over the records of the second.</summary>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs in both: its noise would not be independent.</exception>
    public static CombinedRelease Subtract(ReleasedSums from, ReleasedSums subtrahend) =>
        Combine([(from, 1), (subtrahend, -1)], sameClasses: true);

    /// <summary>
    /// One per-class release with every class of the given ones, in order of appearance; a class that several have is added up.
    /// </summary>
    /// <exception cref="NotPerClassException">One of them has no classes.</exception>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs twice: its noise would not be independent.</exception>
    public static CombinedRelease Merge(params IReadOnlyList<ReleasedSums> releases) =>
        releases.Any(static r => r.Classes.Count == 0)
            ? throw new NotPerClassException()
            : Combine([.. releases.Select(static r => (r, 1))], sameClasses: false);

    static CombinedRelease Combine((ReleasedSums Release, int Sign)[] parts, bool sameClasses)
    {
        if (parts.Length < 2) throw new InvalidFieldException("releases", parts.Length, "at least two are needed");
        ReleasedSums first = parts[0].Release;
        foreach ((ReleasedSums other, _) in parts.AsSpan(1))
        {
            MapMismatchException.ThrowIfDifferent(first.Sketch, other.Sketch);
            if (sameClasses && !first.Classes.SequenceEqual(other.Classes)) throw new MapMismatchException(
                [$"classes are [{string.Join(", ", first.Classes)}] and [{string.Join(", ", other.Classes)}]"]);
        }
        ReleaseParent[] parents =
            [.. parts.SelectMany(static p => p.Release.Parents.Select(parent => parent with { Sign = parent.Sign * p.Sign }))];
        SharedParentException.ThrowIfRepeated(parents);
        string[] classes = [.. parts.SelectMany(static p => p.Release.Classes).Distinct()];
        int size = first.Sketch.CellCount;
        var blocks = new CombinedBlock[Math.Max(1, classes.Length)];
        var cells = new long[(long)blocks.Length * size];
        foreach ((ReleasedSums part, int sign) in parts)
            for (int b = 0; b < part.Blocks; b++)
            {
                int at = classes.Length == 0 ? 0 : Array.IndexOf(classes, part.Classes[b]);
                Accumulate(cells.AsSpan(at * size, size), part.Block(b), sign);
                blocks[at] = new(blocks[at].Noise + part.NoiseOf(b), blocks[at].Records + part.RecordsOf(b));
            }
        return new(first.Sketch, classes, cells, blocks, parents);
    }

    static void Accumulate(Span<long> cells, ReadOnlySpan<long> added, int sign)
    {
        for (int i = 0; i < cells.Length; i++)
            cells[i] = sign > 0 ? CellSum.Add(cells[i], added[i]) : CellSum.Subtract(cells[i], added[i]);
    }
}

/// <summary>Releases of different maps: their cells do not mean the same.</summary>
public sealed class MapMismatchException(IReadOnlyList<string> differences) : ArgumentException(
    $"the releases have different maps: {string.Join("; ", differences)}. "
    + "Build them with the same function, bounds, method, features and seed.")
{
    /// <summary>"seed is 1 and 2", one for each field.</summary>
    public IReadOnlyList<string> Differences { get; } = differences;

    /// <summary>Compares two maps field by field: those that cells depend on.</summary>
    internal static void ThrowIfDifferent(ISketch a, ISketch b)
    {
        var found = new List<string>();
        void Compare<T>(string field, T x, T y)
        {
            if (!EqualityComparer<T>.Default.Equals(x, y)) found.Add(FormattableString.Invariant($"{field} is {x} and {y}"));
        }

        Compare("function.name", a.Function.Entry.Name, b.Function.Entry.Name);
        Compare("function.bandwidth", a.Function.Bandwidth, b.Function.Bandwidth);
        Compare("function.exponent", a.Function.Exponent, b.Function.Exponent);
        Compare("domain.dimension", a.Domain.Dimension, b.Domain.Dimension);
        // Bounds matter where the map is made for them.
        if (a.AnswersInsideBoxOnly || b.AnswersInsideBoxOnly)
        {
            Compare("domain.lower", a.Domain.Lower, b.Domain.Lower);
            Compare("domain.upper", a.Domain.Upper, b.Domain.Upper);
        }
        if (a.Function.Entry.NeedsMaxNorm || b.Function.Entry.NeedsMaxNorm)
        {
            Compare("domain.max_norm", a.Domain.MaxNorm, b.Domain.MaxNorm);
            if (!a.Domain.Center.SequenceEqual(b.Domain.Center)) found.Add("domain.center differs");
        }
        Compare("method", a.Method, b.Method);
        Compare("features", a.Features, b.Features);
        Compare("seed", a.Seed, b.Seed);
        Compare("weighting", Weighting(a), Weighting(b));
        Compare("cells", a.CellCount, b.CellCount);
        if (found.Count == 0 && !Drawn(a).AsSpan().SequenceEqual(Drawn(b)))
            found.Add("what was drawn or derived differs: radii, landmarks, groups or the weight of the count");
        if (found.Count > 0) throw new MapMismatchException(found);
    }

    static string Weighting(ISketch sketch) =>
        sketch is WeightedSketch weighted ? FormattableString.Invariant($"values up to {weighted.MaxAbsValue}") : "one";

    static byte[] Drawn(ISketch sketch)
    {
        var writer = new RecipeWriter();
        sketch.Write(writer);
        return writer.Written.ToArray();
    }
}

/// <summary>One release would be used twice, as if its noise were independent of itself.</summary>
public sealed class SharedParentException(LedgerPosition position) : ArgumentException(
    $"the release reserved at ledger entry {position.Sequence} occurs twice: its noise is not independent of itself. Use each release once.")
{
    internal static void ThrowIfRepeated(IEnumerable<ReleaseParent> parents)
    {
        var seen = new HashSet<string>();
        foreach (ReleaseParent parent in parents)
            if (!seen.Add(Convert.ToHexString(parent.Sha256.Span))) throw new SharedParentException(parent.ReservedAt);
    }
}
