namespace PrivateKernels;

/// <summary>What may leave: noisy cells with their recipe, their privacy and their place in the ledger.</summary>
public sealed class Release : ReleasedSums
{
    internal Release(Measurement measurement, Provenance provenance, long[] cells)
        : base(measurement.Sketch, measurement.Classes, cells) => (Measurement, Provenance) = (measurement, provenance);

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    internal override CellNoise NoiseOf(int block) => new(Measurement.Noise.Variance, Measurement.Noise.FourthCumulant);
}
