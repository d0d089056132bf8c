namespace PrivateKernels;

/// <summary>
/// Sums and differences of releases of one map. Post-processing: it costs nothing, and it can be queried, saved and combined
/// again. <see cref="ReleaseAlgebra"/> makes them.
/// </summary>
public sealed class CombinedRelease : ReleasedSums
{
    readonly CombinedBlock[] _blocks;

    internal CombinedRelease(
        ISketch sketch, IReadOnlyList<string> classes, long[] cells, CombinedBlock[] blocks, IReadOnlyList<ReleaseParent> parents)
        : base(sketch, classes, cells) => (_blocks, Parents) = (blocks, parents);

    /// <summary>Every release in it, each once: where its noise and its privacy come from.</summary>
    public override IReadOnlyList<ReleaseParent> Parents { get; }

    internal override CellNoise NoiseOf(int block) => _blocks[block].Noise;

    internal override double RecordsOf(int block) => _blocks[block].Records;

    internal override double TotalRecords => _blocks.Sum(static b => b.Records);

    internal override bool AreDifferences => Parents.Any(static p => p.Sign < 0);
}

/// <summary>A release that a combination is made of.</summary>
/// <param name="Sha256">SHA-256 of its file, 32 bytes.</param>
/// <param name="ReservedAt">Its RESERVE entry in the ledger that paid for it.</param>
/// <param name="Cost">What it cost there.</param>
/// <param name="Sign">1 if it was added, -1 if it was subtracted.</param>
public sealed record ReleaseParent(ReadOnlyMemory<byte> Sha256, LedgerPosition ReservedAt, PrivacyCost Cost, int Sign);

/// <summary>What a block of combined cells does not show by itself.</summary>
/// <param name="Noise">Noise of each cell.</param>
/// <param name="Records">About how many records are in it, added or subtracted; 0 if the map holds no count.</param>
readonly record struct CombinedBlock(CellNoise Noise, double Records);
