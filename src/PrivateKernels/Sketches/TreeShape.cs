namespace PrivateKernels;

/// <summary>
/// A 4-ary tree over m = 4^L cells of one coordinate, without a root: its weights, what an answer reads from it and how
/// much noise that gathers. |t - y|^p enters by its mean over each cell, for y at the m + 1 cell edges.
/// </summary>
sealed class TreeShape
{
    public const int LeastCells = 16, MostCells = 4096;

    /// <summary>
    /// Thousandths of the budget for each level, the coarsest first: least noise variance in an answer of l1, averaged over
    /// y, which a test shows from the formula. For other powers they are within 1 % of the best (p = 1.5) to 11 % (0.25).
    /// </summary>
    static readonly int[][] Shares =
        [[662, 338], [551, 261, 188], [497, 238, 157, 108], [469, 224, 149, 94, 64], [453, 216, 144, 91, 57, 39]];

    readonly double[] _kernel, _variances;
    readonly Lazy<(double[] Squared, double[] Neighbour, double Cross, double Records)> _noise;

    public TreeShape(double p, int cells)
    {
        (Power, Cells) = (p, cells);
        int levels = int.Log2(cells) / 2;
        Weights = Shares[levels - 2];
        NodeCount = (4 * cells - 4) / 3;
        _variances = [.. Weights.Select(static w => 1 / ((double)w * w))];
        _kernel = new double[cells];
        // The mean of t^p over [k, k + 1].
        for (int k = 0; k < cells; k++)
            _kernel[k] = (PortableMath.Pow(k + 1, p + 1) - PortableMath.Pow(k, p + 1)) / (p + 1);
        _noise = new(Noise);
    }

    public double Power { get; }

    /// <summary>m, leaves.</summary>
    public int Cells { get; }

    /// <summary>Nodes of all levels.</summary>
    public int NodeCount { get; }

    /// <summary>Integer weight of a record in its node, by level from the coarsest.</summary>
    public IReadOnlyList<int> Weights { get; }

    /// <summary>m as the nearest power of 4 that is allowed.</summary>
    public static int Rounded(double cells) =>
        1 << (2 * (int)Math.Clamp(Math.Round(Math.Log2(Math.Max(1, cells)) / 2), 2, 6));

    /// <summary>Fills the upper levels from plain counts in the leaves, the last m of the nodes, and applies the weights.</summary>
    public void Complete(Span<long> nodes)
    {
        for (int width = Cells, end = nodes.Length; width > 4; end -= width, width /= 4)
        {
            Span<long> children = nodes.Slice(end - width, width), parents = nodes.Slice(end - width - width / 4, width / 4);
            for (int i = 0; i < parents.Length; i++)
                parents[i] = children[4 * i] + children[4 * i + 1] + children[4 * i + 2] + children[4 * i + 3];
        }
        for (int level = 0, at = 0, width = 4; level < Weights.Count; level++, width *= 4)
            for (int i = 0; i < width; i++) nodes[at++] *= Weights[level];
    }

    /// <summary>
    /// edges[e] = sum over records of |x - e|^p, in units of a cell, from noisy nodes by least squares. Returns the number of
    /// records by the same fit.
    /// </summary>
    public double FillEdges(ReadOnlySpan<long> nodes, Span<double> edges)
    {
        var counts = new double[nodes.Length];
        for (int level = 0, at = 0, width = 4; level < Weights.Count; level++, width *= 4)
            for (int i = 0; i < width; i++, at++) counts[at] = nodes[at] / (double)Weights[level];
        Span<double> leaves = TreeFit.Leaves(counts, _variances);
        double records = 0;
        foreach (double leaf in leaves) records += leaf;
        if (Power == 1) FillLinear(leaves, records, edges);
        else
            for (int e = 0; e <= Cells; e++)
            {
                double sum = 0;
                for (int j = 0; j < e; j++) sum += leaves[j] * _kernel[e - 1 - j];
                for (int j = e; j < leaves.Length; j++) sum += leaves[j] * _kernel[j - e];
                edges[e] = sum;
            }
        return records;
    }

