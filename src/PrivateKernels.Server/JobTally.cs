using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Counts the rows of a job that carry a label, and those that got it. Labels are compared by name: the query dataset and
/// the release may hold their classes in different orders.
/// </summary>
sealed class JobTally(IReadOnlyList<string> queryClasses, IReadOnlyList<string> releaseClasses)
{
    readonly int[] _expected = [.. queryClasses.Select(name => IndexOf(releaseClasses, name))];

    internal JobCounts Counts { get; private set; }

    internal void Add(ReadOnlySpan<uint> labels, ReadOnlySpan<int> classes)
    {
        int correct = 0;
        for (int i = 0; i < labels.Length; i++)
            if (_expected[labels[i]] == classes[i]) correct++;
        Counts = new(Counts.Rows + classes.Length, Counts.Labelled + labels.Length, Counts.Correct + correct);
    }

    /// <summary>
    /// The same rows in blocks of <see cref="PredictionWriter.BlockRows"/>, the last one shorter, in memory that is used
    /// again: which rows share a block must not depend on how they were uploaded, or a job could not go on behind it.
    /// </summary>
    internal static IEnumerable<Records> Blocks(IEnumerable<Records> batches, int dimension)
    {
        const int Most = PredictionWriter.BlockRows;
        var values = new float[Most * dimension];
        var labels = new uint[Most];
        int filled = 0;
        bool labelled = false;
        foreach (Records batch in batches)
        {
            labelled = !batch.Labels.IsEmpty;
            int rows = batch.Values.Length / dimension;
            for (int first = 0, count; first < rows; first += count)
            {
                count = Math.Min(Most - filled, rows - first);
                batch.Values.Slice(first * dimension, count * dimension).CopyTo(values.AsMemory(filled * dimension));
                if (labelled) batch.Labels.Slice(first, count).CopyTo(labels.AsMemory(filled));
                filled += count;
                if (filled < Most) continue;
                yield return Block();
                filled = 0;
            }
        }
        if (filled > 0) yield return Block();

        Records Block() => new(values.AsMemory(0, filled * dimension), labels.AsMemory(0, labelled ? filled : 0));
    }

    static int IndexOf(IReadOnlyList<string> names, string name)
    {
        for (int i = 0; i < names.Count; i++)
            if (names[i] == name) return i;
        return -1;
    }
}
