namespace PrivateKernels;

/// <summary>Noisy cells with everything needed to answer from them.</summary>
public sealed class Release
{
    internal Release(Measurement measurement, Provenance provenance, long[] cells) =>
        (Measurement, Provenance, Cells) = (measurement, provenance, cells);

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    internal long[] Cells { get; }
}
