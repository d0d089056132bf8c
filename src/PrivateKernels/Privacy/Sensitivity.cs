using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// How far the integer cells of two neighbouring data sets can be apart: squared L2 norm and L1 norm of the difference,
/// both exact integers in cell units.
/// </summary>
public readonly record struct Sensitivity(BigInteger SquaredL2, BigInteger L1)
{
    /// <summary>
    /// The same for a unit that owns up to <paramref name="records"/> records. Guarantee: by the triangle inequality
    /// the norms grow at most by that factor, also when the records lie in different parts of the data.
    /// </summary>
    public Sensitivity ForUnit(int records) => new(SquaredL2 * records * records, L1 * records);

    /// <summary>
    /// From norm bounds of a single record's contribution. Guarantee: adding or removing a record moves the cells by
    /// its contribution; replacing one moves them by the difference of two, hence by at most twice the bound.
    /// </summary>
    public static Sensitivity FromNorms(BigInteger squaredL2, BigInteger l1, Adjacency adjacency) =>
        adjacency == Adjacency.ReplaceOne ? new(squaredL2 * 4, l1 * 2) : new(squaredL2, l1);
}
