using System.Diagnostics;

namespace PrivateKernels.Server;

/// <summary>
/// Arithmetic of the engine in use, measured once at the start on made-up points: what build times are predicted
/// from.
/// </summary>
sealed record EngineSpeed(double OperationsPerSecond)
{
    const int Dimension = 64, Features = 1024, Rows = 4096, Runs = 3;

    internal static EngineSpeed Measure(IEngine engine)
    {
        FourierSketch sketch = FourierSketch.Create(
            new Gaussian(8), new Domain(Dimension), Features, 1, MechanismKind.RoundedNormal, false);
        var random = new PublicRandom(1);
        var values = new float[Rows * Dimension];
        for (int i = 0; i < values.Length; i++) values[i] = (float)random.NextUnit();
        var cells = new long[sketch.CellCount];
        double best = double.MaxValue;
        for (int run = 0; run < Runs; run++)
        {
            long began = Stopwatch.GetTimestamp();
            sketch.Add(engine, new Points(values, Dimension), cells);
            best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        return new(sketch.OperationsPerRecord * Rows / best);
    }
}
