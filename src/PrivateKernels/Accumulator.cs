namespace PrivateKernels;

/// <summary>
/// Fills the cells of a measurement while rows stream by: each batch is added and need not be kept. The sums are exact and
/// private; what leaves is a copy with noise, by <see cref="Measurement.Invoke(Receipt, ExactCells, Action)"/>.
/// </summary>
/// <remarks>
/// The cells are those of <see cref="Measurement.Invoke(Receipt, IEnumerable{Records}, IEngine, Action)"/> over the same rows,
/// bit for bit, however they were cut into batches: they are integer sums.
/// </remarks>
public sealed class Accumulator
{
    readonly Aggregation _aggregation;
    float[] _values = [];

    /// <param name="measurement">Its sketch and classes count here; its strength is that of no release.</param>
    /// <param name="engine">Where the cells are summed; it cannot change them.</param>
    public Accumulator(Measurement measurement, IEngine engine)
    {
        Cells = new long[measurement.CellCount];
        _aggregation = new(measurement, engine, Cells);
    }

    /// <summary>The sums so far, before the end of the map (<see cref="ISketch.Complete"/>).</summary>
    internal long[] Cells { get; }

    /// <summary>Adds a batch and leaves it as it is, for the next accumulator.</summary>
    internal void Add(Records batch)
    {
        if (_values.Length < batch.Values.Length) _values = new float[batch.Values.Length];
        Memory<float> values = _values.AsMemory(0, batch.Values.Length);
        batch.Values.CopyTo(values);
        _aggregation.Add(batch with { Values = values });
    }
}

/// <summary>Exact sums that were accumulated: private, on their way into one measurement, which clears them.</summary>
public sealed class ExactCells
{
    internal ExactCells(long[] sums) => Sums = sums;

    internal long[] Sums { get; }
}
