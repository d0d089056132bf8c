namespace PrivateKernels;

/// <summary>Weighted least squares on a 4-ary tree of noisy counts.</summary>
static class TreeFit
{
    /// <summary>
    /// The leaves that minimise the sum over nodes of (count - sum of its leaves)^2 / variance of its level; two passes.
    /// </summary>
    /// <param name="nodes">Counts, the top level first, each level four times as wide as the one above. Overwritten.</param>
    /// <param name="variances">Of the levels from the top, up to a common factor.</param>
    /// <returns>The leaves: the last level, in place.</returns>
    public static Span<double> Leaves(Span<double> nodes, ReadOnlySpan<double> variances)
    {
        int levels = variances.Length, width = nodes.Length, last = nodes.Length;
        // The leaves are 4^(levels - 1) times as many as the top, all together (4^levels - 1)/3 times.
        width = width / (((1 << (2 * levels)) - 1) / 3) << (2 * (levels - 1));
        int leaves = width;
        double variance = variances[^1];
        for (int level = levels - 2; level >= 0; level--)
        {
            Span<double> children = nodes.Slice(last - width, width), parents = nodes.Slice(last - width - width / 4, width / 4);
            double own = 1 / variances[level], theirs = 1 / (4 * variance);
            variance = 1 / (own + theirs);
            for (int i = 0; i < parents.Length; i++)
                parents[i] = variance * (own * parents[i] + theirs * Sum(children.Slice(4 * i, 4)));
            (last, width) = (last - width, width / 4);
        }
        for (int level = 1; level < levels; level++)
        {
            Span<double> parents = nodes.Slice(last - width, width), children = nodes.Slice(last, 4 * width);
            for (int i = 0; i < parents.Length; i++)
            {
                Span<double> four = children.Slice(4 * i, 4);
                double share = (parents[i] - Sum(four)) / 4;
                foreach (ref double child in four) child += share;
            }
            (last, width) = (last + 4 * width, 4 * width);
        }
        return nodes[^leaves..];
    }

    static double Sum(ReadOnlySpan<double> four) => four[0] + four[1] + (four[2] + four[3]);
}
