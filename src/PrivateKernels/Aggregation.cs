namespace PrivateKernels;

/// <summary>
/// Adds batches of private rows to the exact cells of a measurement. What it holds is private until noise is added.
/// </summary>
/// <remarks>
/// Guarantee: every class gets its calls for every batch, also where it has no rows; how many calls depends on the number of
/// batches and classes, and for the few sketches that cut a batch of more than 2^14 rows (2^18: l2) on the rows of a class.
/// </remarks>
sealed class Aggregation(Measurement measurement, IEngine engine, long[] cells)
{
    readonly int _dimension = measurement.Sketch.Domain.Dimension;
    readonly float? _maxAbsValue = (measurement.Sketch as WeightedSketch)?.MaxAbsValue;
    float[] _ordered = [], _orderedWeights = [];

    /// <summary>
    /// Adds one batch. Rows that no sketch can take (not finite, beyond 2^40, an undeclared label) add nothing: a build
    /// neither fails nor branches visibly on a private value.
    /// </summary>
    public void Add(Records batch)
    {
        Canonical.Flush(batch.Values.Span);
        float[] weights = Weights(batch);
        if (measurement.Classes.Count == 0)
            AddBlock(0, batch.Values, weights, 0, Compact(batch.Values.Span, weights));
        else
            AddByClass(batch, weights);
    }

    /// <summary>
    /// v / V of each row, v limited to [-V, V], so that no weight is above 1 in size; NaN where v is not finite. Empty if the
    /// sketch takes no values.
    /// </summary>
    float[] Weights(Records batch)
    {
        if (_maxAbsValue is not { } bound) return [];
        ReadOnlySpan<float> values = batch.RowValues.Span;
        if (values.Length * _dimension != batch.Values.Length)
            throw new ArgumentException("a weighted sum needs a value for each row", nameof(batch));
        var weights = new float[values.Length];
        for (int row = 0; row < weights.Length; row++)
            weights[row] = float.IsFinite(values[row]) ? Math.Clamp(values[row], -bound, bound) / bound : float.NaN;
        Canonical.Flush(weights);
        return weights;
    }

    void AddByClass(Records batch, float[] weights)
    {
        ReadOnlySpan<uint> labels = batch.Labels.Span;
        ReadOnlySpan<float> values = batch.Values.Span;
        int classes = measurement.Classes.Count;
        var ends = new int[classes + 1];
        for (int row = 0; row < labels.Length; row++)
            if (Belongs(values, weights, labels, row)) ends[labels[row] + 1]++;
        for (int c = 0; c < classes; c++) ends[c + 1] += ends[c];
        if (_ordered.Length < values.Length) _ordered = new float[values.Length];
        if (_orderedWeights.Length < weights.Length) _orderedWeights = new float[weights.Length];
        var next = (int[])ends.Clone();
        for (int row = 0; row < labels.Length; row++)
        {
            if (!Belongs(values, weights, labels, row)) continue;
            int to = next[labels[row]]++;
            values.Slice(row * _dimension, _dimension).CopyTo(_ordered.AsSpan(to * _dimension));
            if (weights.Length > 0) _orderedWeights[to] = weights[row];
        }
        for (int c = 0; c < classes; c++) AddBlock(c, _ordered, _orderedWeights, ends[c], ends[c + 1] - ends[c]);
        measurement.Moments?.Add(
            engine, new Points(_ordered.AsMemory(0, ends[classes] * _dimension), _dimension), cells.AsSpan(measurement.BlockCells));
    }

    bool Belongs(ReadOnlySpan<float> values, float[] weights, ReadOnlySpan<uint> labels, int row) =>
        labels[row] < measurement.Classes.Count && IsValid(values.Slice(row * _dimension, _dimension), weights, row);

    static bool IsValid(ReadOnlySpan<float> values, float[] weights, int row) =>
        Canonical.IsValid(values) && !(weights.Length > 0 && float.IsNaN(weights[row]));

    void AddBlock(int block, ReadOnlyMemory<float> values, float[] weights, int first, int count)
    {
        int size = measurement.Sketch.CellCount;
        ReadOnlyMemory<float> own = _maxAbsValue is null ? default : weights.AsMemory(first, count);
        var points = new Points(values.Slice(first * _dimension, count * _dimension), _dimension, own);
        measurement.Sketch.Add(engine, points, cells.AsSpan(block * size, size));
    }

    int Compact(Span<float> values, float[] weights)
    {
        int kept = 0;
        for (int row = 0; row < values.Length / _dimension; row++)
        {
            Span<float> source = values.Slice(row * _dimension, _dimension);
            if (!IsValid(source, weights, row)) continue;
            if (kept != row) source.CopyTo(values[(kept * _dimension)..]);
            if (weights.Length > 0) weights[kept] = weights[row];
            kept++;
        }
        return kept;
    }
}
