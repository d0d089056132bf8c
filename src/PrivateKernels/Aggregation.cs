namespace PrivateKernels;

/// <summary>
/// Adds batches of private rows to the exact cells of a measurement. What it holds is private until noise is added.
/// </summary>
sealed class Aggregation(Measurement measurement, IEngine engine, long[] cells)
{
    readonly int _dimension = measurement.Sketch.Domain.Dimension;
    float[] _ordered = [];

    /// <summary>
    /// Adds one batch. Rows that no sketch can take (not finite, beyond 2^40, an undeclared label) add nothing: a build
    /// neither fails nor branches visibly on a private value.
    /// </summary>
    public void Add(Records batch)
    {
        Canonical.Flush(batch.Values.Span);
        if (measurement.Classes.Count == 0)
            AddBlock(0, batch.Values[..(Compact(batch.Values.Span) * _dimension)]);
        else
            AddByClass(batch);
    }

    /// <summary>Ends the sums: afterwards the cells are those that the sensitivity speaks of. Called once, after all batches.</summary>
    public void Complete()
    {
        int size = measurement.Sketch.CellCount;
        for (int block = 0; block < measurement.Blocks; block++) measurement.Sketch.Complete(cells.AsSpan(block * size, size));
    }

    void AddByClass(Records batch)
    {
        ReadOnlySpan<uint> labels = batch.Labels.Span;
        ReadOnlySpan<float> values = batch.Values.Span;
        int classes = measurement.Classes.Count;
        var ends = new int[classes + 1];
        for (int row = 0; row < labels.Length; row++)
            if (Belongs(values, labels, row)) ends[labels[row] + 1]++;
        for (int c = 0; c < classes; c++) ends[c + 1] += ends[c];
        if (_ordered.Length < values.Length) _ordered = new float[values.Length];
        var next = (int[])ends.Clone();
        for (int row = 0; row < labels.Length; row++)
            if (Belongs(values, labels, row))
                values.Slice(row * _dimension, _dimension).CopyTo(_ordered.AsSpan(next[labels[row]]++ * _dimension));
        for (int c = 0; c < classes; c++)
            AddBlock(c, _ordered.AsMemory(ends[c] * _dimension, (ends[c + 1] - ends[c]) * _dimension));
    }

    bool Belongs(ReadOnlySpan<float> values, ReadOnlySpan<uint> labels, int row) =>
        labels[row] < measurement.Classes.Count && Canonical.IsValid(values.Slice(row * _dimension, _dimension));

    void AddBlock(int block, ReadOnlyMemory<float> values)
    {
        int size = measurement.Sketch.CellCount;
        if (!values.IsEmpty)
            measurement.Sketch.Add(engine, new Points(values, _dimension), cells.AsSpan(block * size, size));
    }

    int Compact(Span<float> values)
    {
        int kept = 0;
        for (int row = 0; row < values.Length / _dimension; row++)
        {
            Span<float> source = values.Slice(row * _dimension, _dimension);
            if (!Canonical.IsValid(source)) continue;
            if (kept != row) source.CopyTo(values[(kept * _dimension)..]);
            kept++;
        }
        return kept;
    }
}
