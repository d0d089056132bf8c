namespace PrivateKernels.Client;

/// <summary>Cuts query points into messages and puts the answers together again, in order.</summary>
static class Gathering
{
    /// <summary>
    /// Consecutive parts of at most so many points; one empty part if there are none, so that it is checked too.
    /// </summary>
    public static IReadOnlyList<Points> Split(Points points, int most)
    {
        if (points.Count <= most) return [points];
        var parts = new Points[(points.Count + most - 1) / most];
        for (int i = 0; i < parts.Length; i++)
            parts[i] = points.Slice(i * most, Math.Min(most, points.Count - i * most));
        return parts;
    }

    /// <summary>Asks about all parts, some at once, and returns the replies in order of the parts.</summary>
    /// <exception cref="PrivateKernelsException">A part was refused; rows are counted over all parts.</exception>
    public static async Task<T[]> AskAsync<T>(
        IReadOnlyList<Points> parts, int parallel, Func<Points, CancellationToken, Task<T>> ask,
        CancellationToken cancellation)
    {
        var replies = new T[parts.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellation };
        await Parallel.ForAsync(0, parts.Count, options, async (i, stop) =>
        {
            try
            {
                replies[i] = await ask(parts[i], stop);
            }
            catch (PrivateKernelsException e)
            {
                throw e.WithRowsAfter((long)i * parts[0].Count);
            }
        });
        return replies;
    }

    public static Answers Join(IReadOnlyList<Answers> parts) => parts is [var only] ? only : new(
        [.. parts.SelectMany(static p => p.Values)], [.. parts.SelectMany(static p => p.NoiseStd)],
        [.. parts.SelectMany(static p => p.ApproximationStd)], [.. parts.SelectMany(static p => p.HalfWidth95)],
        parts[0].DegreesOfFreedom);

    public static IReadOnlyList<ClassAnswers> Join(IReadOnlyList<IReadOnlyList<ClassAnswers>> parts) =>
        [.. parts[0].Select((first, c) => first with { Answers = Join([.. parts.Select(p => p[c].Answers)]) })];

    public static Classification Join(IReadOnlyList<Classification> parts) => parts is [var only] ? only : new(
        parts[0].Score, [.. parts.SelectMany(static p => p.Labels)], [.. parts.SelectMany(static p => p.Margins)],
        [.. parts.SelectMany(static p => p.Scores)], parts[0].Excluded);
}