    /// <summary>From edge to edge the sum grows by the records left of the cell and falls by those right of it.</summary>
    static void FillLinear(ReadOnlySpan<double> leaves, double records, Span<double> edges)
    {
        double left = 0, sum = 0;
        for (int j = 0; j < leaves.Length; j++) sum += leaves[j] * (j + 0.5);
        edges[0] = sum;
        for (int j = 0; j < leaves.Length; j++)
        {
            edges[j + 1] = sum += 2 * left + leaves[j] - records;
            left += leaves[j];
        }
    }

    /// <summary>Squared norm of what (1 - v) edge e + v edge e + 1 reads from the nodes; divide by nothing: weights are in it.</summary>
    public double SquaredPsi(int e, double v)
    {
        (double[] squared, double[] neighbour, _, _) = _noise.Value;
        return (1 - v) * (1 - v) * squared[e] + 2 * v * (1 - v) * neighbour[e] + v * v * squared[e + 1];
    }

    /// <summary>
    /// Squared norm of what an answer of l1 reads that lies <paramref name="excess"/> cells beyond either end of the grid: the
    /// edge's answer, and that many times the number of records.
    /// </summary>
    public double SquaredPsiBeyond(double excess)
    {
        (double[] squared, _, double cross, double records) = _noise.Value;
        return squared[0] + 2 * excess * cross + excess * excess * records;
    }

    /// <summary>The largest of <see cref="SquaredPsi(int, double)"/>.</summary>
    public double WorstSquaredPsi => _noise.Value.Squared.Max();

    /// <summary>
    /// Least squares maps nodes y to leaves (G' V^-1 G)^-1 G' V^-1 y; so an answer g . leaves reads node i with the weight
    /// (sum under i of u) / V_i, u = (G' V^-1 G)^-1 g, which are the leaves fitted to a tree that is 0 but for V g in its
    /// leaves. A node is its cell over the weight w, and V = 1/w^2: the cell is read with w times the sum.
    /// </summary>
    (double[] Squared, double[] Neighbour, double Cross, double Records) Noise()
    {
        double[] squared = new double[Cells + 1], neighbour = new double[Cells];
        double[] weights = new double[Cells], reads = new double[NodeCount], previous = new double[NodeCount];
        Array.Fill(weights, 1.0);
        var all = new double[NodeCount];
        FillReads(weights, all);
        double cross = 0;
        for (int e = 0; e <= Cells; e++)
        {
            for (int j = 0; j < Cells; j++) weights[j] = _kernel[j < e ? e - 1 - j : j - e];
            FillReads(weights, reads);
            squared[e] = Dot(reads, reads);
            if (e == 0) cross = Dot(reads, all);
            else neighbour[e - 1] = Dot(reads, previous);
            (reads, previous) = (previous, reads);
        }
        return (squared, neighbour, cross, Dot(all, all));
    }

    /// <summary>What the answer with these <paramref name="weights"/> of the leaves reads from the nodes.</summary>
    void FillReads(ReadOnlySpan<double> weights, Span<double> reads)
    {
        var tree = new double[NodeCount];
        for (int j = 0; j < Cells; j++) tree[NodeCount - Cells + j] = _variances[^1] * weights[j];
        TreeFit.Leaves(tree, _variances).CopyTo(reads[(NodeCount - Cells)..]);
        for (int width = Cells, end = NodeCount; width > 4; end -= width, width /= 4)
            for (int i = 0, child = end - width; i < width / 4; i++, child += 4)
                reads[end - width - width / 4 + i] = reads[child] + reads[child + 1] + reads[child + 2] + reads[child + 3];
        for (int level = 0, at = 0, width = 4; level < Weights.Count; level++, width *= 4)
            for (int i = 0; i < width; i++) reads[at++] *= Weights[level];
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
