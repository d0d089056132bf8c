using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>What may leave: noisy cells with their recipe, their privacy and their place in the ledger.</summary>
public sealed class Release : ReleasedSums
{
    readonly Lazy<ReleaseParent> _self;

    internal Release(Measurement measurement, Provenance provenance, long[] cells)
        : base(measurement.Sketch, measurement.Classes, cells)
    {
        (Measurement, Provenance) = (measurement, provenance);
        _self = new(() => new(SHA256.HashData(ReleaseFile.Write(this)), Provenance.ReservedAt, Provenance.Cost, 1));
    }

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    /// <summary>The release itself, by the SHA-256 of its file.</summary>
    public override IReadOnlyList<ReleaseParent> Parents => [_self.Value];

    internal override CellNoise NoiseOf(int block) => new(Measurement.Noise.Variance, Measurement.Noise.FourthCumulant);
}
