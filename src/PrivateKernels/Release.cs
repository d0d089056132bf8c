using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>What may leave: noisy cells with their recipe, their privacy and their place in the ledger.</summary>
public sealed class Release : ReleasedSums
{
    readonly Lazy<ReleaseParent> _self;
    readonly Lazy<LeastSquares> _leastSquares;

    internal Release(Measurement measurement, Provenance provenance, long[] cells)
        : base(measurement.Sketch, measurement.Classes, measurement.Moments is null ? cells : cells[..measurement.BlockCells])
    {
        (Measurement, Provenance, AllCells) = (measurement, provenance, cells);
        _self = new(() => new(SHA256.HashData(ReleaseFile.Write(this)), Provenance.ReservedAt, Provenance.Cost, 1));
        _leastSquares = new(() => new LeastSquares(this));
    }

    /// <summary>Noisy cells with those of second moments, if any, behind the blocks.</summary>
    internal long[] AllCells { get; }

    /// <summary>The linear classifier that was fitted to second moments; null if the release has none.</summary>
    internal override LeastSquares? LeastSquares => Measurement.Moments is null ? null : _leastSquares.Value;

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    /// <summary>The release itself, by the SHA-256 of its file.</summary>
    public override IReadOnlyList<ReleaseParent> Parents => [_self.Value];

    internal override CellNoise NoiseOf(int block) => new(Measurement.Noise.Variance, Measurement.Noise.FourthCumulant);
}
