using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>What may leave: noisy cells with their recipe, their privacy and their place in the ledger.</summary>
public sealed class Release : ReleasedSums
{
    /// <summary>Of a release of few cells: its objects.</summary>
    const int ObjectBytes = 1 << 14;

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

    /// <summary>About how many bytes of memory it takes once it has answered: its cells, also as queries read them, and its map.</summary>
    public long MemoryBytes => ObjectBytes + 16L * AllCells.Length + Measurement.Sketch.MapBytes;

    public Measurement Measurement { get; }

    public Provenance Provenance { get; }

    /// <summary>The release itself, by the SHA-256 of its file.</summary>
    public override IReadOnlyList<ReleaseParent> Parents => [_self.Value];

    internal override CellNoise NoiseOf(int block) => new(Measurement.Noise.Variance, Measurement.Noise.FourthCumulant);
}
