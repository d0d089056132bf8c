namespace PrivateKernels;

/// <summary>
/// Positions of a point along k directions, as integers: 256 cells of 4096 positions on each side of 0.
/// </summary>
/// <param name="Rows">The directions w, long enough that t_j = w_j . z is a position.</param>
/// <param name="Multiplier">M of the group terms S_g = floor(Q_g M / 2^Shift); M below 2^16.</param>
/// <param name="Shift">See Multiplier; 16 to 48.</param>
/// <param name="LargestNorm">Bound on sqrt(sum S_g^2); at least 16, at most 2^28.</param>
/// <remarks>
/// Recipe per record: side_j = 1 if the sign bit of t_j + 0 is set, else 0; q_j = trunc(min(|t_j|, 2^20 - 1)); Q_g = sum of
/// q_j over the group; N = sum of S_g^2. If N is above LargestNorm^2: f = floor((LargestNorm - 4) 2^30 / ceil(sqrt N)), q_j = (q_j f)
/// >> 30, and S_g anew; a record whose N is still above adds nothing. All in exact integers.
/// Guarantee: so sum_g S_g^2 is at most LargestNorm^2 for every record. (S_g after scaling is at most f / 2^30 (S_g + 1),
/// and there are at most 16 groups: the 4 units make up for the 1.)
/// A record then adds to cell c = q_j >> 12 of (j, side_j) the packed value 2^40 + (q_j mod 4096), and S_g to the groups.
/// One of weight u adds W 2^32 + trunc((q_j mod 4096) W / 4096), and trunc(S_g W / 4096), W = u 4096 rounded to the nearest
/// integer, ties to even, in fp32: no cell gets more than without a weight.
/// </remarks>
public sealed record SlicedMap(FourierMap Rows, int Multiplier, int Shift, int LargestNorm)
{
    public const int CellsPerSide = 256, CellShift = 12, CellSize = 1 << CellShift, CellsPerRow = 2 * CellsPerSide;

    public const int LargestPosition = CellsPerSide * CellSize - 1;

    /// <summary>One record in a packed cell; the lower bits sum the places of records within the cell.</summary>
    public const long Record = 1L << 40;

    /// <summary>The same for a weight of 1 / 4096.</summary>
    public const long WeightedRecord = 1L << 32;

    /// <summary>Records that packed cells hold.</summary>
    public const int MostRecords = 1 << 22;

    /// <summary>Weighted records that packed cells hold.</summary>
    public const int MostWeighted = 1 << 18;

    /// <summary>Records (weighted: the sum of W) and places of a packed cell.</summary>
    internal static (long Records, long Places) Unpack(long packed, bool weighted) => weighted
        ? ((packed - (int)packed) / WeightedRecord, (int)packed)
        : Math.DivRem(packed, Record);

    /// <summary>W of a weight u in [-1, 1], -4096 to 4096.</summary>
    internal static int WeightOf(float weight) => (int)SignMap.Nearest(weight * CellSize);

    /// <summary>S_g and N of a record with these sums of positions.</summary>
    public long GroupTerms(ReadOnlySpan<long> positions, Span<long> terms)
    {
        long norm = 0;
        for (int g = 0; g < terms.Length; g++)
        {
            terms[g] = (positions[g] * Multiplier) >> Shift;
            norm += terms[g] * terms[g];
        }
        return norm;
    }

    /// <summary>f for a record of this N.</summary>
    public long Factor(long norm) => ((long)(LargestNorm - 4) << 30) / (NormClamp.IntegerSquareRoot(norm - 1) + 1);
}
